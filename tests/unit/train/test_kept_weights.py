"""Which weights a training keeps: of the best epoch, of the last one, averages, or by cross-validation."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_cell import SETTINGS as OF_CELLS
from tiny_cell import assert_same_predictions, cell
from tiny_corpus import CorpusFiles, write_corpus
from tiny_model import tiny_models  # noqa: F401 (a fixture)
from tiny_task import SETTINGS, bytes_of, trained
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.train import cross_validation
from ecgtransfer.train.loop import Epoch, Task
from ecgtransfer.train.settings import TrainingSettings

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")


def settings_with(**others: Any) -> TrainingSettings:
    return SETTINGS.model_copy(update=others)


def weights_after(n_epochs: int, **others: Any) -> dict[str, Tensor]:
    model, _ = trained(settings_with(epochs=n_epochs, choose_by="last", **others))
    return {name: tensor.double() for name, tensor in model.state_dict().items()}


def assert_close(model: nn.Module, expected: dict[str, Tensor]) -> None:
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor.double(), expected[name], atol=1e-6, rtol=1e-5, msg=name)


def test_last_keeps_the_last_of_all_epochs() -> None:
    model, history = trained(settings_with(epochs=6, patience=1, choose_by="last"))
    assert [row.epoch for row in history] == [1, 2, 3, 4, 5, 6]
    assert_close(model, weights_after(6))
    assert bytes_of(model) != bytes_of(trained(settings_with(epochs=5, choose_by="last"))[0])


def test_loss_keeps_the_epoch_with_the_lowest_loss() -> None:
    settings = settings_with(epochs=12, patience=12, learning_rate=0.1, choose_by="loss")
    model, history = trained(settings)
    best = min(history, key=lambda row: row.valid_loss).epoch
    assert 1 < best < 12
    assert_close(model, weights_after(best, learning_rate=0.1))


@pytest.mark.parametrize("n_epochs", [6, 7])
def test_swa_is_the_mean_over_the_second_half_of_the_epochs(n_epochs: int) -> None:
    model, history = trained(settings_with(epochs=n_epochs, patience=1, choose_by="swa"))
    assert len(history) == n_epochs
    averaged = [weights_after(number) for number in range(n_epochs // 2 + 1, n_epochs + 1)]
    expected = {name: torch.stack([each[name] for each in averaged]).mean(dim=0) for name in averaged[0]}
    counters = {name: tensor for name, tensor in averaged[-1].items() if name.endswith("num_batches_tracked")}
    assert_close(model, expected | counters)


def test_ema_forgets_what_is_longer_ago_than_a_tenth_of_the_steps() -> None:
    one_step_per_epoch = {"batch_size": 64, "learning_rate": 0.003}
    model, _ = trained(settings_with(epochs=40, choose_by="ema", **one_step_per_epoch))
    states = [weights_after(number, **one_step_per_epoch) for number in range(1, 41)]
    # The first four count alike, then each new one is a quarter.
    shares = np.array([0.25] * 4)
    for _ in range(36):
        shares = np.append(0.75 * shares, 0.25)
    assert shares.sum() == pytest.approx(1)
    expected = {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True)) for name in states[0]
    }
    counters = {name: tensor for name, tensor in states[-1].items() if name.endswith("num_batches_tracked")}
    assert_close(model, expected | counters)


@pytest.mark.parametrize("choose_by", ["last", "ema", "swa", "cross_validation"])
@pytest.mark.parametrize("method", ["finetune", "probe"])
def test_layers_that_are_frozen_stay_as_they_were(
    target: CorpusFiles, weights: Path, choose_by: str, method: str
) -> None:
    settings = OF_CELLS.model_copy(update={"epochs": 3, "choose_by": choose_by})
    result = cell(target, method, weights, settings=settings, replicates=1)
    assert result.metadata["replicates"][0]["best_epoch"] == len(result.history)
    if choose_by != "cross_validation":
        assert len(result.history) == 3
    again = cell(target, method, weights, settings=settings, replicates=1)
    assert_same_predictions(result, again)


@pytest.mark.parametrize("method", [None, "probe", "gradual"])
def test_cross_validation_trains_as_long_as_is_best_over_folds_of_patients(
    target: CorpusFiles, weights: Path, monkeypatch: pytest.MonkeyPatch, method: str | None
) -> None:
    folds: list[tuple[Task, list[Epoch]]] = []
    fit = cross_validation.fit

    def noting(model: nn.Module, task: Task, *others: Any) -> list[Epoch]:
        folds.append((task, fit(model, task, *others)))
        return folds[-1][1]

    monkeypatch.setattr(cross_validation, "fit", noting)
    settings = OF_CELLS.model_copy(update={"epochs": 8, "learning_rate": 0.01, "choose_by": "cross_validation"})
    start = weights if method else None
    result = cell(target, method, start, settings=settings, replicates=1, fraction=1.0)
    corpus = target.open()
    patient_of = corpus.splits.set_index("record_id")["patient_id"]
    seen = set(corpus.outside_role("test")["record_id"])
    assert len(folds) == 3
    assert sorted(record for task, _ in folds for record in task.valid.record_id) == sorted(seen)
    for task, history in folds:
        assert set(task.train.record_id) | set(task.valid.record_id) == seen
        assert not set(patient_of[task.train.record_id.tolist()]) & set(patient_of[task.valid.record_id.tolist()])
        assert len(history) == 8
    scores = pd.DataFrame([[row.valid_macro_auroc for row in history] for _, history in folds]).mean().round(9)
    losses = pd.DataFrame([[row.valid_loss for row in history] for _, history in folds]).mean()
    best = 1 + pd.DataFrame({"score": -scores, "loss": losses}).sort_values(["score", "loss"]).index[0]
    assert len(result.history) == best
    if method != "gradual":  # whose layers join by the number of the epoch, as here
        shorter = settings.model_copy(update={"epochs": best, "choose_by": "last"})
        assert_same_predictions(result, cell(target, method, start, settings=shorter, replicates=1, fraction=1.0))
    paid = sum(row.seconds for _, history in folds for row in history) + result.history["seconds"].sum()
    assert result.metadata["wall_seconds"] == pytest.approx(paid, abs=1e-3)


def test_cross_validation_of_one_patient_is_one_clear_line(tmp_path: Path) -> None:
    files = write_corpus(tmp_path, n_patients=12)
    splits = pd.read_csv(files.splits)
    splits.loc[splits["role"] != "test", "patient_id"] = "p0"
    splits.to_csv(files.splits, index=False)
    settings = OF_CELLS.model_copy(update={"choose_by": "cross_validation"})
    with pytest.raises(InputError, match=r"^choose_by: cross_validation needs two patients or more"):
        cell(files, settings=settings, fraction=1.0)
