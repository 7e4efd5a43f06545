"""Pre-training, and the cells of the study: who trains, what is the same in every arm, and what is written."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_corpus import CorpusFiles, write_corpus
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.train import runs
from ecgtransfer.train.corpus import Examples, Normalization
from ecgtransfer.train.loop import Epoch, TrainingSettings
from ecgtransfer.train.runs import CellResult, pretrain, train_cell, write_cell
from ecgtransfer.train.weights import save_weights

torch.set_num_threads(1)

SETTINGS = TrainingSettings(epochs=2, min_steps=0, patience=2, batch_size=8, learning_rate=0.003, weight_decay=0.01)
TRANSFER = {"replicates": 2, "seed": 7, "validation": "budget"}
GRU: tuple[str, dict[str, Any]] = ("gru", {"head": "pool"})
RESNET: tuple[str, dict[str, Any]] = ("resnet1d18", {})


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("source"), labels=("fast", "tall", "other"), n_patients=48)


@pytest.fixture(scope="module")
def weights_of(source: CorpusFiles, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function: where the weights of a model are that was trained on the source."""
    folder = tmp_path_factory.mktemp("weights")
    for name, options in (GRU, RESNET):
        model, _, _ = pretrain(source.open(), name, options, replace(SETTINGS, epochs=1), seed=7)
        save_weights(model, name, source.open().label_names, folder / f"{name}.safetensors")
    return lambda name: folder / f"{name}.safetensors"


def cell(
    files: CorpusFiles,
    model: tuple[str, dict[str, Any]] = GRU,
    fraction: float = 0.5,
    pretrained: Path | None = None,
    settings: TrainingSettings = SETTINGS,
    **transfer: Any,
) -> CellResult:
    return train_cell(files.open(), *model, fraction, TRANSFER | transfer, settings, pretrained)


def assert_same_predictions(first: CellResult, second: CellResult) -> None:
    assert first.predictions.keys() == second.predictions.keys()
    for name, array in first.predictions.items():
        assert array.dtype == second.predictions[name].dtype, name
        assert array.tobytes() == second.predictions[name].tobytes(), name


@dataclass(frozen=True)
class Fitted:
    """What one call of `fit` was given, and what it left."""

    before: dict[str, Tensor]
    after: dict[str, Tensor]
    trainable: set[str]
    generator: Tensor
    train: Examples
    valid: Examples
    normalize: Normalization


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """Return a list to which every training of the test adds itself."""
    calls: list[Fitted] = []
    fit = runs.fit

    def noting(
        model: nn.Module, train: Examples, valid: Examples, normalize: Normalization, settings: TrainingSettings
    ) -> list[Epoch]:
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        generator = torch.get_rng_state()
        history = fit(model, train, valid, normalize, settings)
        trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        calls.append(Fitted(before, dict(model.state_dict()), trainable, generator, train, valid, normalize))
        return history

    monkeypatch.setattr(runs, "fit", noting)
    return calls


def test_predictions_have_the_documented_shapes(target: CorpusFiles) -> None:
    result = cell(target, fraction=0.3)
    splits = pd.read_csv(target.splits)
    ids = {role: splits.loc[splits["role"] == role, "record_id"].tolist() for role in ("test", "valid")}
    arrays = result.predictions
    assert list(arrays) == [
        "labels", "test_record_id", "test_probability", "valid_record_id", "valid_probability", "valid_used",
        "n_train", "n_train_patients",
    ]  # fmt: skip
    assert arrays["labels"].tolist() == ["fast", "tall"]
    for role in ("test", "valid"):
        assert arrays[f"{role}_record_id"].tolist() == ids[role]
        assert arrays[f"{role}_record_id"].dtype.kind == "U"
        probability = arrays[f"{role}_probability"]
        assert probability.shape == (2, len(ids[role]), 2)
        assert probability.dtype == np.float32
        assert ((probability > 0) & (probability < 1)).all()
        assert (probability[0] != probability[1]).any()
    assert arrays["valid_used"].shape == (2, len(ids["valid"]))
    assert arrays["valid_used"].dtype == bool
    for replicate in range(2):
        train = splits[(splits["role"] == "train") & (splits[f"rank_{replicate}"] < 0.3)]
        assert arrays["n_train"][replicate] == len(train)
        assert arrays["n_train_patients"][replicate] == train["patient_id"].nunique() == 6


def test_what_is_learnt_shows_on_the_test_records(target: CorpusFiles) -> None:
    result = cell(target, RESNET, fraction=1.0, settings=replace(SETTINGS, epochs=8, patience=8), replicates=1)
    truth = pd.read_csv(target.labels, index_col="record_id").loc[result.predictions["test_record_id"]].to_numpy()
    hits = (result.predictions["test_probability"][0] > 0.5) == truth
    assert hits.mean(axis=0).min() > 0.8


def test_probabilities_are_those_of_the_trained_model(target: CorpusFiles, fitted: list[Fitted]) -> None:
    result = cell(target, replicates=1)
    corpus, state = target.open(), fitted[0].after
    model = runs.build_model("gru", 12, corpus.n_samples, 2, {"head": "pool"}).eval()
    model.load_state_dict(state)
    for role in ("test", "valid"):
        signals = corpus.load(corpus.in_role(role)["record_id"].tolist()).signals
        with torch.no_grad():
            expected = 1 / (1 + np.exp(-model(fitted[0].normalize(signals)).numpy()))
        np.testing.assert_allclose(result.predictions[f"{role}_probability"][0], expected, atol=1e-6)


@pytest.mark.parametrize("model", [GRU, RESNET], ids=["gru", "resnet1d18"])
def test_same_bytes_twice(
    target: CorpusFiles, weights_of: Callable[[str], Path], tmp_path: Path, model: tuple[str, dict[str, Any]]
) -> None:
    for pretrained in (None, weights_of(model[0])):
        for past, attempt in enumerate(("first", "second")):
            torch.manual_seed(past)  # what came before does not matter
            result = cell(target, model, pretrained=pretrained, replicates=1)
            write_cell(result, *(tmp_path / attempt / name for name in ("p.npz", "history.csv", "run.json")))
        assert (tmp_path / "first/p.npz").read_bytes() == (tmp_path / "second/p.npz").read_bytes()
        first, second = (pd.read_csv(tmp_path / attempt / "history.csv") for attempt in ("first", "second"))
        pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"))


def test_replicates_do_not_depend_on_their_number_and_do_on_the_seed(target: CorpusFiles) -> None:
    two, one, other = cell(target), cell(target, replicates=1), cell(target, replicates=1, seed=8)
    np.testing.assert_array_equal(two.predictions["test_probability"][:1], one.predictions["test_probability"])
    assert (one.predictions["test_probability"] != other.predictions["test_probability"]).any()


def test_arms_share_subsets_heads_and_order_of_batches(
    target: CorpusFiles, weights_of: Callable[[str], Path], fitted: list[Fitted]
) -> None:
    for pretrained in (None, weights_of("gru")):
        cell(target, pretrained=pretrained)
    scratch, finetuned = fitted[:2], fitted[2:]
    for one, other in zip(scratch, finetuned, strict=True):
        assert one.train.record_id.tolist() == other.train.record_id.tolist()
        assert one.valid.record_id.tolist() == other.valid.record_id.tolist()
        assert torch.equal(one.generator, other.generator)
        assert torch.equal(one.before["head.weight"], other.before["head.weight"])
        assert torch.equal(one.before["head.bias"], other.before["head.bias"])
        assert not torch.equal(one.before["recurrent.weight_hh_l0"], other.before["recurrent.weight_hh_l0"])
    for arm in (scratch, finetuned):
        assert set(arm[0].train.record_id) != set(arm[1].train.record_id)
        assert not torch.equal(arm[0].generator, arm[1].generator)
        assert not torch.equal(arm[0].before["head.weight"], arm[1].before["head.weight"])


def test_smaller_fractions_are_within_larger_ones(target: CorpusFiles, fitted: list[Fitted]) -> None:
    for fraction in (0.1, 0.3, 1.0):
        cell(target, fraction=fraction, settings=replace(SETTINGS, epochs=1))
    for replicate in range(2):
        small, middle, whole = (set(call.train.record_id) for call in fitted[replicate::2])
        assert small < middle < whole
        small, middle, whole = (set(call.valid.record_id) for call in fitted[replicate::2])
        assert small < middle < whole
        assert torch.equal(fitted[replicate].before["head.weight"], fitted[replicate + 2].before["head.weight"])


def test_training_sees_training_records_alone(target: CorpusFiles, fitted: list[Fitted]) -> None:
    cell(target, fraction=0.3)
    corpus = target.open()
    for replicate, call in enumerate(fitted):
        subset = corpus.subset("train", replicate, 0.3)["record_id"].tolist()
        assert call.train.record_id.tolist() == subset
        assert set(call.valid.record_id) == set(corpus.subset("valid", replicate, 0.3)["record_id"])
        millivolts = corpus.load(subset).signals.double().numpy() / 1000
        np.testing.assert_allclose(call.normalize.mean_mv, millivolts.mean(axis=(0, 2)), rtol=1e-5)
        np.testing.assert_allclose(call.normalize.deviation_mv, millivolts.std(axis=(0, 2)), rtol=1e-5)
        for examples in (call.train, call.valid):
            expected = corpus.load(examples.record_id.tolist())
            assert torch.equal(examples.signals, expected.signals)
            assert torch.equal(examples.labels, expected.labels)


def with_other_labels(files: CorpusFiles, folder: Path, role: str) -> CorpusFiles:
    """Return the corpus with every label of a role turned round."""
    splits = pd.read_csv(files.splits, index_col="record_id")
    labels = pd.read_csv(files.labels, index_col="record_id")
    turned = splits.index[splits["role"] == role]
    labels.loc[turned] = 1 - labels.loc[turned]
    labels.reset_index().to_csv(folder / "labels.csv", index=False)
    return CorpusFiles(files.signals, folder / "labels.csv", files.splits)


def test_labels_of_test_records_change_nothing(target: CorpusFiles, tmp_path: Path) -> None:
    reference = cell(target)
    assert_same_predictions(reference, cell(with_other_labels(target, tmp_path, "test")))
    other = cell(with_other_labels(target, tmp_path, "train"))
    assert (reference.predictions["test_probability"] != other.predictions["test_probability"]).any()


def test_validation_budget_and_full(target: CorpusFiles, fitted: list[Fitted]) -> None:
    corpus = target.open()
    budget, full = cell(target, fraction=0.2), cell(target, fraction=0.2, validation="full")
    ids = budget.predictions["valid_record_id"]
    for replicate in range(2):
        allowed = set(corpus.subset("valid", replicate, 0.2)["record_id"])
        used = budget.predictions["valid_used"][replicate]
        assert set(ids[used]) == allowed == set(fitted[replicate].valid.record_id)
        assert fitted[2 + replicate].valid.record_id.tolist() == ids.tolist()
        assert fitted[2 + replicate].train.record_id.tolist() == fitted[replicate].train.record_id.tolist()
        assert budget.facts["replicates"][replicate]["n_valid"] == len(allowed) < len(ids)
        assert full.facts["replicates"][replicate]["n_valid"] == len(ids)
    assert full.predictions["valid_used"].all()
    assert not np.array_equal(*budget.predictions["valid_used"])


def test_too_small_a_fraction_is_one_clear_line(tmp_path: Path) -> None:
    files = write_corpus(tmp_path, n_patients=12)
    splits = pd.read_csv(files.splits)
    first_only = splits["role"].ne("train") | ~splits["patient_id"].duplicated()
    splits[first_only].to_csv(files.splits, index=False)  # training patients of one record each
    with pytest.raises(InputError, match=r"^transfer\.fractions: 0\.2 of the training patients are 1 records, .*$"):
        cell(files, fraction=0.2)
    assert cell(files, fraction=0.3).facts["replicates"][0]["n_train"] == 2


@pytest.mark.parametrize("model", [GRU, RESNET], ids=["gru", "resnet1d18"])
def test_all_layers_move_when_fine_tuned(
    target: CorpusFiles, weights_of: Callable[[str], Path], fitted: list[Fitted], model: tuple[str, dict[str, Any]]
) -> None:
    no_decay = replace(SETTINGS, epochs=1, weight_decay=0.0)  # decay would move a frozen layer, too
    result = cell(target, model, pretrained=weights_of(model[0]), settings=no_decay, replicates=1)
    (call,) = fitted
    assert call.trainable == {name for name in call.before if "running" not in name and "tracked" not in name}
    for name, tensor in call.after.items():
        assert not torch.equal(tensor, call.before[name]), name
    transferred = sum(call.before[name].numel() for name in call.trainable if not name.startswith("head."))
    facts = result.facts["replicates"][0]
    assert facts["transferred_weights"] == transferred
    assert facts["new_weights"] == call.before["head.weight"].numel() + 2


def test_history_and_facts_say_what_was_run(target: CorpusFiles, weights_of: Callable[[str], Path]) -> None:
    settings = replace(SETTINGS, epochs=4, patience=1)
    result = cell(target, fraction=0.5, pretrained=weights_of("gru"), settings=settings, validation="full")
    facts = result.facts
    assert facts["model"] == "gru"
    assert facts["options"] == {"head": "pool"}
    assert facts["fraction"] == 0.5
    assert facts["labels"] == ["fast", "tall"]
    assert facts["seed"] == 7
    assert facts["settings"] == asdict(settings)
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == 1
    assert facts["wall_seconds"] >= result.history["seconds"].sum() - 0.001
    assert list(result.history) == [
        "replicate", "epoch", "train_loss", "valid_loss", "valid_macro_auroc", "seconds",
    ]  # fmt: skip
    assert sorted(result.history["replicate"].unique()) == [0, 1]
    assert len(facts["replicates"]) == 2
    for replicate, rows in result.history.groupby("replicate"):
        said = facts["replicates"][replicate]
        assert rows["epoch"].tolist() == list(range(1, len(rows) + 1))
        best = rows.sort_values(["valid_macro_auroc", "valid_loss"], ascending=[False, True]).iloc[0]
        assert said["best_epoch"] == best["epoch"]
        assert len(rows) == min(4, said["best_epoch"] + 1)  # patience of 1
        assert said["n_train"] == result.predictions["n_train"][replicate]
        assert said["n_train_patients"] == result.predictions["n_train_patients"][replicate] == 10
        assert said["n_valid"] == result.predictions["valid_used"][replicate].sum()
        assert said["new_weights"] == 201 * 2
    assert "new_weights" not in cell(target, replicates=1).facts["replicates"][0]


def test_files_of_a_cell_are_readable_without_pickle(target: CorpusFiles, tmp_path: Path) -> None:
    result = cell(target)
    paths = [tmp_path / "deep/predictions.npz", tmp_path / "history.csv", tmp_path / "run.json"]
    write_cell(result, *paths)
    with np.load(paths[0], allow_pickle=False) as archive:
        assert archive.files == list(result.predictions)
        for name, array in result.predictions.items():
            np.testing.assert_array_equal(archive[name], array)
    assert {member.date_time for member in zipfile.ZipFile(paths[0]).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    pd.testing.assert_frame_equal(pd.read_csv(paths[1]), result.history)
    assert json.loads(paths[2].read_text()) == result.facts
    objects = CellResult({"labels": np.array([object()])}, result.history, result.facts)
    with pytest.raises(ValueError, match="allow_pickle"):
        write_cell(objects, *paths)
    with np.load(paths[0], allow_pickle=False) as archive:  # the file of before is whole
        assert archive.files == list(result.predictions)


def test_pretraining_uses_all_but_the_validation_records(source: CorpusFiles, fitted: list[Fitted]) -> None:
    model, history, facts = pretrain(source.open(), *GRU, SETTINGS, seed=7)
    splits = pd.read_csv(source.splits)
    (call,) = fitted
    assert call.train.record_id.tolist() == splits.loc[splits["role"] != "valid", "record_id"].tolist()
    assert call.valid.record_id.tolist() == splits.loc[splits["role"] == "valid", "record_id"].tolist()
    millivolts = call.train.signals.double().numpy() / 1000
    np.testing.assert_allclose(call.normalize.deviation_mv, millivolts.std(axis=(0, 2)), rtol=1e-5)
    assert all(torch.equal(tensor, call.after[name]) for name, tensor in model.state_dict().items())
    assert (facts["n_train"], facts["n_valid"]) == (len(call.train), len(call.valid))
    assert facts["labels"] == ["fast", "tall", "other"]
    assert facts["settings"] == asdict(SETTINGS)
    assert (facts["model"], facts["options"], facts["seed"]) == ("gru", {"head": "pool"}, 7)
    best = history.sort_values(["valid_macro_auroc", "valid_loss"], ascending=[False, True]).iloc[0]
    assert facts["best_epoch"] == best["epoch"]
    json.dumps(facts)


def test_pretraining_is_reproducible_and_begins_unlike_any_replicate(source: CorpusFiles, fitted: list[Fitted]) -> None:
    first, second = (pretrain(source.open(), *GRU, SETTINGS, seed=7)[0] for _ in range(2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    cell(source)
    beginnings = [call.before["recurrent.weight_hh_l0"] for call in fitted[1:]]
    assert not any(torch.equal(beginnings[0], other) for other in beginnings[1:])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_gives_what_the_cpu_gives(
    target: CorpusFiles, weights_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, epochs=1, learning_rate=1e-5)
    on_gpu = cell(target, RESNET, pretrained=weights_of("resnet1d18"), settings=settings)
    monkeypatch.setattr(runs, "training_device", lambda: torch.device("cpu"))
    on_cpu = cell(target, RESNET, pretrained=weights_of("resnet1d18"), settings=settings)
    assert on_gpu.facts["device"] != on_cpu.facts["device"] == "cpu"
    np.testing.assert_allclose(
        on_gpu.predictions["test_probability"], on_cpu.predictions["test_probability"], atol=0.01
    )
