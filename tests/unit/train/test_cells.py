"""The cells of the study: who trains, what is the same in every arm, and what is written."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score
from tiny_cell import LEARNT, SETTINGS, Fitted, asked_for, assert_same_predictions, cell, noted_fits
from tiny_corpus import CorpusFiles, write_corpus
from tiny_model import FLOPS_PER_SAMPLE, PLAIN, tiny_models  # noqa: F401 (a fixture)

from ecgtransfer.errors import InputError
from ecgtransfer.train import cells, loop
from ecgtransfer.train.cells import CellResult, run_cell, write_cell
from ecgtransfer.train.registry import build_model

torch.set_num_threads(1)

pytestmark = pytest.mark.usefixtures("tiny_models")

EVERY_METHOD = [None, "finetune", "probe", "svm", "gradual", "discriminative", "partial:1"]


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """Return a list to which every training of the test adds itself."""
    return noted_fits(monkeypatch)


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
    settings = SETTINGS.model_copy(update={"epochs": 30, "patience": 30, "learning_rate": 0.02})
    result = cell(target, fraction=1.0, settings=settings, replicates=1)
    truth = pd.read_csv(target.labels, index_col="record_id").loc[result.predictions["test_record_id"]].to_numpy()
    hits = (result.predictions["test_probability"][0] > 0.5) == truth
    assert hits.mean(axis=0).min() > 0.8


@pytest.mark.parametrize("crop_s", [None, 1.25])
def test_probabilities_are_those_of_the_trained_model(
    target: CorpusFiles, fitted: list[Fitted], crop_s: float | None
) -> None:
    result = cell(target, settings=SETTINGS.model_copy(update={"crop_s": crop_s}))
    corpus = target.open()
    model = build_model("tiny", 12, 64, 2).eval()
    for replicate, call in enumerate(fitted):
        model.load_state_dict(call.after)
        for role in ("test", "valid"):
            x = call.task.normalize(corpus.load(corpus.in_role(role)["record_id"].tolist()).signals)
            windows = [x] if crop_s is None else [x[..., :40], x[..., 24:]]
            with torch.no_grad():
                logits = np.mean([model(window).numpy() for window in windows], axis=0)
            probability = result.predictions[f"{role}_probability"][replicate]
            np.testing.assert_allclose(probability, 1 / (1 + np.exp(-logits)), atol=1e-6)


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_same_bytes_twice_and_in_several_processes(
    target: CorpusFiles, weights: Path, tmp_path: Path, method: str | None
) -> None:
    """What came before, how many replicates there are and how many run at a time does not matter."""
    settings = SETTINGS.model_copy(update={"positive_weight": "balanced"})
    results = []
    for attempt, (n_processes, replicates) in enumerate([(1, 3), (1, 3), (2, 3), (3, 3), (2, 2)]):
        torch.manual_seed(attempt)
        source = weights if method else None
        results.append(cell(target, method, source, settings=settings, n_processes=n_processes, replicates=replicates))
        write_cell(results[-1], *(tmp_path / str(attempt) / name for name in ("p.npz", "history.csv", "run.json")))
    files = [(tmp_path / str(attempt) / "p.npz").read_bytes() for attempt in range(4)]
    assert files[0] == files[1] == files[2] == files[3]
    histories = [pd.read_csv(tmp_path / str(attempt) / "history.csv")[LEARNT] for attempt in range(4)]
    for history in histories[1:]:
        pd.testing.assert_frame_equal(histories[0], history, check_exact=True)
    for result in results[1:4]:
        assert result.metadata["replicates"] == results[0].metadata["replicates"]
    assert [result.metadata["processes"] for result in results] == [1, 1, 2, 3, 2]
    for role in ("test", "valid"):
        fewer, more = (result.predictions[f"{role}_probability"] for result in (results[4], results[0]))
        assert fewer.tobytes() == more[:2].tobytes()


def test_replicates_depend_on_the_seed(target: CorpusFiles) -> None:
    one, other = cell(target, replicates=1), cell(target, replicates=1, seed=8)
    assert (one.predictions["test_probability"] != other.predictions["test_probability"]).any()


def test_arms_share_subsets_heads_and_order_of_batches(
    target: CorpusFiles, weights: Path, fitted: list[Fitted]
) -> None:
    by_gradients = [method for method in EVERY_METHOD if method != "svm"]
    for method in by_gradients:
        cell(target, method, weights if method else None)
    arms = [fitted[start : start + 2] for start in range(0, len(fitted), 2)]
    assert len(arms) == len(by_gradients)
    scratch = arms[0]
    for arm in arms[1:]:
        for one, other in zip(scratch, arm, strict=True):
            assert one.task.train.record_id.tolist() == other.task.train.record_id.tolist()
            assert one.task.valid.record_id.tolist() == other.task.valid.record_id.tolist()
            assert torch.equal(one.generator, other.generator)
            for name in ("head.weight", "head.bias"):
                assert torch.equal(one.before[name], other.before[name])
            if "neck.1.weight" in other.before:  # a probe is trained on features, without the layers below
                assert not torch.equal(one.before["neck.1.weight"], other.before["neck.1.weight"])
    for one, other in arms:
        assert set(one.task.train.record_id) != set(other.task.train.record_id)
        assert not torch.equal(one.generator, other.generator)
        assert not torch.equal(one.before["head.weight"], other.before["head.weight"])


def test_smaller_fractions_are_within_larger_ones(target: CorpusFiles, fitted: list[Fitted]) -> None:
    for fraction in (0.1, 0.3, 1.0):
        cell(target, fraction=fraction, settings=SETTINGS.model_copy(update={"epochs": 1}))
    for replicate in range(2):
        for part in ("train", "valid"):
            small, middle, whole = (set(getattr(call.task, part).record_id) for call in fitted[replicate::2])
            assert small < middle < whole
        assert torch.equal(fitted[replicate].before["head.weight"], fitted[replicate + 2].before["head.weight"])


def test_training_sees_training_records_alone(target: CorpusFiles, fitted: list[Fitted]) -> None:
    cell(target, fraction=0.3, settings=SETTINGS.model_copy(update={"positive_weight": "balanced"}))
    corpus = target.open()
    for replicate, call in enumerate(fitted):
        task = call.task
        subset = corpus.subset("train", replicate, 0.3)["record_id"].tolist()
        assert task.train.record_id.tolist() == subset
        assert set(task.valid.record_id) == set(corpus.subset("valid", replicate, 0.3)["record_id"])
        millivolts = corpus.load(subset).signals.double().numpy() / 1000
        normalized = (millivolts - millivolts.mean(axis=(0, 2))[:, None]) / millivolts.std(axis=(0, 2))[:, None]
        np.testing.assert_allclose(task.normalize(task.train.signals), normalized, atol=1e-5)
        labels = corpus.labels.loc[subset]
        np.testing.assert_allclose(task.objective.positive_weight, (labels == 0).sum() / (labels == 1).sum(), rtol=1e-6)
        for examples in (task.train, task.valid):
            expected = corpus.load(examples.record_id.tolist())
            assert torch.equal(examples.signals, expected.signals)
            assert torch.equal(examples.labels, expected.labels)


def with_other_labels(files: CorpusFiles, folder: Path, role: str, unknown: bool = False) -> CorpusFiles:
    """Return the corpus with every label of a role turned round, or empty."""
    splits = pd.read_csv(files.splits, index_col="record_id")
    labels = pd.read_csv(files.labels, index_col="record_id").astype("Int64")
    turned = splits.index[splits["role"] == role]
    labels.loc[turned] = pd.NA if unknown else 1 - labels.loc[turned]
    labels.reset_index().to_csv(folder / "labels.csv", index=False)
    return replace(files, labels=folder / "labels.csv")


@pytest.mark.parametrize("method", [None, "svm"])
def test_labels_of_test_records_change_nothing(
    target: CorpusFiles, weights: Path, tmp_path: Path, method: str | None
) -> None:
    source = weights if method else None
    reference = cell(target, method, source)
    for unknown in (False, True):
        assert_same_predictions(reference, cell(with_other_labels(target, tmp_path, "test", unknown), method, source))
    other = cell(with_other_labels(target, tmp_path, "train"), method, source)
    assert (reference.predictions["test_probability"] != other.predictions["test_probability"]).any()


def test_validation_budget_and_full(target: CorpusFiles, fitted: list[Fitted]) -> None:
    corpus = target.open()
    budget, full = cell(target, fraction=0.2), cell(target, fraction=0.2, validation="full")
    ids = budget.predictions["valid_record_id"]
    for replicate in range(2):
        allowed = set(corpus.subset("valid", replicate, 0.2)["record_id"])
        used = budget.predictions["valid_used"][replicate]
        assert set(ids[used]) == allowed == set(fitted[replicate].task.valid.record_id)
        assert fitted[2 + replicate].task.valid.record_id.tolist() == ids.tolist()
        assert fitted[2 + replicate].task.train.record_id.tolist() == fitted[replicate].task.train.record_id.tolist()
        assert budget.metadata["replicates"][replicate]["n_valid"] == len(allowed) < len(ids)
        assert full.metadata["replicates"][replicate]["n_valid"] == len(ids)
    assert full.predictions["valid_used"].all()
    assert not np.array_equal(*budget.predictions["valid_used"])


def without_validation(files: CorpusFiles, folder: Path) -> CorpusFiles:
    """Return the corpus with all that validate among those that train."""
    splits = pd.read_csv(files.splits)
    splits["role"] = splits["role"].replace("valid", "train")
    splits.to_csv(folder / "splits.csv", index=False)
    return replace(files, splits=folder / "splits.csv")


@pytest.mark.parametrize("method", [None, "svm"])
def test_without_validation_records_all_test_records_choose_the_epoch(
    target: CorpusFiles, weights: Path, tmp_path: Path, fitted: list[Fitted], method: str | None
) -> None:
    files = without_validation(target, tmp_path)
    result = cell(files, method, weights if method else None, fraction=0.2)
    tested = result.predictions["test_record_id"].tolist()
    assert result.predictions["valid_record_id"].tolist() == tested
    assert result.predictions["valid_used"].all()
    np.testing.assert_array_equal(result.predictions["valid_probability"], result.predictions["test_probability"])
    assert result.metadata["validation"] == "test"
    assert {replicate["n_valid"] for replicate in result.metadata["replicates"]} == {len(tested)}
    for call in fitted:
        assert call.task.valid.record_id.tolist() == tested
        assert not set(call.task.train.record_id) & set(tested)


def test_the_epoch_is_chosen_by_the_score_that_the_settings_name(target: CorpusFiles) -> None:
    settings = SETTINGS.model_copy(
        update={"epochs": 8, "patience": 8, "learning_rate": 0.02, "choose_by": "weighted_f1"}
    )
    result = cell(target, settings=settings)
    for number, rows in result.history.groupby("replicate"):
        best = rows.sort_values(["valid_weighted_f1", "valid_loss"], ascending=[False, True]).iloc[0]
        assert result.metadata["replicates"][number]["best_epoch"] == best["epoch"]
        seen = result.predictions["valid_used"][number]
        truth = target.open().labels.loc[result.predictions["valid_record_id"][seen]]
        answers = result.predictions["valid_probability"][number][seen] > 0.5
        assert best["valid_weighted_f1"] == pytest.approx(f1_score(truth, answers, average="weighted"))


@pytest.mark.parametrize("n_processes", [1, 2])
def test_too_small_a_fraction_is_one_clear_line(tmp_path: Path, n_processes: int) -> None:
    files = write_corpus(tmp_path, n_patients=12)
    splits = pd.read_csv(files.splits)
    first_only = splits["role"].ne("train") | ~splits["patient_id"].duplicated()
    splits[first_only].to_csv(files.splits, index=False)  # training patients of one record each
    with pytest.raises(InputError, match=r"^transfer\.fractions: 0\.2 of the training patients are 1 records, .*$"):
        cell(files, fraction=0.2, n_processes=n_processes)
    assert cell(files, fraction=0.3, n_processes=n_processes).metadata["replicates"][0]["n_train"] == 2


def test_history_and_metadata_say_what_was_run(target: CorpusFiles) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 4, "patience": 1})
    result = cell(target, settings=settings, validation="full", n_processes=2)
    metadata = result.metadata
    expected = {
        "model": "tiny", "options": {}, "method": "scratch", "method_settings": {}, "labels": ["fast", "tall"],
        "fraction": 0.5, "validation": "full", "seed": 7, "settings": settings.model_dump(), "deterministic": True,
        "code": "ab12", "processes": 2, "threads": 1,
    }  # fmt: skip
    assert {name: metadata[name] for name in expected} == expected
    assert metadata["versions"]["torch"] == torch.__version__
    assert metadata["wall_seconds"] == pytest.approx(result.history["seconds"].sum(), abs=0.001)
    assert metadata["flops_per_sample"] == 3 * FLOPS_PER_SAMPLE * 64
    json.dumps(metadata, allow_nan=False)
    assert list(result.history)[: len(LEARNT)] == LEARNT
    assert sorted(result.history["replicate"].unique()) == [0, 1]
    assert len(metadata["replicates"]) == 2
    for replicate, rows in result.history.groupby("replicate"):
        said = metadata["replicates"][replicate]
        assert rows["epoch"].tolist() == list(range(1, len(rows) + 1))
        best = rows.sort_values(["valid_macro_auroc", "valid_loss"], ascending=[False, True]).iloc[0]
        assert said["best_epoch"] == best["epoch"]
        assert len(rows) == min(4, said["best_epoch"] + 1)  # patience of 1
        assert said["n_train"] == result.predictions["n_train"][replicate]
        assert said["n_train_patients"] == result.predictions["n_train_patients"][replicate] == 10
        assert said["n_valid"] == result.predictions["valid_used"][replicate].sum()
        assert "new_weights" not in said


def test_files_of_a_cell_are_readable_without_pickle(target: CorpusFiles, tmp_path: Path) -> None:
    result = cell(target)
    paths = [tmp_path / "deep/predictions.npz", tmp_path / "history.csv", tmp_path / "run.json"]
    write_cell(result, *paths)
    with np.load(paths[0], allow_pickle=False) as archive:
        assert archive.files == list(result.predictions)
        for name, array in result.predictions.items():
            np.testing.assert_array_equal(archive[name], array)
    assert {member.date_time for member in zipfile.ZipFile(paths[0]).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    pd.testing.assert_frame_equal(pd.read_csv(paths[1])[LEARNT], result.history[LEARNT])
    assert json.loads(paths[2].read_text()) == result.metadata
    objects = CellResult({"labels": np.array([object()])}, result.history, result.metadata)
    with pytest.raises(ValueError, match="allow_pickle"):
        write_cell(objects, *paths)
    with np.load(paths[0], allow_pickle=False) as archive:  # the file of before is whole
        assert archive.files == list(result.predictions)


def test_run_writes_what_training_gives_and_leaves_no_state(target: CorpusFiles, weights: Path, tmp_path: Path) -> None:
    expected, unfinished = cell(target, "probe", weights), tmp_path / "unfinished"
    paths = [tmp_path / name for name in ("predictions.npz", "history.csv", "run.json")]
    run_cell(asked_for("probe", weights), target.open(), unfinished, tmp_path / "finished", 1, *paths)
    assert not unfinished.exists()
    with np.load(paths[0], allow_pickle=False) as archive:
        for name, array in expected.predictions.items():
            assert archive[name].tobytes() == array.tobytes(), name
    pd.testing.assert_frame_equal(pd.read_csv(paths[1])[LEARNT], expected.history[LEARNT])
    assert json.loads(paths[2].read_text())["replicates"] == expected.metadata["replicates"]


def test_state_serves_the_same_training_alone(
    target: CorpusFiles, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicates that had ended before the job was killed are not trained again."""
    epochs: list[int] = []
    train_one_epoch = loop.train_one_epoch

    def counting(*given: Any) -> float:
        epochs.append(1)
        return train_one_epoch(*given)

    monkeypatch.setattr(loop, "train_one_epoch", counting)

    def epochs_of(**others: Any) -> int:
        given: dict[str, Any] = {"files": target, "method": "finetune", "weights": weights} | others
        cell(folder=tmp_path / "state", **given)
        done = len(epochs)
        epochs.clear()
        return done

    assert epochs_of() == 4
    assert epochs_of() == 0
    (tmp_path / "state" / "1.safetensors").unlink()
    assert epochs_of() == 2
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((weights / "tiny.safetensors").read_bytes())
    assert epochs_of(weights=moved) == 0  # of the same weights
    (tmp_path / "labels").mkdir()
    others: list[dict[str, Any]] = [
        {"code": "ab13"}, {"seed": 8}, {"model": PLAIN}, {"method": "discriminative"},
        {"method": None, "weights": None}, {"fraction": 0.6},
        {"settings": SETTINGS.model_copy(update={"optimizer": "adam"})},
        {"settings": SETTINGS.model_copy(update={"choose_by": "weighted_f1"})},
        {"files": with_other_labels(target, tmp_path / "labels", "train")},
    ]  # fmt: skip
    for other in others:
        assert epochs_of(**other) == 4, other
    assert epochs_of() == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_gives_what_the_cpu_gives(target: CorpusFiles, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-5, "precision": "float32"})
    on_gpu = cell(target, "finetune", weights, settings=settings)
    monkeypatch.setattr(cells, "training_device", lambda: torch.device("cpu"))
    on_cpu = cell(target, "finetune", weights, settings=settings)
    assert on_gpu.metadata["device"] != on_cpu.metadata["device"]
    np.testing.assert_allclose(
        on_gpu.predictions["test_probability"], on_cpu.predictions["test_probability"], atol=0.01
    )
