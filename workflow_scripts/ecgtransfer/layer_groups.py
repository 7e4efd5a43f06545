"""Which layers of a model are trained, how fast, and from which epoch on.

A `TrainingPlan` names layers and holds none, so that it serves any copy of the model. The plan of a study reads the
methods of transfer, which use this module, so it does without torch, which is slow to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from ecgtransfer.train.models.base import EcgModel


@dataclass(frozen=True)
class LayerGroup:
    """Layers that are trained alike.

    Attributes
    ----------
    modules
        Their names in the model; an empty name is the whole model.
    rate_factor
        Factor on the learning rate.
    trained_from
        The first epoch, counted from 1, in which they are trained; None freezes them for good.
    """

    modules: tuple[str, ...]
    rate_factor: float = 1.0
    trained_from: int | None = 1

    def is_trained(self, epoch: int) -> bool:
        """Return whether the layers are trained in an epoch."""
        return self.trained_from is not None and epoch >= self.trained_from

    def parameters(self, model: nn.Module) -> list[nn.Parameter]:
        """Return the weights of the layers in `model`."""
        return [parameter for name in self.modules for parameter in model.get_submodule(name).parameters()]


@dataclass(frozen=True)
class TrainingPlan:
    """All layers of a model in groups, from the input to the head."""

    groups: tuple[LayerGroup, ...]

    @property
    def head_only(self) -> bool:
        """Whether nothing below the head ever changes: the features of a record are then computed once."""
        return [group.modules for group in self.groups if group.trained_from is not None] == [HEAD]

    @property
    def settled_from(self) -> int:
        """The first epoch in which everything is trained that ever will be."""
        return max(group.trained_from for group in self.groups if group.trained_from is not None)

    def parameter_groups(self, model: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
        """Return all weights that are ever trained, put together by their factor on the learning rate.

        They are all in the optimiser from the start. It passes over those that are still frozen, weight decay included,
        because `start_epoch` leaves them without gradients.
        """
        by_factor: dict[float, list[nn.Parameter]] = {}
        for group in self.groups:
            if group.trained_from is not None:
                by_factor.setdefault(group.rate_factor, []).extend(group.parameters(model))
        return [(parameters, factor) for factor, parameters in by_factor.items()]

    def start_epoch(self, model: nn.Module, epoch: int) -> None:
        """Put `model` into the training state with which an epoch begins, whatever state it was in.

        Frozen layers are in evaluation mode: their batch normalisation keeps the statistics of the source, and their
        dropout drops nothing. They always lie below those that are trained, so no gradient passes through them.
        """
        model.train()
        for group in self.groups:
            trained = group.is_trained(epoch)
            for name in group.modules:
                model.get_submodule(name).train(trained)
            for parameter in group.parameters(model):
                parameter.requires_grad_(trained)
                if not trained:
                    parameter.grad = None  # of 0, it would still let the optimiser decay the weight

    def counts(self, model: nn.Module) -> dict[str, Any]:
        """Return what goes into ``run.json``: how many weights are trained and frozen, and the names of frozen layers.

        The head of ``svm`` counts as trained: the support vector machines in its place have as many weights.
        """
        frozen = [group for group in self.groups if group.trained_from is None]
        n_frozen = sum(parameter.numel() for group in frozen for parameter in group.parameters(model))
        return {
            "trained_weights": sum(parameter.numel() for parameter in model.parameters()) - n_frozen,
            "frozen_weights": n_frozen,
            "frozen_layers": [name for group in frozen for name in group.modules],
        }


HEAD = ("head",)
ALL_WEIGHTS = TrainingPlan((LayerGroup(("",)),))
"""Trains every weight of any module from the first epoch on, as from scratch."""


def body_of(model: EcgModel) -> list[tuple[str, ...]]:
    """Return the names of all layers below the head, in the model's groups.

    A neck without weights is in no group of the model. It may have dropout, so it goes with the last one.
    """
    names = {module: name for name, module in model.named_modules()}
    body = [tuple(names[module] for module in group) for group in model.layer_groups()]
    if not list(model.neck.parameters()):
        body[-1] = (*body[-1], "neck")
    return body
