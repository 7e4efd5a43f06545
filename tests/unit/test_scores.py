import numpy as np
import pandas as pd
import pytest
from challenge_by_the_book import challenge_by_the_book
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from ecgtransfer.compare.scores import (
    CHALLENGE_SCORE,
    LABEL_METRICS,
    MACRO_METRICS,
    load_predictions,
    load_resamples,
    score_run,
)
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays
from ecgtransfer.statistics.resampling import patient_resamples

LABELS = ["AF", "LBBB", "PAC", "absent", "rare"]
N_REPLICATES, N_RESAMPLES, SEED = 2, 60, 17


@pytest.fixture
def study():
    """A run on 60 test and 50 validation records; "absent" has no positive, "rare" one, in the test set."""
    generator = np.random.default_rng(0)
    record_ids = np.array([f"r{number:03d}" for number in range(150)])
    roles = np.array(["test"] * 60 + ["valid"] * 50 + ["train"] * 40)
    order = generator.permutation(150)
    record_ids, roles = record_ids[order], roles[order]
    splits = pd.DataFrame({"record_id": record_ids, "patient_id": generator.integers(100, size=150), "role": roles})
    splits["rank_0"] = 0.5
    truth = (generator.random((150, len(LABELS))) < 0.3).astype(int)
    test, valid = np.flatnonzero(roles == "test"), np.flatnonzero(roles == "valid")[::-1]
    truth[test, 3] = truth[test, 4] = 0
    truth[test[5], 4] = 1
    labels = pd.DataFrame(truth, columns=LABELS)
    labels.insert(0, "record_id", record_ids)

    def probability(rows):
        noisy = truth[rows] + generator.normal(size=(N_REPLICATES, len(rows), len(LABELS)))
        return (1 / (1 + np.exp(-noisy))).round(1 if len(rows) == 50 else 3).astype(np.float32)

    predictions = {
        "labels": np.array(LABELS),
        "test_record_id": record_ids[test],
        "test_probability": probability(test),
        "valid_record_id": record_ids[valid],
        "valid_probability": probability(valid),
        "valid_used": generator.random((N_REPLICATES, len(valid))) < 0.6,
        "n_train": np.array([30, 31]),
        "n_train_patients": np.array([20, 21]),
    }
    return predictions, labels.sample(frac=1, random_state=1), splits


def value(scores, replicate, label, metric):
    rows = scores[(scores["replicate"] == replicate) & (scores["label"] == label) & (scores["metric"] == metric)]
    return rows["value"].item()


def truth_of(labels, record_ids):
    return labels.set_index("record_id").loc[record_ids, LABELS].to_numpy()


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


def in_challenge(study):
    """The study with PAC called sinus rhythm, and what it earns to answer one class for another."""
    predictions, labels, splits = study
    names = ["NSR" if name == "PAC" else name for name in LABELS]
    rewards = np.random.default_rng(8).random((len(names), len(names)))
    np.fill_diagonal(rewards, 1.0)
    table = pd.DataFrame(rewards, index=names, columns=names)
    return predictions | {"labels": np.array(names)}, labels.rename(columns={"PAC": "NSR"}), splits, table


def test_challenge_score_is_that_of_the_answers_at_the_thresholds(study, tmp_path):
    predictions, labels, splits, rewards = in_challenge(study)
    shuffled = rewards.sample(frac=1, random_state=2).sample(frac=1, axis=1, random_state=3)
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED, rewards=shuffled)
    truth = labels.set_index("record_id").loc[predictions["test_record_id"], list(rewards)].to_numpy()
    patients = splits.set_index("record_id").loc[predictions["test_record_id"], "patient_id"].astype(str).to_numpy()
    weights = patient_resamples(patients, N_RESAMPLES, SEED)
    for replicate in range(N_REPLICATES):
        rows = scores[(scores["replicate"] == replicate) & (scores["metric"] == "f1")].set_index("label")
        answers = predictions["test_probability"][replicate] >= rows["threshold"].reindex(list(rewards)).to_numpy()
        normal = list(rewards).index("NSR")
        expected = challenge_by_the_book(truth, answers, rewards.to_numpy(), normal)
        assert value(scores, replicate, "macro", CHALLENGE_SCORE) == pytest.approx(expected, abs=1e-12)
        drawn = np.repeat(np.arange(len(truth)), weights[7])
        expected = challenge_by_the_book(truth[drawn], answers[drawn], rewards.to_numpy(), normal)
        assert resamples[CHALLENGE_SCORE][replicate, 7] == pytest.approx(expected, abs=1e-12)
    write_arrays(resamples, tmp_path / "resamples.npz")
    assert load_resamples(tmp_path / "resamples.npz").keys() == resamples.keys()


def test_other_metrics_are_the_same_beside_the_challenge_score(study):
    predictions, labels, splits, rewards = in_challenge(study)
    plain, plain_resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED, rewards=rewards)
    others = scores[scores["metric"] != CHALLENGE_SCORE].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, plain)
    assert resamples.keys() - plain_resamples.keys() == {CHALLENGE_SCORE}


@pytest.mark.parametrize("why", ["no sinus rhythm", "a label is not known of a record"])
def test_without_all_that_it_needs_there_is_no_challenge_score(study, why):
    predictions, labels, splits, rewards = in_challenge(study)
    if why == "no sinus rhythm":
        predictions["labels"] = np.array(LABELS)
        labels, rewards = (table.rename(columns={"NSR": "PAC"}, index={"NSR": "PAC"}) for table in (labels, rewards))
    else:
        labels = labels.astype({"AF": "Int8"})
        labels.loc[labels["record_id"] == predictions["test_record_id"][3], "AF"] = pd.NA
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED, rewards=rewards)
    assert CHALLENGE_SCORE not in set(scores["metric"]) | resamples.keys()


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


def test_resampled_macro_leaves_out_labels_that_vanish_from_the_resample(study):
    predictions, labels, splits = study
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    patients = splits.set_index("record_id").loc[predictions["test_record_id"], "patient_id"].astype(str)
    weights = patient_resamples(patients.to_numpy(), N_RESAMPLES, SEED)
    has_rare = weights @ truth[:, 4] > 0
    assert 0 < has_rare.sum() < N_RESAMPLES  # else this test would not test anything
    for resample in range(N_RESAMPLES):
        columns = [0, 1, 2, 4] if has_rare[resample] else [0, 1, 2]
        expected = np.mean(
            [
                roc_auc_score(
                    truth[:, column], predictions["test_probability"][1, :, column], sample_weight=weights[resample]
                )
                for column in columns
            ]
        )
        assert resamples["macro_auroc"][1, resample] == pytest.approx(expected, abs=1e-12)


def test_runs_of_one_target_share_their_resamples_whatever_the_order_of_records(study):
    predictions, labels, splits = study
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    order = np.random.default_rng(9).permutation(60)
    reordered = predictions | {
        "test_record_id": predictions["test_record_id"][order],
        "test_probability": predictions["test_probability"][:, order],
    }
    _, again = score_run(reordered, labels, splits, N_RESAMPLES, SEED)
    for metric in MACRO_METRICS:
        assert resamples[metric].shape == (N_REPLICATES, N_RESAMPLES)
        np.testing.assert_allclose(again[metric], resamples[metric], rtol=0, atol=1e-12)


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


def test_resampled_weighted_f1_equals_scikit_learn_on_repeated_records(study):
    predictions, labels, splits = study
    test_ids = predictions["test_record_id"]
    labels.loc[labels["record_id"].isin(test_ids), "PAC"] = 1  # positives alone count, too
    predictions["test_probability"][0, :4] = 0.5  # which is no
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, test_ids)
    patients = splits.set_index("record_id").loc[test_ids, "patient_id"].astype(str).to_numpy()
    for resample, weights in enumerate(patient_resamples(patients, N_RESAMPLES, SEED)):
        drawn = np.repeat(np.arange(60), weights)
        for replicate in range(N_REPLICATES):
            answers = predictions["test_probability"][replicate] > 0.5
            expected = f1_score(truth[drawn], answers[drawn], average="weighted", zero_division=0)
            assert resamples["weighted_f1"][replicate, resample] == pytest.approx(expected, abs=1e-12)


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


@pytest.fixture
def gaps(study):
    """The study with labels that are known of some records only: AF of all, "absent" of no test record."""
    predictions, labels, splits = study
    generator = np.random.default_rng(3)
    labels = labels.astype(dict.fromkeys(LABELS, float))
    for label, share in {"LBBB": 0.5, "PAC": 0.8, "rare": 0.7}.items():
        labels.loc[generator.random(len(labels)) > share, label] = np.nan
    labels["PAC"] = labels["PAC"].where(labels["LBBB"].notna())  # known of the same records
    labels["LBBB"] = labels["LBBB"].where(labels["PAC"].notna())
    labels.loc[labels["record_id"].isin(predictions["test_record_id"]), "absent"] = np.nan
    labels.loc[labels["record_id"] == predictions["test_record_id"][5], "rare"] = 1
    return predictions, labels, splits


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


def test_resamples_count_the_records_of_which_a_label_is_known(gaps):
    predictions, labels, splits = gaps
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    patients = splits.set_index("record_id").loc[predictions["test_record_id"], "patient_id"].astype(str)
    weights = patient_resamples(patients.to_numpy(), N_RESAMPLES, SEED)
    for resample in range(N_RESAMPLES):
        values = []
        for column in range(len(LABELS)):
            known = ~np.isnan(truth[:, column])
            drawn = weights[resample, known]
            if len(set(truth[known, column][drawn > 0])) == 2:
                probability = predictions["test_probability"][0, known, column]
                values.append(roc_auc_score(truth[known, column], probability, sample_weight=drawn))
        assert resamples["macro_auroc"][0, resample] == pytest.approx(np.mean(values), abs=1e-12)


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


def test_a_file_without_an_array_is_named(tmp_path):
    np.savez(tmp_path / "predictions.npz", labels=np.array(LABELS))
    with pytest.raises(InputError, match=r"predictions\.npz: array test_record_id"):
        load_predictions(tmp_path / "predictions.npz")


def without_last_test_record(predictions, labels, splits):
    predictions["test_record_id"] = predictions["test_record_id"][:-1]


def with_a_test_record_twice(predictions, labels, splits):
    predictions["test_record_id"][0] = predictions["test_record_id"][1]


def with_a_training_record_as_test_record(predictions, labels, splits):
    predictions["test_record_id"][0] = splits.loc[splits["role"] == "train", "record_id"].iloc[0]


def with_thresholds_from_the_test_set(predictions, labels, splits):
    predictions["valid_record_id"][0] = predictions["test_record_id"][0]


def with_a_nan(predictions, labels, splits):
    predictions["test_probability"][1, 3, 0] = np.nan


def with_a_replicate_less(predictions, labels, splits):
    predictions["valid_probability"] = predictions["valid_probability"][:1]


def with_another_validation_mask(predictions, labels, splits):
    predictions["valid_used"] = predictions["valid_used"][:, 1:]


def with_an_unknown_label(predictions, labels, splits):
    predictions["labels"][0] = "VT"


def with_a_record_unlabelled(predictions, labels, splits):
    labels.loc[labels["record_id"] == predictions["test_record_id"][0], "record_id"] = "another"


def with_a_label_of_two(predictions, labels, splits):
    labels["AF"] = 2


def with_a_label_in_words(predictions, labels, splits):
    labels["AF"] = "yes"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_last_test_record, "test_record_id must be the 60 test records"),
        (with_a_test_record_twice, "test_record_id must be the 60 test records"),
        (with_a_training_record_as_test_record, "test_record_id must be the 60 test records"),
        (with_thresholds_from_the_test_set, "no validation record"),
        (with_a_nan, "test_probability of replicate 1, record .*, label AF is not a number"),
        (with_a_replicate_less, "valid_probability has shape"),
        (with_another_validation_mask, "valid_used has shape"),
        (with_an_unknown_label, "no column VT"),
        (with_a_record_unlabelled, "record r.* missing"),
        (with_a_label_of_two, "only 0 and 1"),
        (with_a_label_in_words, "only 0 and 1"),
    ],
)
def test_predictions_that_do_not_fit_the_tables_are_refused_in_one_line(study, spoil, message):
    spoil(*study)
    with pytest.raises(InputError, match=message) as caught:
        score_run(*study, N_RESAMPLES, SEED)
    assert "\n" not in str(caught.value)


def test_rare_labels_are_left_out_of_macro_scores_and_counted(study):
    predictions, labels, splits = study
    every, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    positive_patients = {
        name: splits.merge(labels, on="record_id").query(f"role == 'test' and `{name}` == 1")["patient_id"].nunique()
        for name in map(str, predictions["labels"])
    }
    least = sorted(set(positive_patients.values()))[-2]
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED, min_positives=least)
    kept = [name for name, count in positive_patients.items() if count >= least]
    assert 0 < len(kept) < len(positive_patients)
    for replicate in scores["replicate"].unique():
        rows = scores[scores["replicate"] == replicate].set_index(["label", "metric"])
        for metric in ("auroc", "auprc", "f1"):
            of_kept = [rows.loc[(name, metric), "value"] for name in kept]
            assert rows.loc[("macro", f"macro_{metric}"), "value"] == pytest.approx(np.nanmean(of_kept))
            for name, count in positive_patients.items():
                assert (rows.loc[(name, metric), "n_valid"] == 0) == (count < least)
        weighted = every[(every["replicate"] == replicate) & (every["metric"] == "weighted_f1")]["value"].item()
        assert rows.loc[("macro", "weighted_f1"), "value"] == weighted
        for metric in MACRO_METRICS:
            drawn = resamples[metric][replicate]
            assert rows.loc[("macro", metric), "n_valid"] == np.isfinite(drawn).sum()
