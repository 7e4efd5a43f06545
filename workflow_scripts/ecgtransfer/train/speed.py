"""How fast this machine trains a model, measured on noise, for a forecast of a study that never ran here."""

from itertools import repeat
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ecgtransfer.config.study import Study
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.leads import LEADS
from ecgtransfer.train.accounting import PASSES, device_name
from ecgtransfer.train.corpus import Examples, normalization_of
from ecgtransfer.train.hardware import training_device, uses_kernels
from ecgtransfer.train.loop import Task, train_one_epoch
from ecgtransfer.train.objectives import MultiLabel
from ecgtransfer.train.optimizing import Adam
from ecgtransfer.train.registry import build_model, forward_flops_by_registry
from ecgtransfer.train.settings import TrainingSettings

SPEED_TEST_S = 30
N_LABELS = 26
"""As of the Challenge 2021."""


def random_examples(n_records: int, n_samples: int, device: torch.device) -> Examples:
    """Return recordings of noise with labels of 10 % prevalence: what training costs does not depend on values."""
    generator = torch.Generator().manual_seed(1)
    signals = torch.randint(-1000, 1000, (n_records, len(LEADS), n_samples), dtype=torch.int16, generator=generator)
    labels = (torch.rand(n_records, N_LABELS, generator=generator) < 0.1).float()
    ids = np.arange(n_records).astype(np.str_)
    return Examples(ids, signals, labels, torch.zeros(n_records, dtype=torch.int64)).to(device)


def task_on(examples: Examples) -> Task:
    """Return the task to learn these recordings."""
    normalize = normalization_of(examples.signals).to(examples.signals.device)
    return Task(MultiLabel(), examples, examples, normalize)


def measured_speeds(study: Study) -> tuple[dict[str, float], str]:
    """Return `measured_speed` of every model of a study, half a minute for all together, and how it was found."""
    models = study.transfer.models
    n_samples, batch_size = study.signals.samples_per_lead, study.scratch.batch_size
    speeds = {
        model: measured_speed(
            model, study.options_of(model), n_samples, batch_size, SPEED_TEST_S / len(models), study.hardware.kernels
        )
        for model in models
    }
    return speeds, f"by a speed test of {SPEED_TEST_S} seconds on {device_name(training_device())}"


def measured_speed(
    name: str, options: dict[str, Any], n_samples: int, batch_size: int, seconds: float, kernels: str
) -> float:
    """Return the FLOP per second of forward and backward pass that training a model reaches on this device.

    Parameters
    ----------
    name, options
        The model.
    n_samples, batch_size
        What each step sees.
    seconds
        How long to measure at least, after a first step that does not count. A step that takes longer ends it.
    kernels
        Of the config section ``hardware``.
    """
    device = training_device()
    torch.set_num_threads(1)  # as cells are trained
    task = task_on(random_examples(batch_size, n_samples, device))
    settings = TrainingSettings(
        epochs=1, min_steps=0, patience=1, batch_size=batch_size, learning_rate=1e-4, weight_decay=0.0
    )
    fast = uses_kernels(device, kernels)
    model = build_model(name, len(LEADS), n_samples, N_LABELS, options, fast).to(device).train()
    optimizer = Adam(ALL_WEIGHTS.parameter_groups(model), settings)

    def step() -> None:
        train_one_epoch(model, task, settings, optimizer, repeat(settings.learning_rate, 1))

    step()
    steps, start = 0, perf_counter()
    while perf_counter() - start < seconds:
        step()
        steps += 1
    taken = perf_counter() - start
    return max(steps, 1) * batch_size * PASSES * forward_flops_by_registry(name, n_samples, options) / taken
