"""How fast this machine trains a model, measured in seconds, for a forecast of a study that never ran here."""

from itertools import repeat
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ecgtransfer.train.accounting import PASSES
from ecgtransfer.train.corpus import Examples, normalization_of
from ecgtransfer.train.hardware import training_device
from ecgtransfer.train.loop import Task, train_one_epoch
from ecgtransfer.train.objectives import MultiLabel
from ecgtransfer.train.optimizing import Adam, TrainingSettings
from ecgtransfer.train.registry import build_model, forward_flops_by_registry
from ecgtransfer.train.ways import ALL_WEIGHTS

_LEADS, _LABELS = 12, 26


def probed_speed(name: str, options: dict[str, Any], n_samples: int, batch_size: int, seconds: float) -> float:
    """Return the FLOP per second of forward and backward pass that training a model reaches on this device.

    Parameters
    ----------
    name, options
        The model.
    n_samples, batch_size
        What each step sees.
    seconds
        How long to measure at least, after a first step that does not count. A step that takes longer ends it.
    """
    device = training_device()
    torch.set_num_threads(1)  # as cells are trained
    generator = torch.Generator().manual_seed(1)
    signals = torch.randint(-1000, 1000, (batch_size, _LEADS, n_samples), dtype=torch.int16, generator=generator)
    labels = (torch.rand(batch_size, _LABELS, generator=generator) < 0.1).float()
    ids = np.arange(batch_size).astype(np.str_)
    examples = Examples(ids, signals, labels, torch.zeros(batch_size, dtype=torch.int64)).to(device)
    task = Task(MultiLabel(), examples, examples, normalization_of(signals).to(device))
    settings = TrainingSettings(
        epochs=1, min_steps=0, patience=1, batch_size=batch_size, learning_rate=1e-4, weight_decay=0.0
    )
    model = build_model(name, _LEADS, n_samples, _LABELS, options).to(device).train()
    optimizer = Adam(ALL_WEIGHTS.parameter_groups(model), settings)

    def step() -> None:
        train_one_epoch(model, task, settings, optimizer, repeat(settings.learning_rate, 1))

    step()
    steps, start = 0, perf_counter()
    while perf_counter() - start < seconds:
        step()
        steps += 1
    taken = perf_counter() - start
    return max(steps, 1) * batch_size * PASSES * forward_flops_by_registry(name, n_samples) / taken
