"""Training as the published studies did it: float64, and a loader that looks each record up in a table."""

from collections.abc import Callable
from itertools import repeat

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Result, interleaved
from benchmarks.training_data import N_LEADS, N_SAMPLES, random_examples, settings_of
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.hardware import training_device, uses_kernels
from ecgtransfer.train.loop import train_one_epoch
from ecgtransfer.train.optimizing import Adam
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.speed import N_LABELS, task_on

GOALS = {"resnet1d18": 3, "gru": 5}
N_RECORDS, BATCH_SIZE = 256, 64
N_IN_TABLE = 2000  # the study's table of PTB-XL has 17,000 records, and finding one takes as many times longer
REPEATS = 5


def measure() -> list[Result]:
    """Return ``train_vs_study_way_<model>``: samples per second of ours over theirs, with one thread for both."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as trainings compute
    try:
        return [Result(f"train_vs_study_way_{name}", _ratio(name), "x", goal) for name, goal in GOALS.items()]
    finally:
        torch.set_num_threads(n_threads)


def _ratio(name: str) -> float:
    device = training_device()
    settings = settings_of(BATCH_SIZE)
    examples = random_examples(N_RECORDS, device)
    task = task_on(examples)
    model = build_model(name, N_LEADS, N_SAMPLES, N_LABELS, fast=uses_kernels(device, "fast")).to(device)
    optimizer = Adam(ALL_WEIGHTS.parameter_groups(model), settings)
    model.train()

    def ours() -> None:
        train_one_epoch(model, task, settings, optimizer, repeat(settings.learning_rate, N_RECORDS // BATCH_SIZE))

    theirs = _epoch_their_way(_their_model(name).double().to(device), examples, settings.learning_rate)
    return interleaved(ours, theirs, REPEATS).second_to_first


class _Gru(nn.Module):
    """Their recurrent network, with torch's own layer."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(N_LEADS, 100, batch_first=True)
        self.head = nn.Linear(100 * N_SAMPLES, N_LABELS)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.recurrent(x.transpose(1, 2))[0].flatten(1))
        return logits


def _their_model(name: str) -> nn.Module:
    return _Gru() if name == "gru" else build_model(name, N_LEADS, N_SAMPLES, N_LABELS)


class _Table(Dataset[tuple[Tensor, Tensor]]):
    """One row per sample, one column per lead, in float64; each record is found by comparing all ids."""

    def __init__(self, examples: Examples) -> None:
        rows = np.resize(examples.signals.cpu().numpy(), (N_IN_TABLE, N_LEADS, N_SAMPLES)).transpose(0, 2, 1)
        self.table = pd.DataFrame(rows.reshape(-1, N_LEADS).astype(np.float64))
        self.table["record"] = np.repeat(np.arange(N_IN_TABLE), N_SAMPLES)
        self.labels = examples.labels.cpu()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        found = self.table[self.table["record"] == index]
        return torch.from_numpy(found.drop(columns="record").to_numpy().T.copy()), self.labels[index]


def _epoch_their_way(model: nn.Module, examples: Examples, learning_rate: float) -> Callable[[], None]:
    device = examples.signals.device
    loader = DataLoader(_Table(examples), BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    model.train()

    def epoch() -> None:
        for x, labels in loader:
            loss = binary_cross_entropy_with_logits(model(x.to(device)).float(), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return epoch
