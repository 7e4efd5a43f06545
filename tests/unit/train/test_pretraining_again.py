"""Pre-training again: by other threads and processes, from a state, into files, on a GPU."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny_cell import GRU, RESNET, Model
from tiny_corpus import CorpusFiles, write_corpus
from tiny_model import PLAIN, tiny_models  # noqa: F401 (a fixture)
from tiny_pretraining import LEARNT, SETTINGS, asked_for, run
from tiny_task import bytes_of

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.signal_file import SignalFile
from ecgtransfer.train import loop, pretraining
from ecgtransfer.train.corpus import Corpus
from ecgtransfer.train.pretraining import run_pretraining

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("source"), ("fast", "tall", "other"), n_patients=48, array_sizes=(50,))


@pytest.mark.parametrize("model", [RESNET, GRU], ids=lambda model: model[0])
def test_same_bytes_however_many_threads_there_are(files: CorpusFiles, model: Model) -> None:
    corpus, settings = files.open(), SETTINGS.model_copy(update={"epochs": 1, "batch_size": 32})
    found = []
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        found.append(bytes_of(run(corpus, model=model, settings=settings).model))
    assert found[0] == found[1] == found[2]


def test_two_processes_leave_what_one_does(files: CorpusFiles) -> None:
    corpus = files.open()
    alone, together = run(corpus, model=PLAIN), run(corpus, model=PLAIN, n_processes=2)
    for name, tensor in alone.model.state_dict().items():
        torch.testing.assert_close(together.model.state_dict()[name], tensor, atol=1e-5, rtol=0, msg=name)
    np.testing.assert_allclose(together.history[LEARNT], alone.history[LEARNT], atol=1e-5)
    assert together.metadata["processes"] == 2
    measured = {"processes", "wall_seconds", "device_seconds", "samples_per_second", "fraction_of_peak",
                "peak_memory_bytes", "energy_joules"}  # fmt: skip
    assert alone.metadata.keys() == together.metadata.keys()
    for name in alone.metadata.keys() - measured:
        assert alone.metadata[name] == together.metadata[name], name
    again = run(corpus, model=PLAIN, n_processes=2)
    assert bytes_of(again.model) == bytes_of(together.model)


def test_no_more_processes_than_have_two_records_of_every_batch(files: CorpusFiles) -> None:
    """Batch normalisation of features cannot compare a record with itself."""
    corpus, settings = files.open(), SETTINGS.model_copy(update={"epochs": 1, "batch_size": 3})
    few = run(corpus, settings=settings, n_processes=2)
    assert few.metadata["processes"] == 1
    assert bytes_of(few.model) == bytes_of(run(corpus, settings=settings).model)
    assert run(corpus, settings=settings.model_copy(update={"batch_size": 5}), n_processes=3).metadata["processes"] == 2


@pytest.mark.parametrize("n_processes", [1, 2])
def test_training_that_diverges_is_one_clear_line(files: CorpusFiles, n_processes: int) -> None:
    with pytest.raises(InputError, match=r"^learning_rate: training diverged at 1e\+30, .*lower it$"):
        run(
            files.open(),
            model=PLAIN,
            settings=SETTINGS.model_copy(update={"learning_rate": 1e30}),
            n_processes=n_processes,
        )


def changed_sample(corpus: Corpus, record_id: str, folder: Path) -> Corpus:
    """Return a corpus in which one sample of one record is another, its files in a folder."""
    arrays = [np.load(file.path) for file in corpus.signals]
    row = corpus.labels.index.get_loc(record_id)
    array, row = (arrays[0], row) if row < len(arrays[0]) else (arrays[1], row - len(arrays[0]))
    array[row, 3, 5] += 1
    for number, array in enumerate(arrays):
        np.save(folder / f"{record_id}.{number}.npy", array)
    files = [SignalFile(folder / f"{record_id}.{number}.npy") for number in range(len(arrays))]
    return replace(corpus, signals=tuple(files))


def test_state_serves_the_same_training_alone(
    files: CorpusFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    train_one_epoch = loop.train_one_epoch

    def counting(*given: Any) -> float:
        epochs.append(1)
        return train_one_epoch(*given)

    monkeypatch.setattr(loop, "train_one_epoch", counting)
    corpus = files.open(age_sex=True)
    model = ("tiny", {"age_sex": True})

    def epochs_of(corpus: Corpus = corpus, **others: Any) -> int:
        run(corpus, model=others.pop("model", model), folder=tmp_path / "state", **others)
        done = len(epochs)
        epochs.clear()
        return done

    assert epochs_of() == 3
    assert epochs_of() == 0
    train, valid = (corpus.labels.loc[part["record_id"]] for part in (corpus.in_role("test"), corpus.in_role("valid")))
    flipped = corpus.labels.copy()
    flipped.loc[valid.index[0], "tall"] = 1 - flipped.loc[valid.index[0], "tall"]
    assert corpus.age_sex is not None
    others: list[dict[str, Any]] = [
        {"code": "ab13"}, {"seed": 8}, {"deterministic": False}, {"model": ("plain", {"age_sex": True})},
        {"settings": SETTINGS.model_copy(update={"weight_decay": 0.02})},
        {"corpus": replace(corpus, labels=flipped)},
        {"corpus": changed_sample(corpus, train.index[0], tmp_path)},
        {"corpus": changed_sample(corpus, valid.index[0], tmp_path)},
        {"corpus": replace(corpus, age_sex=corpus.age_sex + 1)},
        {"corpus": corpus.without_patients_of([train.index[0]])},
    ]  # fmt: skip
    for other in others:
        assert epochs_of(**other) == 3, other
        assert epochs_of(**other) == 0, other
    assert epochs_of() == 3


@pytest.mark.parametrize("task", ["labels", "masked"])
def test_files_are_written_and_no_state_is_left(files: CorpusFiles, tmp_path: Path, task: str) -> None:
    corpus, unfinished = files.open(task), tmp_path / "unfinished"
    expected = run(corpus, task)
    paths = [tmp_path / name for name in ("weights.safetensors", "history.csv", "run.json")]
    run_pretraining(asked_for(task), corpus, {"source": "here"}, unfinished, tmp_path / "finished", 0, *paths)
    assert not unfinished.exists()
    metadata = json.loads(paths[2].read_text())
    assert list(metadata)[:2] == ["source", "task"] and metadata["source"] == "here"
    assert metadata["best_epoch"] == expected.metadata["best_epoch"] and metadata["processes"] == 1
    assert pd.read_csv(paths[1])["epoch"].tolist() == [1, 2, 3]
    tensors = load_file(paths[0])
    weights = expected.model.state_dict()
    assert set(tensors) == {name for name in weights if task == "labels" or name.startswith("stages.")}
    for name, tensor in tensors.items():
        assert torch.equal(tensor, weights[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_gives_what_the_cpu_gives(files: CorpusFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SETTINGS.model_copy(update={"precision": "float32"})
    on_gpu = run(files.open(), model=PLAIN, settings=settings)
    monkeypatch.setattr(pretraining, "training_device", lambda: torch.device("cpu"))
    on_cpu = run(files.open(), model=PLAIN, settings=settings)
    assert on_gpu.metadata["device"] != on_cpu.metadata["device"]
    np.testing.assert_allclose(on_gpu.history[LEARNT], on_cpu.history[LEARNT], atol=0.01)
