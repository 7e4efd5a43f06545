"""Random recordings and settings for the benchmarks of training."""

import torch

from ecgtransfer.leads import LEADS
from ecgtransfer.train import speed
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.hardware import fix_seeds
from ecgtransfer.train.settings import TrainingSettings

N_LEADS, N_SAMPLES = len(LEADS), 1000
"""10 s at 100 Hz."""


def random_examples(n_records: int, device: torch.device) -> Examples:
    """Return recordings of 10 s of noise."""
    return speed.random_examples(n_records, N_SAMPLES, device)


def settings_of(batch_size: int, epochs: int = 1, learning_rate: float = 1e-4) -> TrainingSettings:
    """Return settings that train for a number of epochs, whatever comes out."""
    fix_seeds(1)
    return TrainingSettings(
        epochs=epochs, min_steps=0, patience=epochs, batch_size=batch_size, learning_rate=learning_rate,
        weight_decay=0.01,
    )  # fmt: skip
