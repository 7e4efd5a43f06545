"""How long and how fast a model is trained: settings, optimiser, and the learning rate of every step."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

WARM_UP = 0.3  # share of one-cycle training with a rising rate, and the factors it starts and ends with
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1e-4


@dataclass(frozen=True)
class TrainingSettings:
    """What a config section ``pretrain``, ``scratch`` or ``finetune`` says, and ``hardware.precision``."""

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
    precision: str = "auto"

    def for_size(self, n_train: int) -> tuple[int, int]:
        """Return epochs and patience for a training set: small ones go on until ``min_steps`` optimiser steps."""
        epochs = max(self.epochs, math.ceil(self.min_steps / self.steps_per_epoch(n_train)))
        return epochs, math.ceil(self.patience * epochs / self.epochs)

    def steps_per_epoch(self, n_train: int) -> int:
        """Return the number of batches of a training set."""
        return math.ceil(n_train / self.batch_size)


def new_optimizer(
    groups: Sequence[tuple[Sequence[nn.Parameter], float]], settings: TrainingSettings
) -> torch.optim.Optimizer:
    """Return an optimiser of groups of weights, each with its factor on the learning rate."""
    kind: type[torch.optim.Adam] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    return kind(
        [{"params": list(parameters), "factor": factor} for parameters, factor in groups],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        foreach=True,
    )


def learning_rates(settings: TrainingSettings, epoch: int, epochs: int, steps: int) -> Iterator[float]:
    """Yield the learning rate of every step of an epoch, counted from 1.

    ``one-cycle`` (Smith & Topin 2018, https://arxiv.org/abs/1708.07120) rises for `WARM_UP` of all steps and falls to
    nearly nothing, both along a cosine; ``cosine`` (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983) only
    falls.
    """
    for step in range(steps):
        done = ((epoch - 1) * steps + step) / (epochs * steps)
        factor = 1.0
        if settings.schedule == "cosine":
            factor = _cosine(1, 0, done)
        elif settings.schedule == "one-cycle" and done < WARM_UP:
            factor = _cosine(ONE_CYCLE_START, 1, done / WARM_UP)
        elif settings.schedule == "one-cycle":
            factor = _cosine(1, ONE_CYCLE_END, (done - WARM_UP) / (1 - WARM_UP))
        yield settings.learning_rate * factor


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
