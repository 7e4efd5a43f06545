"""All layers are trained further: fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgtransfer.layer_groups import ALL_WEIGHTS, TrainingPlan
from ecgtransfer.methods import Method

if TYPE_CHECKING:
    from ecgtransfer.train.models.base import EcgModel


@dataclass(frozen=True)
class Finetune(Method):
    """Trains every weight from the first epoch on."""

    meaning = "all weights are trained further"
    trains_all_layers = True

    def plan(self, model: EcgModel) -> TrainingPlan:
        """Return what is trained: everything, as from scratch."""
        return ALL_WEIGHTS
