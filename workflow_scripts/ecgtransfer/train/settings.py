"""The settings of a training: how long and how fast."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from ecgtransfer.config.training import Training


class TrainingSettings(Training):
    """The settings of a config section ``pretrain``, ``scratch`` or ``finetune``, and of ``hardware``."""

    balance_datasets: bool = False
    precision: Literal["auto", "float32"] = "auto"
    kernels: Literal["fast", "plain"] = "fast"

    @classmethod
    def of(cls, section: Mapping[str, Any], hardware: Mapping[str, Any] | None = None) -> Self:
        """Return the settings of the section of a training, and of ``hardware``; other keys are left out."""
        both = {**section, **(hardware or {})}
        return cls(**{name: both[name] for name in cls.model_fields if name in both})

    def for_size(self, n_train: int) -> tuple[int, int]:
        """Return epochs and patience for a training set: small ones go on until ``min_steps`` optimiser steps."""
        epochs = max(self.epochs, math.ceil(self.min_steps / self.steps_per_epoch(n_train)))
        return epochs, math.ceil(self.patience * epochs / self.epochs)

    def steps_per_epoch(self, n_train: int) -> int:
        """Return the number of batches of a training set."""
        return math.ceil(n_train / self.batch_size)
