"""Two processes that train one model, over PyTorch's gloo on the CPU, against one process."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from processes import alive, kill, note_process, noted_processes, started, wait_for
from tiny_model import tiny_model
from tiny_task import SETTINGS, TRAIN, examples, learnt, trained
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.train.data_parallel import Ranks, train_with
from ecgtransfer.train.objectives import MaskedPatches, OwnError
from ecgtransfer.train.settings import TrainingSettings

torch.set_num_threads(1)

PLAIN = partial(tiny_model, plain=True)
LONGER = SETTINGS.model_copy(update={"epochs": 12, "patience": 12})


def by_two(folder: Path, train: Callable[..., object]) -> list[object]:
    """Return what `train` returns in each of two processes, as far as a file of tensors and numbers can hold it."""

    def run(ranks: Ranks, device: torch.device) -> None:
        assert device.type == "cpu"
        torch.save(train(ranks=ranks), folder / f"{ranks.rank}.pt")

    train_with(2, run, folder / "deep")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def outcome(
    ranks: Ranks | None = None,
    settings: TrainingSettings = SETTINGS,
    build: Callable[[], nn.Module] = PLAIN,
    **of_task: object,
) -> tuple[dict[str, Tensor], list[tuple[int, float, float, float]]]:
    model, history = trained(settings, build, ranks=ranks, **of_task)
    return dict(model.state_dict()), learnt(history)


@pytest.mark.parametrize(("n_records", "unknown"), [(37, 0.0), (37, 0.4), (17, 0.0), (2, 0.0)])
def test_without_batch_normalisation_two_processes_compute_what_one_does(
    tmp_path: Path, n_records: int, unknown: float
) -> None:
    """37 records are batches of 7 and 8, of 3 and 4 per process; 2 records are one batch."""
    train = partial(outcome, train=examples(1, n_records, unknown), valid=examples(2, 20, unknown))
    weights, history = train()
    (first, its_history), (second, others_history) = by_two(tmp_path, train)
    assert its_history == others_history
    for ours, theirs in zip(history, its_history, strict=True):
        assert theirs == pytest.approx(ours, abs=1e-5)
    for name, tensor in weights.items():
        torch.testing.assert_close(first[name], tensor, atol=1e-5, rtol=0, msg=name)
        assert torch.equal(first[name], second[name])


def test_without_gradients_for_all_layers_it_goes_on(tmp_path: Path) -> None:
    """Filling in what was hidden uses neither neck nor head."""

    def masked() -> nn.Module:
        return MaskedPatches(tiny_model(plain=True), 12, 64, 6)

    (weights, history), _ = by_two(tmp_path, partial(outcome, build=masked, objective=OwnError()))
    assert [row[0] for row in history] == [1, 2, 3, 4]
    assert history[-1][2] < history[0][2]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_with_batch_normalisation_two_processes_learn_as_well(tmp_path: Path) -> None:
    train = partial(outcome, settings=LONGER, build=tiny_model, train=examples(1, 100), valid=examples(2, 100))
    _, history = train()
    (first, its_history), (second, others_history) = by_two(tmp_path, train)
    assert its_history == others_history
    best, by_two_best = (max(row[3] for row in rows) for rows in (history, its_history))
    assert by_two_best == pytest.approx(best, abs=0.02)
    assert best > 0.9
    for name, tensor in second.items():  # of statistics, which are of half a batch, the first one's are kept
        assert torch.equal(first[name], tensor) == (not name.endswith(("running_mean", "running_var"))), name


class Noting(nn.Module):
    """Notes the first number of each record's last lead, and draws random numbers as dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.model = tiny_model(plain=True)
        self.seen: list[list[int]] = []
        self.drawn: list[float] = []

    def forward(self, x: Tensor, _age_sex: Tensor | None = None) -> Tensor:
        if self.training:
            self.seen.append([round(value) for value in x[:, 11, 0].tolist()])
            self.drawn += torch.rand(len(x)).tolist()
        logits: Tensor = self.model(x)
        return logits


def seen_and_drawn(ranks: Ranks | None = None, crop_samples: int | None = None) -> tuple[list[list[int]], list[float]]:
    signals = TRAIN.signals.clone()
    signals[:, 11] = torch.arange(37, dtype=torch.int16)[:, None]
    model, _ = trained(
        SETTINGS, Noting, ranks=ranks, crop_samples=crop_samples, train=replace(TRAIN, signals=signals),
        normalize=lambda given: given.float(),
    )  # fmt: skip
    assert isinstance(model, Noting)
    return model.seen, model.drawn


@pytest.mark.parametrize("crop_samples", [None, 30])
def test_every_batch_is_shared_out_and_random_numbers_are_not_shared(tmp_path: Path, crop_samples: int | None) -> None:
    whole, _ = seen_and_drawn(crop_samples=crop_samples)
    (first, drawn), (second, drawn_by_other) = by_two(tmp_path, partial(seen_and_drawn, crop_samples=crop_samples))
    assert [len(batch) for batch in whole[:5]] == [8, 8, 7, 7, 7]
    assert len(first) == len(second) == 20
    for start in range(0, 20, 5):  # epochs
        together = [one + other for one, other in zip(first[start : start + 5], second[start : start + 5], strict=True)]
        assert sorted(record for batch in together for record in batch) == list(range(37))
        assert [len(batch) for batch in first[start : start + 5]] == [4, 4, 4, 4, 4]
        if start == 0:
            assert together == whole[:5]
    assert not set(drawn) & set(drawn_by_other)


def test_mistakes_of_the_user_are_left_to_the_caller(tmp_path: Path) -> None:
    def train(ranks: Ranks, _device: torch.device) -> None:
        raise InputError("learning_rate: lower it")

    train_with(2, train, tmp_path)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        train_with(2, lambda *_: 1 / 0, tmp_path)  # a traceback: no mistake of the user


def test_attempts_do_not_meet(tmp_path: Path) -> None:
    """A job that was killed leaves the file by which its processes were to find one another."""
    for _ in range(2):
        assert by_two(tmp_path, lambda ranks: ranks.total(torch.tensor(ranks.rank + 1)).item()) == [3, 3]


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    def train(ranks: Ranks, _device: torch.device) -> None:
        note_process(tmp_path / "noted")
        if ranks.rank == 0:
            time.sleep(100)
        ranks.total(torch.zeros(1))  # waits for the first

    (tmp_path / "noted").mkdir()
    job = started(train_with, 2, train, tmp_path)
    wait_for(lambda: len(noted_processes(tmp_path / "noted")) == 2)
    processes = noted_processes(tmp_path / "noted")
    assert os.getpid() not in processes and alive(processes) == processes
    kill(job)
    wait_for(lambda: not alive(processes))
