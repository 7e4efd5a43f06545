"""Trainings that are killed again and again: they end with the bytes of undisturbed ones."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from processes import alive, kill, note_process, noted_processes, started, wait_for
from tiny_corpus import CorpusFiles, write_corpus
from tiny_model import TINY, tiny_models  # noqa: F401 (a fixture)
from torch import Tensor

from ecgtransfer.files import write_csv
from ecgtransfer.train import loop
from ecgtransfer.train.cells import CellTraining, train_cell, write_cell
from ecgtransfer.train.pretraining import Pretraining, pretrain
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import remove_state
from ecgtransfer.train.weights import save_weights

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")

N_KILLS = 10
EPOCHS = 60
SETTINGS = TrainingSettings(
    epochs=EPOCHS, min_steps=0, patience=EPOCHS, batch_size=8, learning_rate=0.003, weight_decay=0.01,
    schedule="one-cycle", crop_s=1.5,
)  # fmt: skip
LEARNT = ["epoch", "train_loss", "valid_loss", "valid_macro_auroc"]

Job = Callable[[CorpusFiles, Path, Path], None]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    """Write the corpus, and train on it, so that all that a training imports is there before a process is forked."""
    files, folder = write_corpus(tmp_path_factory.mktemp("corpus"), n_patients=45), tmp_path_factory.mktemp("warm-up")
    pretraining("labels", 1)(files, folder, folder / "unfinished")
    assert pd.read_csv(folder / "history.csv")["valid_macro_auroc"].max() > 0.8  # else equal bytes would say little
    return files


def pretraining(task: str, n_processes: int, settings: TrainingSettings = SETTINGS) -> Job:
    """Return what rule `pretrain` does."""

    def job(files: CorpusFiles, outputs: Path, unfinished: Path) -> None:
        corpus = files.open(task)
        plan = Pretraining(
            task=task, model=TINY[0], options=TINY[1], settings=settings, seed=3, deterministic=True, code="ab12"
        )
        result = pretrain(plan, corpus, unfinished, n_processes)
        save_weights(result.model, plan.model, corpus.label_names, outputs / "weights.safetensors")
        write_csv(result.history, outputs / "history.csv")

    return job


def cell(files: CorpusFiles, outputs: Path, unfinished: Path) -> None:
    """Do what rule `finetune` does, with two replicates at a time."""
    weights = outputs.parent / "source.safetensors"
    training = CellTraining(
        model=TINY[0], options=TINY[1], fraction=1.0, replicates=3, seed=3, validation="budget",
        settings=SETTINGS.model_copy(update={"epochs": EPOCHS // 2}),
        method="gradual", method_settings={"epochs_per_group": 8}, weights=[weights], deterministic=True, code="ab12",
    )  # fmt: skip
    result = train_cell(training, files.open(), unfinished, n_processes=2)
    write_cell(result, *(outputs / name for name in ("predictions.npz", "history.csv", "run.json")))


def run(job: Job, files: CorpusFiles, outputs: Path, unfinished: Path, processes: Path) -> None:
    """Be one attempt of a job, noting it and all processes that train for it."""
    train_one_epoch = loop.train_one_epoch

    def noting(*given: Tensor) -> float:
        note_process(processes)
        return train_one_epoch(*given)

    loop.train_one_epoch = noting  # in this process and those that it starts
    torch.rand(int(time.time()) % 7)  # as random as any process
    job(files, outputs, unfinished)


def times_of(unfinished: Path) -> dict[str, int]:
    """Return when each state was written."""
    return {path.name: path.stat().st_mtime_ns for path in unfinished.glob("*.safetensors") if path.exists()}


@pytest.mark.parametrize(
    ("job", "seed"),
    [
        pytest.param(pretraining("labels", 1), 1, id="pretrain"),
        pytest.param(
            pretraining("masked", 1, SETTINGS.model_copy(update={"optimizer": "adam"})), 2, id="pretrain-masked"
        ),
        pytest.param(
            pretraining("labels", 2, SETTINGS.model_copy(update={"epochs": 30})), 3, id="pretrain-two-processes"
        ),
        pytest.param(cell, 4, id="cell-two-at-a-time"),
        pytest.param(pretraining("labels", 1, SETTINGS.model_copy(update={"choose_by": "ema"})), 5, id="pretrain-ema"),
    ],
)
def test_killed_ten_times_in_a_row_it_ends_with_the_same_bytes(
    files: CorpusFiles, tmp_path: Path, job: Job, seed: int
) -> None:
    """At random moments, counted from the start and from when a state was written, so that every attempt gets on."""
    torch.manual_seed(0)
    save_weights(build_model("tiny", 12, 48, 3), "tiny", ["a", "b", "c"], tmp_path / "source.safetensors")
    processes = tmp_path / "processes"
    processes.mkdir()
    undisturbed, outputs, unfinished = tmp_path / "undisturbed", tmp_path / "outputs", tmp_path / "unfinished"
    reference = started(run, job, files, undisturbed, tmp_path / "of-the-undisturbed", processes)

    moments = random.Random(seed)
    n_kills, n_with_state = 0, 0
    while n_kills < N_KILLS:
        attempt = started(run, job, files, outputs, unfinished, processes)
        before, n_states = times_of(unfinished), moments.choice([0, 1, 1, 2])
        for _ in range(n_states):
            wait_for(lambda before=before: times_of(unfinished) != before or not attempt.is_alive())  # noqa: B023
            before = times_of(unfinished)
        time.sleep(moments.uniform(0, 0.03 if n_states else 0.3))
        if attempt.is_alive():
            kill(attempt)
            n_kills += 1
            n_with_state += bool(times_of(unfinished))
        else:  # it was too quick: once more from the start
            remove_state(unfinished)
    assert n_with_state > N_KILLS // 2

    last = started(run, job, files, outputs, unfinished, processes)
    last.join()
    reference.join()
    assert last.exitcode == reference.exitcode == 0
    for path in undisturbed.iterdir():
        if path.suffix in (".safetensors", ".npz"):
            assert (outputs / path.name).read_bytes() == path.read_bytes(), path.name
    expected, history = (pd.read_csv(folder / "history.csv") for folder in (undisturbed, outputs))
    pd.testing.assert_frame_equal(history[LEARNT], expected[LEARNT], check_exact=True)
    assert len(history) >= 30
    wait_for(lambda: not alive(noted_processes(processes)))  # nor is any left behind
    remove_state(unfinished)
    assert not unfinished.exists()
