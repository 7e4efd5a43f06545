"""Random recordings and labels for the benchmarks of training: what a number costs does not depend on its value."""

import numpy as np
import torch

from ecgtransfer.train.corpus import Examples, normalization_of
from ecgtransfer.train.hardware import fix_seeds
from ecgtransfer.train.loop import Task
from ecgtransfer.train.objectives import MultiLabel
from ecgtransfer.train.optimizing import TrainingSettings

N_LEADS, N_SAMPLES, N_LABELS = 12, 1000, 26
"""10 s at 100 Hz, labels of the Challenge 2021."""


def random_examples(n_records: int, device: torch.device) -> Examples:
    """Return recordings of noise with labels of 10 % prevalence."""
    generator = torch.Generator().manual_seed(1)
    signals = torch.randint(-1000, 1000, (n_records, N_LEADS, N_SAMPLES), dtype=torch.int16, generator=generator)
    labels = (torch.rand(n_records, N_LABELS, generator=generator) < 0.1).float()
    ids = np.arange(n_records).astype(np.str_)
    return Examples(ids, signals, labels, torch.zeros(n_records, dtype=torch.int64)).to(device)


def task_on(examples: Examples) -> Task:
    """Return the task to learn these recordings."""
    normalize = normalization_of(examples.signals).to(examples.signals.device)
    return Task(MultiLabel(), examples, examples, normalize)


def settings_of(batch_size: int, epochs: int = 1, learning_rate: float = 1e-4) -> TrainingSettings:
    """Return settings that train for a number of epochs, whatever comes out."""
    fix_seeds(1)
    return TrainingSettings(
        epochs=epochs, min_steps=0, patience=epochs, batch_size=batch_size, learning_rate=learning_rate,
        weight_decay=0.01,
    )  # fmt: skip
