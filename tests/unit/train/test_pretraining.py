"""Pre-training on a source: who trains, what is learnt, and what is left behind."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_corpus import CorpusFiles, write_corpus
from tiny_model import FLOPS_PER_SAMPLE, TINY, tiny_models  # noqa: F401 (a fixture)
from tiny_pretraining import LEARNT, SETTINGS, run
from tiny_task import bytes_of
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import ALL_WEIGHTS, TrainingPlan
from ecgtransfer.train import loop, pretraining, training
from ecgtransfer.train.data_parallel import Ranks
from ecgtransfer.train.loop import Epoch, Task
from ecgtransfer.train.objectives import MaskedPatches, MultiLabel, OwnError, Regression
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.sources import INTERVALS
from ecgtransfer.train.state import UnfinishedTraining
from ecgtransfer.train.weights import load_all_but_head, save_weights

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("source"), ("fast", "tall", "other"), n_patients=48, array_sizes=(50,))


@dataclass(frozen=True)
class Fitted:
    """What `fit` was given."""

    model: nn.Module
    task: Task
    plan: TrainingPlan
    start: dict[str, Tensor]


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """Return a list to which every training of the test adds itself."""
    calls: list[Fitted] = []
    fit = pretraining.fit

    def noting(
        model: nn.Module, task: Task, settings: TrainingSettings, plan: TrainingPlan, state: UnfinishedTraining,
        ranks: Ranks,
    ) -> list[Epoch]:  # fmt: skip
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        calls.append(Fitted(model, task, plan, start))
        return fit(model, task, settings, plan, state, ranks)

    monkeypatch.setattr(pretraining, "fit", noting)
    return calls


def test_uses_all_records_but_those_that_validate(files: CorpusFiles, fitted: list[Fitted]) -> None:
    result = run(files.open())
    splits = pd.read_csv(files.splits)
    (call,) = fitted
    train, valid = call.task.train, call.task.valid
    assert train.record_id.tolist() == splits.loc[splits["role"] != "valid", "record_id"].tolist()
    assert valid.record_id.tolist() == splits.loc[splits["role"] == "valid", "record_id"].tolist()
    millivolts = train.signals.double().numpy() / 1000
    normalized = (millivolts - millivolts.mean(axis=(0, 2))[:, None]) / millivolts.std(axis=(0, 2))[:, None]
    np.testing.assert_allclose(call.task.normalize(train.signals), normalized, atol=1e-5)
    assert isinstance(call.task.objective, MultiLabel) and call.task.objective.positive_weight is None
    assert call.plan == ALL_WEIGHTS
    assert call.task.crop_samples is None
    assert result.model is call.model
    history = result.history
    assert history["epoch"].tolist() == [1, 2, 3]
    best = history.sort_values(["valid_macro_auroc", "valid_loss"], ascending=[False, True]).iloc[0]
    assert result.metadata["best_epoch"] == best["epoch"]


def test_without_validation_records_test_records_choose_the_epoch(
    files: CorpusFiles, tmp_path: Path, fitted: list[Fitted]
) -> None:
    splits = pd.read_csv(files.splits)
    splits["role"] = splits["role"].replace("valid", "train")
    splits.to_csv(tmp_path / "splits.csv", index=False)
    metadata = run(replace(files, splits=tmp_path / "splits.csv").open()).metadata
    (call,) = fitted
    assert call.task.train.record_id.tolist() == splits.loc[splits["role"] == "train", "record_id"].tolist()
    assert call.task.valid.record_id.tolist() == splits.loc[splits["role"] == "test", "record_id"].tolist()
    assert metadata["validation"] == "test"
    assert run(files.open()).metadata["validation"] == "full"


def test_metadata_say_what_was_run(files: CorpusFiles) -> None:
    corpus = files.open()
    metadata = run(corpus, deterministic=False).metadata
    expected = {
        "task": "labels", "model": "tiny", "options": {}, "labels": ["fast", "tall", "other"], "seed": 7,
        "settings": SETTINGS.model_dump(), "deterministic": False, "code": "ab12", "processes": 1, "threads": 1,
        "n_train": len(corpus.outside_role("valid")), "n_valid": len(corpus.in_role("valid")),
    }  # fmt: skip
    assert {name: metadata[name] for name in expected} == expected
    model = build_model("tiny", 12, 64, 3)
    assert metadata["weights"] == sum(parameter.numel() for parameter in model.parameters())
    assert metadata["flops_per_sample"] == 3 * FLOPS_PER_SAMPLE * 64  # forward, and twice as much backward
    assert metadata["samples_per_second"] == pytest.approx(3 * metadata["n_train"] / metadata["wall_seconds"], rel=0.1)
    assert metadata["versions"]["torch"] == torch.__version__
    json.dumps(metadata, allow_nan=False)


def test_patients_of_a_target_are_left_out(files: CorpusFiles, fitted: list[Fitted]) -> None:
    corpus = files.open()
    named = corpus.splits["record_id"].iloc[[0, 1, 2, 30]].tolist()
    patients = set(corpus.splits.set_index("record_id")["patient_id"][named])
    run(corpus.without_patients_of(named))
    task = fitted[0].task
    used = set(task.train.record_id) | set(task.valid.record_id)
    assert used == set(corpus.splits.loc[~corpus.splits["patient_id"].isin(patients), "record_id"])


def test_same_bytes_twice_and_others_with_another_seed(files: CorpusFiles) -> None:
    corpus = files.open()
    first = run(corpus)
    torch.rand(3)
    second, other = run(corpus), run(corpus, seed=8)
    assert bytes_of(first.model) == bytes_of(second.model)
    pd.testing.assert_frame_equal(first.history[LEARNT], second.history[LEARNT], check_exact=True)
    assert bytes_of(first.model) != bytes_of(other.model)


def test_positives_are_weighted_by_all_that_train(files: CorpusFiles, fitted: list[Fitted]) -> None:
    corpus = files.open()
    run(corpus, settings=SETTINGS.model_copy(update={"positive_weight": "balanced"}))
    labels = corpus.labels.loc[corpus.outside_role("valid")["record_id"]]
    objective = fitted[0].task.objective
    assert isinstance(objective, MultiLabel) and objective.positive_weight is not None
    np.testing.assert_allclose(objective.positive_weight, (labels == 0).sum() / (labels == 1).sum(), rtol=1e-6)


def test_several_sources_with_labels_of_their_own(
    files: CorpusFiles, fitted: list[Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = files.open()
    labels = corpus.labels.astype(float)
    labels.iloc[:50, 2] = np.nan  # the first data set never uses the third label,
    labels.iloc[50:, 0] = np.nan  # the second one never the first
    joined = replace(corpus, labels=labels)
    seen: list[Tensor] = []
    random_crops = loop.random_crops

    def noting(signals: Tensor, records: Tensor, crop_samples: int | None) -> Tensor:
        seen.append(records)
        return random_crops(signals, records, crop_samples)

    monkeypatch.setattr(loop, "random_crops", noting)
    result = run(joined, settings=SETTINGS.model_copy(update={"epochs": 12, "patience": 12, "balance_datasets": True}))
    train, valid = fitted[0].task.train, fitted[0].task.valid
    in_first, in_second = train.dataset.bincount().tolist()
    assert train.labels.isnan().sum(dim=0).tolist() == [in_second, 0, in_first]
    for order in torch.cat(seen).split(len(train)):
        assert abs(np.diff(train.dataset[order].bincount())) <= 1
    assert valid.labels.isnan().any()
    assert result.history[LEARNT[:3]].notna().all(axis=None)
    assert result.history["valid_macro_auroc"].max() > 0.55
    assert result.metadata["labels"] == ["fast", "tall", "other"]


@pytest.mark.parametrize("task", ["age", "intervals"])
def test_measured_values_are_standardised_by_those_that_train(
    files: CorpusFiles, fitted: list[Fitted], task: str
) -> None:
    corpus = files.open(task)
    result = run(
        corpus, task, settings=SETTINGS.model_copy(update={"epochs": 20, "patience": 20, "learning_rate": 0.01})
    )
    names = {"age": ["age_years"], "intervals": INTERVALS}[task]
    assert result.metadata["labels"] == names
    (call,) = fitted
    assert isinstance(call.task.objective, Regression)
    values = corpus.labels.loc[call.task.train.record_id.tolist()]
    mean, deviation = values.mean(), values.std(ddof=0)
    for examples in (call.task.train, call.task.valid):
        expected = (corpus.labels.loc[examples.record_id.tolist()] - mean) / deviation
        np.testing.assert_allclose(examples.labels, expected, atol=1e-5)  # NaN where NaN
        assert expected.isna().any(axis=None)
    for name in names:
        assert result.metadata["value_mean"][name] == pytest.approx(mean[name], rel=1e-5)
        assert result.metadata["value_deviation"][name] == pytest.approx(deviation[name], rel=1e-5)
    assert result.history["valid_macro_auroc"].isna().all()
    best = result.history["valid_loss"].idxmin()
    assert result.metadata["best_epoch"] == best + 1
    nothing_learnt = call.task.objective.cell_losses(torch.zeros_like(call.task.valid.labels), call.task.valid.labels)
    assert result.history["valid_loss"][best] < 0.6 * nothing_learnt.mean()
    json.dumps(result.metadata, allow_nan=False)


def test_values_that_cannot_be_learnt_are_one_clear_line(files: CorpusFiles) -> None:
    corpus = files.open("age")
    for change in (lambda _: 50.0, lambda _: math.nan):
        labels = corpus.labels.assign(age_years=corpus.labels["age_years"].map(change))
        with pytest.raises(InputError, match=r"^transfer\.sources: .* no two different values of 'age_years' .*$"):
            run(replace(corpus, labels=labels), "age")
    unknown = corpus.labels.copy()
    unknown.loc[corpus.in_role("valid")["record_id"]] = np.nan
    with pytest.raises(InputError, match=r"^transfer\.sources: .* 'age_years' to train on, or none to validate on;.*$"):
        run(replace(corpus, labels=unknown), "age")


@pytest.mark.parametrize(("left", "message"), [("test", "23 .* and 0"), ("valid", "0 .* and 25")])
def test_too_few_records_are_one_clear_line(files: CorpusFiles, left: str, message: str) -> None:
    corpus = files.open()
    with pytest.raises(InputError, match=rf"^transfer\.sources: {message} to validate on, at least 2 and 1 are .*$"):
        run(replace(corpus, splits=corpus.in_role(left)))


def test_hidden_patches_are_learnt_without_labels(files: CorpusFiles, fitted: list[Fitted]) -> None:
    result = run(
        files.open("masked"),
        "masked",
        settings=SETTINGS.model_copy(update={"epochs": 12, "patience": 12, "learning_rate": 0.01}),
    )
    (call,) = fitted
    assert isinstance(call.model, MaskedPatches) and isinstance(call.task.objective, OwnError)
    assert call.model.model is result.model
    assert call.model.patch_samples == 6  # 0.2 s at 32 Hz
    assert call.task.train.labels.shape[1] == 0
    assert result.metadata["labels"] == []
    assert result.history["valid_macro_auroc"].isna().all()
    losses = result.history["valid_loss"]
    assert losses.min() < 0.9 * losses[0]
    assert result.metadata["best_epoch"] == losses.idxmin() + 1
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(tensor, call.start[f"model.{name}"]) == name.startswith(("neck.", "head.")), name


def test_untrained_weights_are_those_the_model_starts_with(files: CorpusFiles, fitted: list[Fitted]) -> None:
    result, again = (run(files.open("untrained"), "untrained") for _ in range(2))
    assert not fitted
    assert result.history.empty and "valid_macro_auroc" in result.history
    assert (result.metadata["best_epoch"], result.metadata["n_train"], result.metadata["wall_seconds"]) == (0, 0, 0)
    run(files.open("masked"), "masked")
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])
        assert torch.equal(tensor, fitted[0].start[f"model.{name}"]) or name.startswith("head."), name


@pytest.mark.parametrize("task", ["labels", "intervals", "masked", "untrained"])
@pytest.mark.parametrize(
    ("model", "crop_s"),
    [(TINY, None), (("tiny", {"age_sex": True}), 1.5), (("gru", {"head": "pool"}), 1.0), (("resnet1d18", {}), None)],
    ids=["tiny", "age-sex", "gru", "resnet1d18"],
)
def test_weights_serve_another_corpus(
    files: CorpusFiles, tmp_path: Path, task: str, model: tuple[str, dict[str, Any]], crop_s: float | None
) -> None:
    corpus = files.open(task, age_sex="age_sex" in model[1])
    result = run(corpus, task, model, SETTINGS.model_copy(update={"epochs": 1, "batch_size": 32, "crop_s": crop_s}))
    save_weights(result.model, model[0], corpus.label_names, tmp_path / "weights.safetensors")
    torch.manual_seed(1)
    other = build_model(model[0], 12, 64, 2, model[1])
    taken = load_all_but_head(other, model[0], tmp_path / "weights.safetensors")
    assert taken.new_weights == sum(parameter.numel() for parameter in other.head.parameters())
    x, age_sex = torch.randn(3, 12, 64), torch.randn(3, 4)
    features = [network.eval().features(x, age_sex) for network in (result.model, other)]
    torch.testing.assert_close(*features)


def test_crops_are_what_the_model_is_built_for(
    files: CorpusFiles, fitted: list[Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    def noting(name: str, n_leads: int, n_samples: int, *others: Any) -> nn.Module:
        lengths.append(n_samples)
        return build_model(name, n_leads, n_samples, *others)

    monkeypatch.setattr(training, "build_model", noting)
    result = run(files.open(), settings=SETTINGS.model_copy(update={"crop_s": 1.25}))
    assert lengths == [40]
    assert fitted[0].task.crop_samples == 40
    assert result.metadata["flops_per_sample"] == 3 * FLOPS_PER_SAMPLE * 40
