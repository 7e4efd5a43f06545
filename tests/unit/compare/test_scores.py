import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score
from tiny_scored import LABELS, N_REPLICATES, N_RESAMPLES, SEED, run_to_score, run_with_gaps, truth_of, value

from ecgtransfer.compare.scores import (
    LABEL_METRICS,
    MACRO_METRICS,
    load_predictions,
    load_resamples,
    score_run,
)
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays


@pytest.fixture
def study():
    return run_to_score()


@pytest.fixture
def gaps():
    return run_with_gaps()


def test_scores_equal_scikit_learn(study):
    predictions, labels, splits = study
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    for replicate in range(N_REPLICATES):
        for column in (0, 1, 2, 4):
            probability = predictions["test_probability"][replicate, :, column]
            assert value(scores, replicate, LABELS[column], "auroc") == pytest.approx(
                roc_auc_score(truth[:, column], probability), abs=1e-12
            )
            assert value(scores, replicate, LABELS[column], "auprc") == pytest.approx(
                average_precision_score(truth[:, column], probability), abs=1e-12
            )


def test_f1_uses_the_best_threshold_on_the_validation_records_that_the_replicate_saw(study):
    predictions, labels, splits = study
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    truth_valid = truth_of(labels, predictions["valid_record_id"])
    for replicate in range(N_REPLICATES):
        used = predictions["valid_used"][replicate]
        for column in (0, 1, 2):
            seen = predictions["valid_probability"][replicate, used, column]
            precision, recall, thresholds = precision_recall_curve(truth_valid[used, column], seen)
            harmonic = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
            threshold = thresholds[np.flatnonzero(harmonic[:-1] > harmonic[:-1].max() - 1e-12)[0]]
            row = scores.set_index(["replicate", "label", "metric"]).loc[(replicate, LABELS[column], "f1")]
            assert row["threshold"] == threshold
            predicted = predictions["test_probability"][replicate, :, column] >= threshold
            assert row["value"] == pytest.approx(f1_score(truth[:, column], predicted), abs=1e-12)


def test_validation_records_that_a_replicate_did_not_see_change_nothing(study):
    predictions, labels, splits = study
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    hidden = ~predictions["valid_used"]
    predictions["valid_probability"][hidden] = np.random.default_rng(5).random((hidden.sum(), len(LABELS)))
    pd.testing.assert_frame_equal(score_run(predictions, labels, splits, N_RESAMPLES, SEED)[0], scores)


def test_table_is_tidy_and_leaves_out_labels_that_cannot_be_evaluated(study):
    scores, _ = score_run(*study, N_RESAMPLES, SEED)
    assert list(scores) == ["replicate", "label", "metric", "value", "n_positive", "n_records", "threshold", "n_valid"]
    assert len(scores) == N_REPLICATES * len(LABEL_METRICS) * (len(LABELS) + 1)
    assert not scores.duplicated(["replicate", "label", "metric"]).any()
    assert scores.loc[scores["label"] == "absent", "value"].isna().all()
    assert (scores.loc[scores["label"] == "rare", "n_positive"] == 1).all()
    assert (scores["n_records"] == 60).all()
    assert (scores["threshold"].notna() == (scores["metric"] == "f1")).all()
    for metric in ("auroc", "auprc", "f1"):
        mean = np.mean([value(scores, 1, label, metric) for label in ("AF", "LBBB", "PAC", "rare")])
        assert value(scores, 1, "macro", f"macro_{metric}") == pytest.approx(mean, abs=1e-12)


def test_weighted_f1_equals_scikit_learn(study):
    predictions, labels, splits = study
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    for replicate in range(N_REPLICATES):
        answers = predictions["test_probability"][replicate] > 0.5
        expected = f1_score(truth, answers, average="weighted", zero_division=0)
        assert value(scores, replicate, "macro", "weighted_f1") == pytest.approx(expected, abs=1e-12)
        for column in (0, 1, 2, 4):
            expected = f1_score(truth[:, column], answers[:, column], zero_division=0)
            assert value(scores, replicate, LABELS[column], "f1_at_half") == pytest.approx(expected, abs=1e-12)


def without_validation(predictions, labels, splits):
    """Let the test records choose the thresholds, in a split table that has no validation records."""
    splits.loc[splits["role"] == "valid", "role"] = "train"
    predictions["valid_record_id"] = predictions["test_record_id"]
    predictions["valid_probability"] = predictions["test_probability"]
    predictions["valid_used"] = np.ones((N_REPLICATES, 60), dtype=bool)


def test_thresholds_come_from_test_records_where_none_validate_and_only_there(study):
    predictions, labels, splits = study
    one_is_left = splits.copy()
    without_validation(*study)
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    for column in (0, 1, 2):
        probability = predictions["test_probability"][1, :, column]
        best = max(f1_score(truth[:, column], probability >= threshold) for threshold in probability)
        assert value(scores, 1, LABELS[column], "f1") == pytest.approx(best, abs=1e-12)
    kept = splits.index[splits["role"] == "train"][0]
    one_is_left["role"] = splits["role"].mask(splits.index == kept, "valid")
    with pytest.raises(InputError, match="no validation record"):
        score_run(predictions, labels, one_is_left, N_RESAMPLES, SEED)


def test_a_label_is_scored_on_the_test_records_of_which_it_is_known(gaps):
    predictions, labels, splits = gaps
    scores, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    truth_valid = truth_of(labels, predictions["valid_record_id"])
    rows = scores.set_index(["replicate", "label", "metric"]).sort_index()
    for replicate in range(N_REPLICATES):
        for column in (0, 1, 2, 4):
            known = ~np.isnan(truth[:, column])
            assert known.sum() == 60 if column == 0 else 10 < known.sum() < 55
            positive, probability = truth[known, column], predictions["test_probability"][replicate, known, column]
            of_label = rows.loc[(replicate, LABELS[column])]
            assert of_label.loc["auroc", "value"] == pytest.approx(roc_auc_score(positive, probability), abs=1e-12)
            assert of_label.loc["auprc", "value"] == pytest.approx(
                average_precision_score(positive, probability), abs=1e-12
            )
            assert (of_label["n_records"] == known.sum()).all()
            assert (of_label["n_positive"] == positive.sum()).all()
            seen = predictions["valid_used"][replicate] & ~np.isnan(truth_valid[:, column])
            candidates = np.unique(predictions["valid_probability"][replicate, seen, column])
            found = [
                f1_score(
                    truth_valid[seen, column], predictions["valid_probability"][replicate, seen, column] >= candidate
                )
                for candidate in candidates
            ]
            best = candidates[np.flatnonzero(np.array(found) > max(found) - 1e-12)[0]]
            assert of_label.loc["f1", "threshold"] == best
            assert of_label.loc["f1", "value"] == pytest.approx(f1_score(positive, probability >= best), abs=1e-12)
        nowhere = rows.loc[(replicate, "absent")]
        assert nowhere["value"].isna().all()
        assert (nowhere[["n_records", "n_positive"]] == 0).all(axis=None)
        evaluable = [column for column in (0, 1, 2, 4) if not np.isnan(truth[:, column]).all()]
        at_half = [rows.loc[(replicate, LABELS[column], "f1_at_half"), "value"] for column in evaluable]
        prevalence = [np.nanmean(truth[:, column]) for column in evaluable]
        weighted = rows.loc[(replicate, "macro", "weighted_f1"), "value"]
        assert weighted == pytest.approx(np.average(at_half, weights=prevalence), abs=1e-12)
        mean = np.mean([rows.loc[(replicate, label, "auroc"), "value"] for label in ("AF", "LBBB", "PAC", "rare")])
        macro = rows.loc[(replicate, "macro", "macro_auroc")]
        assert macro["value"] == pytest.approx(mean, abs=1e-12)
        assert macro["n_records"] == 60


def test_what_is_predicted_where_a_label_is_not_known_changes_nothing(gaps):
    predictions, labels, splits = gaps
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    generator = np.random.default_rng(8)
    for role in ("test", "valid"):
        unknown = np.isnan(truth_of(labels, predictions[f"{role}_record_id"]))
        predictions[f"{role}_probability"][:, unknown] = generator.random((N_REPLICATES, unknown.sum()))
    scores_again, resamples_again = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    pd.testing.assert_frame_equal(scores_again, scores)
    for metric in MACRO_METRICS:
        np.testing.assert_array_equal(resamples_again[metric], resamples[metric])


def test_labels_in_memory_and_from_a_file_score_alike(gaps, tmp_path):
    predictions, labels, splits = gaps
    in_memory = labels.astype(dict.fromkeys(LABELS, "Int8"))
    in_memory.to_csv(tmp_path / "labels.csv", index=False)
    read = pd.read_csv(tmp_path / "labels.csv", dtype={"record_id": str})
    expected, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    for table in (in_memory, read):
        pd.testing.assert_frame_equal(score_run(predictions, table, splits, N_RESAMPLES, SEED)[0], expected)


def test_files_come_back_as_written_and_the_same_bytes_each_time(study, tmp_path):
    predictions, labels, splits = study
    np.savez(tmp_path / "predictions.npz", **predictions)
    loaded = load_predictions(tmp_path / "predictions.npz")
    _, resamples = score_run(loaded, labels, splits, N_RESAMPLES, SEED)
    write_arrays(resamples, tmp_path / "a.npz")
    write_arrays(score_run(predictions, labels, splits, N_RESAMPLES, SEED)[1], tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = load_resamples(tmp_path / "a.npz")
    assert set(back) == {*MACRO_METRICS, "n_train", "n_train_patients"}
    np.testing.assert_array_equal(back["macro_f1"], resamples["macro_f1"])
    np.testing.assert_array_equal(back["n_train"], [30, 31])
