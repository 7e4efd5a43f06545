"""The settings of a training: how long and how fast."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a config section ``pretrain``, ``scratch`` or ``finetune``, and of ``hardware``."""

    epochs: int
    min_steps: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: str = "adamw"
    schedule: str = "constant"
    positive_weight: str = "none"
    crop_s: float | None = None
    balance_datasets: bool = False
    choose_by: str = "macro_auroc"
    precision: str = "auto"
    kernels: str = "fast"

    @classmethod
    def of(cls, section: Mapping[str, Any], hardware: Mapping[str, Any] | None = None) -> Self:
        """Return the settings of the section of a training, and of ``hardware``; other keys are left out."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in {**section, **(hardware or {})}.items() if name in names})

    def for_size(self, n_train: int) -> tuple[int, int]:
        """Return epochs and patience for a training set: small ones go on until ``min_steps`` optimiser steps."""
        epochs = max(self.epochs, math.ceil(self.min_steps / self.steps_per_epoch(n_train)))
        return epochs, math.ceil(self.patience * epochs / self.epochs)

    def steps_per_epoch(self, n_train: int) -> int:
        """Return the number of batches of a training set."""
        return math.ceil(n_train / self.batch_size)
