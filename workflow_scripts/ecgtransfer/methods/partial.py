"""The lowest layers stay as they are: partial fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgtransfer.config.keys import Section
from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import LayerGroup, TrainingPlan, body_of
from ecgtransfer.methods import Method

if TYPE_CHECKING:
    from ecgtransfer.train.models.base import EcgModel


@dataclass(frozen=True)
class Partial(Method):
    """Freezes the lowest groups of layers; how many is the number after the colon in ``partial:2``."""

    n_frozen: int = 1

    spelling = "partial:k (the lowest k = 1, 2, ... layer groups frozen)"
    pattern = "partial:[1-9][0-9]*"
    meaning = "the lowest k groups of layers stay as they are, all others are trained further"
    in_figures = "lowest k layer groups frozen (partial)"

    @classmethod
    def of(cls, text: str, settings: Section) -> Partial:
        """Return the method with the number of groups in the text."""
        return cls(settings, int(text.partition(":")[2]))

    def __str__(self) -> str:
        return f"{self.name}:{self.n_frozen}"

    @property
    def meaning_here(self) -> str:
        """`meaning` with its number."""
        return self.meaning.replace("lowest k", f"lowest {self.n_frozen}")

    @property
    def in_figures_here(self) -> str:
        """`in_figures` with its number."""
        return self.in_figures.replace("lowest k", f"lowest {self.n_frozen}")

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return layers that are trained, or not if they are among the lowest."""
        return LayerGroup(modules, trained_from=None if place < self.n_frozen else 1)

    def plan(self, model: EcgModel) -> TrainingPlan:
        """Return what is trained; InputError if that is the head alone."""
        if self.n_frozen >= len(body_of(model)):
            raise InputError(
                f"transfer.methods: {self} freezes everything but the head, as the model has {len(body_of(model))}"
                " layer groups; use probe for that, or a smaller number"
            )
        return super().plan(model)
