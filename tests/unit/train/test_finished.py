"""Finished trainings: none runs twice, whatever study asks for it, and results are those of a fresh run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_cell import SETTINGS, asked_for, assert_same_predictions
from tiny_corpus import CorpusFiles
from tiny_model import PLAIN, tiny_models  # noqa: F401 (a fixture)
from tiny_pretraining import asked_for as pretraining_asked_for
from tiny_task import bytes_of

from ecgtransfer.train import loop
from ecgtransfer.train.cells import CellResult, train_cell
from ecgtransfer.train.corpus import Corpus
from ecgtransfer.train.finished import FinishedTrainings
from ecgtransfer.train.pretraining import Pretrained, pretrain
from ecgtransfer.train.state import remove_state

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")

MEASURED = {"wall_seconds", "device_seconds", "samples_per_second", "fraction_of_peak", "peak_flops",
            "peak_memory_bytes", "energy_joules"}  # fmt: skip
EPOCHS = SETTINGS.epochs
KEY = "ab" + 62 * "0"


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one with each epoch that is trained in this process."""
    trained: list[int] = []
    train_one_epoch = loop.train_one_epoch

    def counting(*given: Any) -> float:
        trained.append(1)
        return train_one_epoch(*given)

    monkeypatch.setattr(loop, "train_one_epoch", counting)
    return trained


def run_cell(corpus: Corpus, folder: Path, method: str | None = None, weights: Any = None, **others: Any) -> CellResult:
    """Train a cell whose finished replicates are kept in a folder."""
    asked, unfinished = asked_for(method, weights, **others), folder / "unfinished"
    result = train_cell(asked, corpus, unfinished, 1, FinishedTrainings(folder / "finished"))
    remove_state(unfinished)
    return result


def run_pretraining(corpus: Corpus, folder: Path, task: str = "labels", **others: Any) -> Pretrained:
    asked, unfinished = pretraining_asked_for(task, **others), folder / "unfinished"
    result = pretrain(asked, corpus, unfinished, 1, FinishedTrainings(folder / "finished"))
    remove_state(unfinished)
    return result


@pytest.mark.parametrize("method", [None, "finetune", "probe", "svm"])
def test_more_replicates_train_what_is_missing_and_give_what_a_fresh_run_gives(
    target: CorpusFiles, weights: Path, tmp_path: Path, epochs: list[int], method: str | None
) -> None:
    corpus, start = target.open(), weights if method else None
    by_gradients = method != "svm"
    few = run_cell(corpus, tmp_path, method, start, replicates=1)
    epochs.clear()
    many = run_cell(corpus, tmp_path, method, start, replicates=3)
    assert len(epochs) == 2 * EPOCHS * by_gradients
    epochs.clear()
    again = run_cell(corpus, tmp_path, method, start, replicates=1)
    assert not epochs
    fresh = run_cell(corpus, tmp_path / "fresh", method, start, replicates=3)
    assert_same_predictions(many, fresh)
    assert_same_predictions(again, few)
    assert {**many.metadata, **dict.fromkeys(MEASURED)} == {**fresh.metadata, **dict.fromkeys(MEASURED)}
    measured = ["seconds", "device_seconds", "joules"]
    pd.testing.assert_frame_equal(many.history.drop(columns=measured), fresh.history.drop(columns=measured))
    pd.testing.assert_frame_equal(many.history.query("replicate == 0"), few.history)  # with its seconds
    assert many.metadata["wall_seconds"] == pytest.approx(many.history["seconds"].sum(), abs=1e-3)
    assert many.metadata["peak_memory_bytes"] >= (few.metadata["peak_memory_bytes"] or 0)


def test_a_replicate_is_kept_by_all_that_decides_it_and_by_nothing_else(
    target: CorpusFiles, weights: Path, tmp_path: Path, epochs: list[int]
) -> None:
    corpus = target.open()

    def trained(corpus: Corpus = corpus, **others: Any) -> int:
        epochs.clear()
        run_cell(corpus, tmp_path, **{"method": "finetune", "weights": weights, "fraction": 1.0, **others})
        return len(epochs)

    def with_label_flipped(role: str) -> Corpus:
        record = corpus.in_role(role)["record_id"].iloc[0]
        labels = corpus.labels.copy()
        labels.loc[record, "tall"] = 1 - labels.loc[record, "tall"]
        return replace(corpus, labels=labels)

    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((weights / "tiny.safetensors").read_bytes())
    assert trained() == 2 * EPOCHS
    splits = corpus.splits.assign(**{f"rank_{number}": corpus.splits[f"rank_{number}"] / 2 for number in range(3)})
    same: list[dict[str, Any]] = [
        {"weights": moved}, {"validation": "full"}, {"corpus": with_label_flipped("test")},
        {"corpus": replace(corpus, splits=splits), "fraction": 0.5},  # the same patients
    ]  # fmt: skip
    for others in same:
        assert trained(**others) == 0, others
    test_record = corpus.in_role("test")["record_id"].iloc[0]
    other: list[dict[str, Any]] = [
        {"code": "ab13"}, {"seed": 8}, {"model": PLAIN}, {"method": None, "weights": None}, {"fraction": 0.6},
        {"settings": SETTINGS.model_copy(update={"weight_decay": 0.02})}, {"deterministic": False},
        {"corpus": with_label_flipped("train")}, {"corpus": with_label_flipped("valid")},
        {"corpus": replace(corpus, splits=corpus.splits[corpus.splits["record_id"] != test_record])},
        {"corpus": replace(corpus, sampling_rate_hz=corpus.sampling_rate_hz + 1)},
    ]  # fmt: skip
    for others in other:
        assert trained(**others) == 2 * EPOCHS, others
    assert trained() == 0


@pytest.mark.parametrize("task", ["labels", "age", "masked"])
def test_another_study_takes_the_pretraining_of_the_first(
    target: CorpusFiles, tmp_path: Path, epochs: list[int], task: str
) -> None:
    corpus = target.open(task)
    first = run_pretraining(corpus, tmp_path, task)
    n_epochs = len(epochs)
    assert n_epochs == len(first.history)
    second = run_pretraining(corpus, tmp_path, task)
    assert len(epochs) == n_epochs
    assert bytes_of(second.model) == bytes_of(first.model)
    pd.testing.assert_frame_equal(second.history, first.history)
    assert {**second.metadata, **dict.fromkeys(MEASURED)} == {**first.metadata, **dict.fromkeys(MEASURED)}
    for others in ({"seed": 8}, {"code": "ab13"}, {"model": PLAIN}):
        run_pretraining(corpus, tmp_path, task, **others)
        assert len(epochs) == 2 * n_epochs, others
        del epochs[n_epochs:]


def test_what_is_damaged_is_found_and_trained_again(target: CorpusFiles, tmp_path: Path, epochs: list[int]) -> None:
    corpus, finished = target.open(), FinishedTrainings(tmp_path / "finished")
    whole = run_cell(corpus, tmp_path)
    paths = sorted((tmp_path / "finished").rglob("*.safetensors"))
    assert len(paths) == 2 and not list(finished.damaged())
    for path, content in {path: path.read_bytes() for path in paths}.items():
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b"", content.replace(b"1", b"2", 1)):
            path.write_bytes(damaged)
            assert list(finished.damaged()) == [path]
        epochs.clear()
        assert_same_predictions(run_cell(corpus, tmp_path), whole)
        assert len(epochs) == EPOCHS
        path.unlink()


def test_what_is_kept_is_what_was_given(tmp_path: Path) -> None:
    finished = FinishedTrainings(tmp_path)
    arrays = {"b": np.array(3), "a": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    metadata = {"history": [{"loss": float("nan"), "seconds": 0.1}], "name": "ä"}
    assert finished.load(KEY) is None
    finished.keep(KEY, arrays, metadata)
    found = finished.load(KEY)
    assert found is not None and repr(found[1]) == repr(metadata)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[0][name], array)
        assert found[0][name].dtype == array.dtype
    assert finished.load("ab" + 62 * "1") is None
    FinishedTrainings().keep(KEY, arrays, metadata)
    assert FinishedTrainings().load(KEY) is None
