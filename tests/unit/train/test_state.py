"""Trainings that are interrupted: what is kept, for whom, and that nothing of the result changes."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tiny_model import tiny_model
from tiny_task import NORMALIZE, SETTINGS, TASK, VALID, bytes_of, learnt, trained
from torch import Tensor, nn

from ecgtransfer.layer_groups import TrainingPlan
from ecgtransfer.methods import method_of
from ecgtransfer.train import state
from ecgtransfer.train.loop import predict
from ecgtransfer.train.objectives import MaskedPatches, OwnError
from ecgtransfer.train.state import (
    UnfinishedTraining,
    random_state,
    remove_state,
    restore_random_state,
    training_key,
)

torch.set_num_threads(1)

TENSORS = {
    "a": torch.arange(6.0).view(2, 3).t(),
    "b": torch.tensor(7),
    "c": torch.empty(0, 3),
    "d": torch.tensor([True, False]),
}
METADATA = {"history": [{"epoch": 1, "loss": 0.1 + 0.2, "score": math.nan, "joules": None}]}


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state after every epoch, however short."""
    monkeypatch.setattr(state, "_SHARE_OF_TIME", math.inf)


def test_what_is_loaded_is_what_was_saved_last(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    assert UnfinishedTraining(path, "key").load() is None
    UnfinishedTraining(path, "key").save({}, {"history": []})
    UnfinishedTraining(path, "key").save(TENSORS, METADATA)
    loaded = UnfinishedTraining(path, "key").load()
    assert loaded is not None
    tensors, metadata = loaded
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype and torch.equal(tensors[name], tensor)
    assert repr(metadata) == repr(METADATA)  # NaN included
    assert [file.name for file in path.parent.iterdir()] == ["state"]
    with safe_open(path, framework="np") as file:  # tensors and text, no Python objects
        assert set(file.keys()) == set(TENSORS)
    remove_state(path.parent)
    remove_state(path.parent)
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_nothing_is_kept() -> None:
    nowhere = UnfinishedTraining(None)
    nowhere.save(TENSORS, METADATA, last=True)
    assert nowhere.load() is None


def test_state_of_another_training_is_not_used(tmp_path: Path) -> None:
    UnfinishedTraining(tmp_path / "state", "key").save(TENSORS, METADATA)
    for key in ("other", ""):
        assert UnfinishedTraining(tmp_path / "state", key).load() is None


def test_damaged_files_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "state"
    UnfinishedTraining(path, "key").save(TENSORS, METADATA)
    whole = path.read_bytes()
    foreign = b'{"__metadata__":{"ecgtransfer":"}"}}'
    broken = [whole[:n] for n in range(0, len(whole), 7)]
    broken += [whole + b"x", b"\0" * 100, bytes(range(256)) * 9, len(foreign).to_bytes(8, "little") + foreign]
    for content in broken:
        path.write_bytes(content)
        assert UnfinishedTraining(path, "key").load() is None
    path.unlink()
    path.mkdir()
    assert UnfinishedTraining(path, "key").load() is None


def test_saving_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0

    def slow(*_: Any, **__: Any) -> None:
        nonlocal now
        now += 3.0  # s per save

    monkeypatch.setattr(state.time, "monotonic", lambda: now)
    save_file = state.save_file
    monkeypatch.setattr(state, "save_file", lambda *given, **named: (save_file(*given, **named), slow()))
    unfinished = UnfinishedTraining(tmp_path / "state", "key")
    kept = []
    for number in range(100):  # epochs of 10 s
        now += 10.0
        unfinished.save(TENSORS, {"number": number}, last=number == 98)
        loaded = unfinished.load()
        assert loaded is not None
        if loaded[1]["number"] == number:
            kept.append(number)
    assert kept == [0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 96, 98]


def test_every_part_of_a_training_changes_its_key() -> None:
    metadata, tensors = {"rate": 0.1, "code": "ab"}, {"x": np.arange(4), "y": torch.zeros(2, 3)}
    others = [
        ({**metadata, "rate": 0.2}, tensors),
        ({**metadata, "code": "ac"}, tensors),
        ({**metadata, "more": None}, tensors),
        (metadata, {**tensors, "x": np.array([0, 1, 2, 4])}),
        (metadata, {**tensors, "x": np.arange(4, dtype=np.int32)}),
        (metadata, {**tensors, "y": torch.zeros(3, 2)}),
        (metadata, {**tensors, "y": torch.zeros(2, 3) + torch.nan}),
        (metadata, {"x": tensors["x"], "z": tensors["y"]}),
        (metadata, {"x": tensors["x"]}),
        (metadata, {**tensors, "ids": np.array(["r1", "r2"])}),
        (metadata, {**tensors, "ids": np.array(["r1", "r3"])}),
    ]
    keys = [training_key(*other) for other in [(metadata, tensors), *others]]
    assert len(set(keys)) == len(keys)
    same = training_key(dict(reversed(metadata.items())), {"y": np.zeros((2, 3), np.float32), "x": torch.arange(4)})
    assert same == keys[0]
    assert training_key({}, {"t": torch.arange(6).view(2, 3).t()}) == training_key(
        {}, {"t": np.arange(6).reshape(2, 3).T}
    )


def test_random_numbers_go_on() -> None:
    torch.manual_seed(3)
    kept = random_state()
    first = torch.rand(5)
    restore_random_state(kept)
    assert torch.equal(torch.rand(5), first)


class Killed(Exception):
    """Stands for a kill."""


class Interrupted(UnfinishedTraining):
    """Is interrupted right after it has kept the state of an epoch."""

    def __init__(self, path: Path, after: int) -> None:
        super().__init__(path, "key")
        self.after = after

    def save(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], last: bool = False) -> None:
        super().save(tensors, metadata, last)
        if len(metadata["history"]) == self.after:
            raise Killed


def masked_model() -> nn.Module:
    return MaskedPatches(tiny_model(), 12, 64, 6)


Training = Callable[..., tuple[nn.Module, Any]]
PLANS: dict[str, TrainingPlan] = {
    name: method_of(method).plan(tiny_model())
    for name, method in {"gradual": "gradual", "lower": "discriminative", "partial": "partial:1"}.items()
}
TRAININGS: dict[str, Training] = {
    "adamw": trained,
    "adam": partial(trained, SETTINGS.model_copy(update={"optimizer": "adam", "schedule": "cosine"})),
    "one-cycle": partial(trained, SETTINGS.model_copy(update={"schedule": "one-cycle"})),
    "early-stop": partial(trained, SETTINGS.model_copy(update={"epochs": 30, "patience": 1, "learning_rate": 0.05})),
    "more-epochs": partial(trained, SETTINGS.model_copy(update={"epochs": 2, "min_steps": 23, "patience": 2})),
    "gradual": partial(trained, plan=PLANS["gradual"]),
    "discriminative": partial(trained, plan=PLANS["lower"]),
    "partial": partial(trained, plan=PLANS["partial"]),
    "crops": partial(trained, crop_samples=30),
    "balanced": partial(trained, SETTINGS.model_copy(update={"balance_datasets": True})),
    "masked": partial(trained, build=masked_model, objective=OwnError()),
}


def noted_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which every epoch adds itself as it begins."""
    epochs: list[int] = []
    start_epoch = TrainingPlan.start_epoch

    def noting(plan: TrainingPlan, model: nn.Module, epoch: int) -> None:
        epochs.append(epoch)
        start_epoch(plan, model, epoch)

    monkeypatch.setattr(TrainingPlan, "start_epoch", noting)
    return epochs


@pytest.mark.parametrize("kind", TRAININGS)
def test_interrupted_after_every_epoch_it_ends_with_the_same_bytes(
    every_epoch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    train = TRAININGS[kind]
    model, history = train()
    assert len(history) >= 3
    epochs = noted_epochs(monkeypatch)
    for after in range(1, len(history) + 1):
        with pytest.raises(Killed):
            train(state=Interrupted(tmp_path / "state", after))
        torch.rand(after)  # the next attempt begins in another process
    again, resumed = train(state=UnfinishedTraining(tmp_path / "state", "key"))
    assert bytes_of(again) == bytes_of(model)
    assert learnt(resumed) == learnt(history)
    assert epochs == [row.epoch for row in history]  # none was trained twice
    crop_samples = 30 if kind == "crops" else None
    outputs = [predict(one, VALID, NORMALIZE, crop_samples).numpy().tobytes() for one in (model, again)]
    assert outputs[0] == outputs[1]


def test_interrupted_within_an_epoch_it_ends_with_the_same_bytes(every_epoch: None, tmp_path: Path) -> None:
    model, history = trained()
    calls = 0

    def failing(*given: Any) -> Tensor:
        nonlocal calls
        calls += 1
        if calls in (2, 9, 18):  # steps of the first, of the next, and of a later epoch
            raise Killed
        return TASK.normalize(*given)

    for _ in range(3):
        with pytest.raises(Killed):
            trained(state=UnfinishedTraining(tmp_path / "state", "key"), normalize=failing)
    again, resumed = trained(state=UnfinishedTraining(tmp_path / "state", "key"))
    assert bytes_of(again) == bytes_of(model)
    assert learnt(resumed) == learnt(history)


def test_training_that_has_ended_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, history = trained(state=UnfinishedTraining(tmp_path / "state", "key"))
    epochs = noted_epochs(monkeypatch)
    again, same = trained(state=UnfinishedTraining(tmp_path / "state", "key"))
    assert bytes_of(again) == bytes_of(model)
    assert same == history  # what it cost included
    assert epochs == []


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 50])
def test_without_a_usable_state_it_starts_afresh(every_epoch: None, tmp_path: Path, content: bytes | None) -> None:
    model, history = trained()
    path = tmp_path / "state"
    if content is None:  # of another training
        with pytest.raises(Killed):
            trained(SETTINGS.model_copy(update={"learning_rate": 0.5}), state=Interrupted(path, 2))
    else:
        path.write_bytes(content)
    again, anew = trained(state=UnfinishedTraining(path, "of this one"))
    assert bytes_of(again) == bytes_of(model)
    assert learnt(anew) == learnt(history)


def test_state_after_the_end_is_small(every_epoch: None, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(state=Interrupted(tmp_path / "state", 2))
    during = (tmp_path / "state").stat().st_size
    trained(state=UnfinishedTraining(tmp_path / "state", "key"))
    assert (tmp_path / "state").stat().st_size < during / 2
