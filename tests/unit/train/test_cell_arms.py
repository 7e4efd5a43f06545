"""The arms of a cell: what is taken over from a source, what of it moves, and what is on record of it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.svm import LinearSVC
from tiny_cell import (
    GRU,
    LEARNT,
    METHOD_SETTINGS,
    RESNET,
    SETTINGS,
    TINY,
    Fitted,
    Model,
    cell,
    noted_fits,
    save_random_weights,
    weights_of,
)
from tiny_corpus import CorpusFiles
from tiny_model import PLAIN, tiny_models  # noqa: F401 (a fixture)
from torch import Tensor

from ecgtransfer.errors import InputError
from ecgtransfer.train import fitting
from ecgtransfer.train.corpus import Normalization
from ecgtransfer.train.registry import build_model

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")

AGE_SEX: Model = ("tiny", {"age_sex": True})
FROZEN = {
    "finetune": [],
    "discriminative": [],
    "gradual": [],
    "partial:1": ["stages.0"],
    "probe": ["stages.0", "stages.1", "neck", "age_sex"],
    "svm": ["stages.0", "stages.1", "neck", "age_sex"],
}


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """Return a list to which every training of the test adds itself."""
    return noted_fits(monkeypatch)


@pytest.mark.parametrize("method", FROZEN)
def test_metadata_count_what_was_taken_over_trained_and_frozen(target: CorpusFiles, weights: Path, method: str) -> None:
    metadata = cell(target, method, weights, AGE_SEX).metadata
    sizes = {
        name: parameter.numel() for name, parameter in build_model("tiny", 12, 64, 2, AGE_SEX[1]).named_parameters()
    }
    everything, head = sum(sizes.values()), sizes["head.weight"] + sizes["head.bias"]
    frozen = sum(
        size for name, size in sizes.items() if name.startswith(tuple(f"{layer}." for layer in FROZEN[method]))
    )
    assert metadata["method"] == method
    assert metadata["method_settings"] == METHOD_SETTINGS.get(method, {})
    for said in metadata["replicates"]:
        assert said["transferred_weights"] == everything - head
        assert said["new_weights"] == head
        assert said["frozen_weights"] == frozen
        assert said["trained_weights"] == everything - frozen
        assert said["frozen_layers"] == FROZEN[method]
    assert (metadata["flops_per_sample"] is None) == (method not in ("finetune", "discriminative"))
    json.dumps(metadata, allow_nan=False)


@pytest.mark.parametrize("method", ["finetune", "discriminative", "gradual", "partial:1"])
def test_exactly_the_intended_layers_move(
    target: CorpusFiles, weights: Path, fitted: list[Fitted], method: str
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 4, "patience": 4, "weight_decay": 0.0})
    cell(target, method, weights, settings=settings, replicates=1)
    (call,) = fitted
    given = load_file(weights / "tiny.safetensors")
    for name, tensor in call.after.items():
        if name.startswith("head."):
            assert tensor.shape != given[name].shape and not torch.equal(tensor, call.before[name])
            continue
        assert torch.equal(call.before[name], given[name]), name
        stays = name.startswith(tuple(f"{layer}." for layer in FROZEN[method]))
        assert torch.equal(tensor, given[name]) == stays, name


def test_replicates_start_from_several_pretrainings_in_turn(
    target: CorpusFiles, weights: Path, tmp_path: Path, fitted: list[Fitted]
) -> None:
    given = load_file(weights / "tiny.safetensors")
    again = {name: tensor + 1 for name, tensor in given.items()}
    with safe_open(weights / "tiny.safetensors", "pt") as file:
        save_file(again, tmp_path / "tiny.safetensors", file.metadata())
    cell(target, "finetune", [weights, tmp_path], replicates=3)
    assert len(fitted) == 3
    for call, expected in zip(fitted, [given, again, given], strict=True):
        for name, tensor in call.before.items():
            assert name.startswith("head.") or torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("model", [GRU, RESNET], ids=["gru", "resnet1d18"])
def test_all_layers_of_the_studys_models_move_when_fine_tuned(
    target: CorpusFiles, tmp_path: Path, fitted: list[Fitted], model: Model
) -> None:
    save_random_weights(model, tmp_path)
    settings = SETTINGS.model_copy(update={"epochs": 1, "weight_decay": 0.0})  # decay would move a frozen layer, too
    result = cell(target, "finetune", tmp_path, model, settings, replicates=1)
    (call,) = fitted
    for name, tensor in call.after.items():
        assert not torch.equal(tensor, call.before[name]), name
    said = result.metadata["replicates"][0]
    assert said["new_weights"] == call.before["head.weight"].numel() + 2
    assert said["frozen_weights"] == 0


def features_of_source(weights: Path, model: Model, target: CorpusFiles, role_or_ids: Any, normalize: Any) -> Tensor:
    """Return what the source's layers below its head make of records, all at once."""
    name, options = model
    source = build_model(name, 12, 64, 3, options).eval()
    source.load_state_dict(load_file(weights_of(model, weights)))
    corpus = target.open(age_sex=bool(options))
    ids = corpus.in_role(role_or_ids)["record_id"].tolist() if isinstance(role_or_ids, str) else role_or_ids
    records = corpus.load(ids)
    with torch.no_grad():
        features: Tensor = source.features(normalize(records.signals), records.age_sex)
    return features


def normalization_by_numpy(target: CorpusFiles, replicate: int) -> Normalization:
    corpus = target.open()
    millivolts = corpus.load(corpus.subset("train", replicate, 0.5)["record_id"].tolist()).signals.double() / 1000
    return Normalization(
        millivolts.mean(dim=(0, 2)).float(), torch.from_numpy(millivolts.numpy().std(axis=(0, 2))).float()
    )


@pytest.mark.parametrize("model", [TINY, AGE_SEX], ids=["tiny", "age-sex"])
def test_a_probe_is_a_head_on_the_features_of_the_source(
    target: CorpusFiles, weights: Path, fitted: list[Fitted], model: Model
) -> None:
    result = cell(target, "probe", weights, model)
    for replicate, call in enumerate(fitted):
        assert set(call.before) == {"head.weight", "head.bias"}  # what lies below is not even there
        normalize = normalization_by_numpy(target, replicate)
        head = {name: tensor.numpy() for name, tensor in call.after.items()}
        assert not np.array_equal(head["head.weight"], call.before["head.weight"])
        for role in ("test", "valid"):
            features = features_of_source(weights, model, target, role, normalize).numpy()
            logits = features @ head["head.weight"].T + head["head.bias"]
            probability = result.predictions[f"{role}_probability"][replicate]
            np.testing.assert_allclose(probability, 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize("model", [TINY, AGE_SEX], ids=["tiny", "age-sex"])
def test_a_probe_is_the_same_with_features_computed_anew(
    target: CorpusFiles, weights: Path, fitted: list[Fitted], monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    """As those of a flattened head are, which are too many to keep."""
    settings = SETTINGS.model_copy(update={"epochs": 6, "patience": 6})
    kept = cell(target, "probe", weights, model, settings)
    monkeypatch.setattr(fitting, "LARGEST_KEPT_FEATURES", 5)
    anew = cell(target, "probe", weights, model, settings)
    for role in ("test", "valid"):
        first, second = (result.predictions[f"{role}_probability"] for result in (kept, anew))
        np.testing.assert_allclose(first, second, atol=1e-5)
    np.testing.assert_allclose(kept.history[LEARNT], anew.history[LEARNT], atol=1e-5)
    assert kept.metadata["replicates"] == anew.metadata["replicates"]
    for call in fitted[2:]:
        moved = {name for name, tensor in call.after.items() if not torch.equal(tensor, call.before[name])}
        assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize("model", [TINY, AGE_SEX], ids=["tiny", "age-sex"])
def test_svm_is_scikit_learns_on_the_features_of_the_source(target: CorpusFiles, weights: Path, model: Model) -> None:
    result = cell(target, "svm", weights, model)
    corpus = target.open()
    for replicate in range(2):
        normalize = normalization_by_numpy(target, replicate)
        ids = {role: corpus.subset(role, replicate, 0.5)["record_id"].tolist() for role in ("train", "valid")}
        train, valid = (features_of_source(weights, model, target, ids[role], normalize).numpy() for role in ids)
        test = features_of_source(weights, model, target, "test", normalize).numpy()
        labels = {role: corpus.labels.loc[ids[role]].to_numpy() for role in ids}
        mean, deviation = train.mean(axis=0), np.where(train.std(axis=0) > 0, train.std(axis=0), np.inf)
        scores = {}
        for cost in (0.01, 1.0):
            machines = [
                LinearSVC(C=cost, dual=False, max_iter=100_000, tol=1e-8).fit((train - mean) / deviation, column)
                for column in labels["train"].T
            ]
            decisions = [
                np.stack([machine.decision_function((x - mean) / deviation) for machine in machines], axis=1)
                for x in (valid, test)
            ]
            f1_at_half = f1_score(labels["valid"], decisions[0] > 0, average="weighted")
            scores[cost] = roc_auc_score(labels["valid"], decisions[0]), decisions[1], f1_at_half
        best = max((0.01, 1.0), key=lambda cost: scores[cost][0])
        assert result.metadata["replicates"][replicate]["cost"] == best
        probability = result.predictions["test_probability"][replicate]
        np.testing.assert_allclose(probability, 1 / (1 + np.exp(-scores[best][1])), atol=1e-3)
        (row,) = result.history[result.history["replicate"] == replicate].to_dict("records")
        assert row["valid_macro_auroc"] == pytest.approx(scores[best][0])
        assert row["valid_weighted_f1"] == pytest.approx(scores[best][2])
        assert row["epoch"] == 1 and math.isnan(row["train_loss"]) and row["seconds"] > 0
    assert result.predictions["test_probability"].dtype == np.float32


def test_gradual_is_trained_until_all_layers_have_joined(target: CorpusFiles, weights: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"epochs": 20, "patience": 1, "learning_rate": 0.0}
    )  # never better than in the first epoch
    for method, n_epochs in {"finetune": 2, "gradual": 4}.items():  # head, neck, and two stages
        history = cell(target, method, weights, PLAIN, settings).history
        assert history.groupby("replicate")["epoch"].max().tolist() == [n_epochs] * 2


def test_crops_and_gradients_go_with_every_arm(target: CorpusFiles, weights: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"crop_s": 1.25, "optimizer": "adam", "schedule": "one-cycle", "positive_weight": "balanced"}
    )
    whole = {method: cell(target, method, weights) for method in FROZEN}
    for method in FROZEN:
        result = cell(target, method, weights, settings=settings)
        assert result.predictions["test_probability"].shape == whole[method].predictions["test_probability"].shape
        assert (result.predictions["test_probability"] != whole[method].predictions["test_probability"]).any()
        assert pd.notna(result.predictions["test_probability"]).all()


@pytest.mark.parametrize("n_processes", [1, 2])
def test_weights_that_do_not_fit_are_one_clear_line(target: CorpusFiles, weights: Path, n_processes: int) -> None:
    with pytest.raises(InputError, match=r"plain\.safetensors: holds the weights of 'plain', expected 'tiny'$"):
        cell(target, "finetune", weights / "plain.safetensors", n_processes=n_processes)
    with pytest.raises(InputError, match=r"^transfer\.methods: partial:3 freezes everything but the head"):
        cell(target, "partial:3", weights, n_processes=n_processes)
