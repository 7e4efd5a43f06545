"""Records in memory, and a training of a tiny model on them, without a corpus in files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tiny_model import tiny_model
from torch import nn

from ecgtransfer.layer_groups import ALL_WEIGHTS, TrainingPlan
from ecgtransfer.train.corpus import Examples, Normalization
from ecgtransfer.train.data_parallel import Ranks
from ecgtransfer.train.hardware import fix_seeds
from ecgtransfer.train.loop import Epoch, Task, fit
from ecgtransfer.train.objectives import MultiLabel
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import UnfinishedTraining

N_SAMPLES = 64
SETTINGS = TrainingSettings(
    epochs=4, min_steps=0, patience=4, batch_size=8, learning_rate=0.01, weight_decay=0.01, choose_by="macro_auroc"
)
NORMALIZE = Normalization(torch.linspace(-0.1, 0.1, 12), torch.linspace(0.5, 2, 12))


def examples(seed: int, n_records: int, unknown: float = 0.0, age_sex: bool = False) -> Examples:
    """Return records of two data sets, a third of them in the second one, whose signals show their two labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n_records, 2)) < 0.4).astype(np.float32)
    time = np.linspace(0, 1, N_SAMPLES)
    cycles, height = np.where(labels[:, 0], 9, 4), np.where(labels[:, 1], 1800, 900)
    phase = rng.uniform(0, 6, (n_records, 12, 1))
    waves = height[:, None, None] * np.sin(2 * np.pi * cycles[:, None, None] * time + phase)
    labels[rng.random(labels.shape) < unknown] = np.nan
    return Examples(
        np.arange(n_records).astype(np.str_),
        torch.from_numpy((waves + rng.normal(0, 300, waves.shape)).astype(np.int16)),
        torch.from_numpy(labels),
        torch.arange(n_records) % 3 // 2,
        torch.from_numpy(rng.normal(size=(n_records, 4)).astype(np.float32)) if age_sex else None,
    )


TRAIN, VALID = examples(1, 37), examples(2, 20)
TASK = Task(MultiLabel(), TRAIN, VALID, NORMALIZE)


def trained(
    settings: TrainingSettings = SETTINGS,
    build: Callable[[], nn.Module] = tiny_model,
    task: Task = TASK,
    plan: TrainingPlan = ALL_WEIGHTS,
    state: UnfinishedTraining | None = None,
    ranks: Ranks | None = None,
    seed: int = 0,
    **of_task: Any,
) -> tuple[nn.Module, list[Epoch]]:
    """Return a model after `fit`, by default a new one with batch normalisation and dropout, and its history."""
    fix_seeds(seed)
    model = build()
    history = fit(model, replace(task, **of_task), settings, plan, state or UnfinishedTraining(None), ranks or Ranks())
    return model, history


def bytes_of(model: nn.Module) -> list[bytes]:
    """Return all weights and buffers."""
    return [tensor.numpy().tobytes() for tensor in model.state_dict().values()]


def learnt(history: Sequence[Epoch]) -> list[tuple[float, ...]]:
    """Return what a history says of learning, without what it cost; NaN as -1, which equals itself."""
    rows = [
        (row.epoch, row.train_loss, row.valid_loss, row.valid_macro_auroc, row.valid_weighted_f1) for row in history
    ]
    return [tuple(-1.0 if value != value else value for value in row) for row in rows]
