"""What training costs in addition to the bare model: feeding it, against no feeding and against torch's DataLoader."""

from collections.abc import Callable
from itertools import repeat

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measure import Result, interleaved
from benchmarks.training_data import N_LEADS, N_SAMPLES, random_examples, settings_of
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.train.hardware import training_device, uses_kernels
from ecgtransfer.train.loop import Task, train_one_epoch
from ecgtransfer.train.optimizing import Adam
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.speed import N_LABELS, task_on

CASES = {  # model: options, batches of so many records, turns
    "gru": ({"head": "pool"}, 3, 32, 21),  # the smallest model, and the default study's
    "resnet1d18": ({}, 3, 32, 11),
    "resnet1d101": ({}, 2, 8, 7),  # the largest
}


def measure() -> list[Result]:
    """Return ``feeding_overhead_<model>`` and ``dataloader_vs_ours_<model>``."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as cells are trained
    try:
        return [result for name in CASES for result in _of_model(name)]
    finally:
        torch.set_num_threads(n_threads)


def _of_model(name: str) -> list[Result]:
    """Return how much longer our epoch takes than the bare model, in percent, and a DataLoader's time to ours."""
    options, n_batches, batch_size, turns = CASES[name]
    device = training_device()
    settings = settings_of(batch_size)
    task = task_on(random_examples(n_batches * batch_size, device))
    # All sides train one model, so that its place in memory favours none.
    model = build_model(name, N_LEADS, N_SAMPLES, N_LABELS, options, uses_kernels(device, "fast")).to(device)
    optimizer = Adam(ALL_WEIGHTS.parameter_groups(model), settings)
    model.train()

    def ours() -> None:
        train_one_epoch(model, task, settings, optimizer, repeat(settings.learning_rate, n_batches))

    bare = _epoch_on_one_batch(model, task, optimizer, n_batches, batch_size)
    feeding = interleaved(bare, ours, turns)
    loading = interleaved(ours, _epoch_of_a_loader(model, task, optimizer, batch_size), turns)
    return [
        Result(f"feeding_overhead_{name}", 100 * (feeding.second_to_first - 1), "%", 5, at_most=True),
        Result(f"dataloader_vs_ours_{name}", loading.second_to_first, "x", 1),
    ]


def _epoch_on_one_batch(
    model: nn.Module, task: Task, optimizer: Adam, n_batches: int, batch_size: int
) -> Callable[[], None]:
    x, labels = task.normalize(task.train.signals[:batch_size]), task.train.labels[:batch_size]

    def epoch() -> None:
        for _ in range(n_batches):
            loss = _step(model, x, labels, optimizer)
        loss.item()  # waits for a GPU, as our loop does

    return epoch


def _epoch_of_a_loader(model: nn.Module, task: Task, optimizer: Adam, batch_size: int) -> Callable[[], None]:
    """Return an epoch as most write it: records one by one from a data set, collated to batches in float32."""
    device = task.train.signals.device
    data = TensorDataset(task.train.signals.cpu(), task.train.labels.cpu())
    loader = DataLoader(data, batch_size, shuffle=True)

    def epoch() -> None:
        for signals, labels in loader:
            loss = _step(model, task.normalize(signals.to(device)), labels.to(device), optimizer)
        loss.item()

    return epoch


def _step(model: nn.Module, x: torch.Tensor, labels: torch.Tensor, optimizer: Adam) -> torch.Tensor:
    loss = binary_cross_entropy_with_logits(model(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step(1e-3)
    return loss
