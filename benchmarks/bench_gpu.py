"""Training on a GPU: speed against what the device can do, bfloat16 against float32, replicates side by side.

Without a GPU it measures nothing. It needs torch, numpy, pandas and pydantic alone: ``python -m benchmarks.bench_gpu``
with the folder ``workflow_scripts`` on ``PYTHONPATH``.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.measure import Result, repeated
from benchmarks.training_data import N_LEADS, N_SAMPLES, random_examples, settings_of
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.prepare.signal_file import SignalFile
from ecgtransfer.train.accounting import measured_peak_flops
from ecgtransfer.train.cells import CellTraining, train_cell
from ecgtransfer.train.corpus import Corpus, Examples
from ecgtransfer.train.flops import forward_flops
from ecgtransfer.train.hardware import arithmetic, fix_seeds, training_device
from ecgtransfer.train.loop import Task, fit
from ecgtransfer.train.registry import REGISTRY, build_model
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.speed import N_LABELS, task_on
from ecgtransfer.train.state import UnfinishedTraining

TIMED = ("resnet1d18", "xresnet1d101", "bilstm")
EPOCH_RECORDS = 17_400
"""The training records of PTB-XL."""
BATCH_SIZE = 128
REPEATS = 5
TRAFFIC = 4  # of an activation that no kernel keeps to itself: written and read, forward and backward


def measure() -> list[Result]:
    """Return nothing without a GPU, else all of it."""
    if training_device().type != "cuda":
        return []
    return [*(result for name in TIMED for result in _speed(name)), *map(_gap, REGISTRY), _replicates()]


def _speed(name: str) -> list[Result]:
    """Return the time of an epoch, records per second, and shares of the measured peaks."""
    device = training_device()
    examples = random_examples(EPOCH_RECORDS, device)
    task = Task(task_on(examples).objective, examples, random_examples(1, device), task_on(examples).normalize)
    settings = settings_of(BATCH_SIZE)
    model = build_model(name, N_LEADS, N_SAMPLES, N_LABELS).to(device)
    seconds = repeated(lambda: fit(model, task, settings, ALL_WEIGHTS, UnfinishedTraining(None)), REPEATS)
    rate = EPOCH_RECORDS / seconds
    flops = 3 * forward_flops(model.cpu(), N_LEADS, N_SAMPLES)
    peak = measured_peak_flops(device, arithmetic(device, settings.precision)) or float("nan")
    traffic = TRAFFIC * _activation_bytes(model)
    return [
        Result(f"gpu_epoch_{name}", seconds, "s", 10, at_most=True),
        Result(f"gpu_records_per_second_{name}", rate, "records/s", 0),
        Result(f"gpu_share_of_matmul_peak_{name}", 100 * rate * flops / peak, "%", 0),
        Result(f"gpu_share_of_memory_peak_{name}", 100 * rate * traffic / _memory_peak(device), "%", 0),
    ]


def _activation_bytes(model: nn.Module) -> int:
    """Return the bytes of all layers' outputs for one record in two-byte numbers."""
    sizes: list[int] = []

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        sizes.extend(2 * tensor.numel() for tensor in _tensors(output))

    hooks = [module.register_forward_hook(count) for module in model.modules() if not any(module.children())]
    with torch.no_grad():
        model.eval()(torch.zeros(1, N_LEADS, N_SAMPLES))
    for hook in hooks:
        hook.remove()
    return sum(sizes)


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple):
        for part in output:
            yield from _tensors(part)


def _memory_peak(device: torch.device) -> float:
    """Return the bytes per second that a copy within the device reads and writes."""
    source = torch.ones(2**28, device=device)
    copy = torch.empty_like(source)

    def copied() -> None:
        copy.copy_(source)
        torch.cuda.synchronize(device)

    return 2 * source.numel() * source.element_size() / repeated(copied, REPEATS)


def _gap(name: str) -> Result:
    """Return how far macro AUROC in bfloat16 lies from that in float32."""
    scores = [_score(name, "auto"), _score(name, "float32")]
    return Result(f"gpu_bfloat16_gap_{name}", abs(scores[0] - scores[1]), "macro AUROC", 0.01, at_most=True)


def _score(name: str, precision: Literal["auto", "float32"]) -> float:
    device = training_device()
    train, valid = _bumps(2000, seed=1).to(device), _bumps(1000, seed=2).to(device)
    task = task_on(train)
    settings = TrainingSettings(
        epochs=15, min_steps=0, patience=15, batch_size=64, learning_rate=1e-3, weight_decay=0.01,
        schedule="one-cycle", precision=precision,
    )  # fmt: skip
    fix_seeds(1)
    model = build_model(name, N_LEADS, N_SAMPLES, 2).to(device)
    history = fit(
        model, Task(task.objective, train, valid, task.normalize), settings, ALL_WEIGHTS, UnfinishedTraining(None)
    )
    return max(epoch.valid_macro_auroc for epoch in history)


def _bumps(n_records: int, seed: int) -> Examples:
    """Return noise in which a wide or a narrow bump, or both, may lie anywhere: hard enough that no score is 1."""
    rng = np.random.default_rng(seed)
    labels = rng.random((n_records, 2)) < 0.5
    signals = rng.normal(0, 300, (n_records, N_LEADS, N_SAMPLES))
    time = np.arange(N_SAMPLES)
    for column, width in enumerate((4, 12)):
        centre = rng.integers(50, N_SAMPLES - 50, n_records)
        height = rng.uniform(100, 500, n_records) * labels[:, column]
        signals += (height[:, None] * np.exp(-0.5 * ((time - centre[:, None]) / width) ** 2))[:, None]
    return Examples(
        np.arange(n_records).astype(np.str_), torch.from_numpy(signals.astype(np.int16)),
        torch.from_numpy(labels.astype(np.float32)), torch.zeros(n_records, dtype=torch.int64),
    )  # fmt: skip


def _replicates() -> Result:
    """Return how many times longer a cell with five replicates of 200 records takes than with one."""
    train = _bumps(600, seed=3)
    ids = pd.Series(train.record_id)
    roles = pd.Series(["train"] * 200 + ["valid"] * 200 + ["test"] * 200)
    ranks = {f"rank_{replicate}": 0.0 for replicate in range(5)}
    with TemporaryDirectory() as folder:
        np.save(Path(folder, "signals.npy"), train.signals.numpy())
        corpus = Corpus(
            (SignalFile(Path(folder, "signals.npy")),),
            pd.DataFrame(train.labels.numpy(), columns=["wide", "narrow"], index=ids),
            pd.DataFrame({"record_id": ids, "patient_id": ids, "role": roles, **ranks}),
            sampling_rate_hz=100,
        )
        seconds = {count: median(_in_a_new_process(corpus, count) for _ in range(REPEATS)) for count in (1, 5)}
    return Result("gpu_replicates_5_vs_1", seconds[5] / seconds[1], "x", 2, at_most=True)


def _in_a_new_process(corpus: Corpus, replicates: int) -> float:
    """Return what `_cell_seconds` returns: a job forks its replicates before it touches a GPU."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_cell_seconds, corpus, replicates).result()


def _cell_seconds(corpus: Corpus, replicates: int) -> float:
    settings = settings_of(32, epochs=30, learning_rate=1e-3)
    cell = CellTraining(
        model="resnet1d18", options={}, fraction=1.0, replicates=replicates, seed=1, validation="full",
        settings=settings, deterministic=True, code="",
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        start = perf_counter()
        train_cell(cell, corpus, Path(folder), n_processes=replicates)
        return perf_counter() - start


if __name__ == "__main__":
    print(json.dumps([result.as_json() for result in measure()], indent=2))
