"""The ways to transfer: which layers of a model are trained, how fast, and from which epoch on.

A way becomes a `TrainingPlan`, which names layers and holds none, so that it serves any copy of the model. The plan of
a study reads the names of the ways here, so this module does without torch, which is slow to import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecgtransfer.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from ecgtransfer.train.models.base import EcgModel

WAYS = ("finetune", "probe", "svm", "gradual", "discriminative", "partial")
"""``finetune`` trains all layers, ``probe`` the head alone, ``svm`` puts support vector machines in its place,
``gradual`` starts with the head and adds layers from the top, ``discriminative`` trains lower layers more slowly,
``partial:k`` freezes the k first layer groups."""


@dataclass(frozen=True)
class Way:
    """A way to transfer; ``n_frozen`` is the k of ``partial:k``."""

    name: str
    n_frozen: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.n_frozen}" if self.n_frozen else self.name


def parse_way(text: str) -> Way:
    """Return the way that an entry of ``transfer.arms`` names.

    Raises
    ------
    InputError
        If there is no such way, or its number of frozen layer groups is missing, below 1 or out of place.
    """
    name, colon, number = text.partition(":")
    if name not in WAYS:
        known = ", ".join("partial:k" if way == "partial" else way for way in WAYS)
        raise InputError(f"transfer.arms: '{text}' is no way to transfer; known are {known}{did_you_mean(name, WAYS)}")
    if name != "partial":
        if colon:
            raise InputError(f"transfer.arms: '{text}': only partial takes a number; write {name}")
        return Way(name)
    if not re.fullmatch("[1-9][0-9]*", number):
        raise InputError(
            f"transfer.arms: '{text}' should say how many of the first layer groups are frozen, at least 1; write"
            " partial:1, for instance"
        )
    return Way(name, int(number))


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
        """Tell whether the layers are trained in an epoch."""
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
        return [group.modules for group in self.groups if group.trained_from is not None] == [_HEAD]

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
        """Put `model` into the state of training that an epoch begins with, whatever state it was in.

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
        """Return what ``run.json`` says: how many weights are trained and frozen, and the names of frozen layers.

        The head of ``svm`` counts as trained: the support vector machines in its place have as many weights.
        """
        frozen = [group for group in self.groups if group.trained_from is None]
        n_frozen = sum(parameter.numel() for group in frozen for parameter in group.parameters(model))
        return {
            "trained_weights": sum(parameter.numel() for parameter in model.parameters()) - n_frozen,
            "frozen_weights": n_frozen,
            "frozen_layers": [name for group in frozen for name in group.modules],
        }


_HEAD = ("head",)
ALL_WEIGHTS = TrainingPlan((LayerGroup(("",)),))
"""Trains every weight of any module from the first epoch on, as from scratch."""


def trainable_plan(model: EcgModel, way: Way, settings: Mapping[str, Any]) -> TrainingPlan:
    """Return what a way to transfer trains of a model.

    Parameters
    ----------
    model
        Is not changed.
    way
        The way.
    settings
        What ``arms.<way>`` says: ``epochs_per_group`` of ``gradual``, ``rate_ratio`` of ``discriminative``.

    Raises
    ------
    InputError
        If ``partial`` would freeze every layer group.

    Notes
    -----
    Gradual unfreezing and discriminative rates are those of Howard & Ruder 2018, https://arxiv.org/abs/1801.06146: the
    head is trained alone for ``epochs_per_group`` epochs, then joined by one more group from the top every as many
    epochs; or each group learns ``rate_ratio`` times more slowly than the one above it, the head at the full rate.
    """
    if way.name == "finetune":
        return ALL_WEIGHTS
    body = _body_of(model)
    if way.n_frozen >= len(body):
        raise InputError(
            f"transfer.arms: {way} freezes everything but the head, as the model has {len(body)} layer groups; use"
            " probe for that, or a smaller number"
        )
    return TrainingPlan(
        (*(_group(modules, place, len(body) - place, way, settings) for place, modules in enumerate(body)),
         LayerGroup(_HEAD))
    )  # fmt: skip


def _group(modules: tuple[str, ...], place: int, depth: int, way: Way, settings: Mapping[str, Any]) -> LayerGroup:
    """Return a group below the head, by its place from the input, from 0, and its depth below the head, from 1."""
    match way.name:
        case "gradual":
            return LayerGroup(modules, trained_from=1 + depth * settings["epochs_per_group"])
        case "discriminative":
            return LayerGroup(modules, rate_factor=settings["rate_ratio"] ** -depth)
        case "partial":
            return LayerGroup(modules, trained_from=None if place < way.n_frozen else 1)
        case "probe" | "svm":
            return LayerGroup(modules, trained_from=None)
        case _:
            raise ValueError(way.name)


def _body_of(model: EcgModel) -> list[tuple[str, ...]]:
    """Return the names of all layers below the head, in the model's groups.

    A neck without weights is in no group of the model. It may have dropout, so it goes with the last one.
    """
    names = {module: name for name, module in model.named_modules()}
    body = [tuple(names[module] for module in group) for group in model.layer_groups()]
    if not list(model.neck.parameters()):
        body[-1] = (*body[-1], "neck")
    return body
