import numpy as np
import pandas as pd
import pytest
from challenge_by_the_book import challenge_by_the_book
from few_patients import widening
from sklearn.metrics import f1_score, roc_auc_score
from tiny_scored import LABELS, N_REPLICATES, N_RESAMPLES, SEED, run_to_score, run_with_gaps, truth_of, value

from ecgtransfer.compare.scores import (
    CHALLENGE_SCORE,
    MACRO_METRICS,
    load_resamples,
    score_run,
)
from ecgtransfer.files import write_arrays
from ecgtransfer.statistics.resampling import patient_resamples


@pytest.fixture
def study():
    return run_to_score()


@pytest.fixture
def gaps():
    return run_with_gaps()


def drawn_patients(predictions, splits):
    """Return the patients of the test records, and how often each record is in each resample."""
    patients = splits.set_index("record_id").loc[predictions["test_record_id"], "patient_id"].astype(str).to_numpy()
    return patients, patient_resamples(patients, N_RESAMPLES, SEED)


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
    _, weights = drawn_patients(predictions, splits)
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


def test_resampled_macro_leaves_out_labels_that_vanish_from_the_resample(study):
    predictions, labels, splits = study
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    patients, weights = drawn_patients(predictions, splits)
    has_rare = weights @ truth[:, 4] > 0
    assert 0 < has_rare.sum() < N_RESAMPLES  # else this test would not test anything
    for resample in range(N_RESAMPLES):
        columns = [0, 1, 2, 4] if has_rare[resample] else [0, 1, 2]
        areas = []
        for column in columns:
            of_label = truth[:, column], predictions["test_probability"][1, :, column]
            whole, drawn = roc_auc_score(*of_label), roc_auc_score(*of_label, sample_weight=weights[resample])
            areas.append(whole + widening(truth[:, column], patients) * (drawn - whole))
        assert resamples["macro_auroc"][1, resample] == pytest.approx(np.mean(areas), abs=1e-12)


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


def test_resampled_weighted_f1_equals_scikit_learn_on_repeated_records(study):
    predictions, labels, splits = study
    test_ids = predictions["test_record_id"]
    labels.loc[labels["record_id"].isin(test_ids), "PAC"] = 1  # positives alone count, too
    predictions["test_probability"][0, :4] = 0.5  # which is no
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, test_ids)
    patients, weights = drawn_patients(predictions, splits)
    apart = np.array([widening(of_label, patients) for of_label in truth.T])
    for resample, counts in enumerate(weights):
        drawn = np.repeat(np.arange(60), counts)
        for replicate in range(N_REPLICATES):
            answers = predictions["test_probability"][replicate] > 0.5
            whole, again = (
                f1_score(truth[rows], answers[rows], average=None, zero_division=0) for rows in (np.arange(60), drawn)
            )
            expected = np.average(whole + apart * (again - whole), weights=truth[drawn].mean(axis=0))
            assert resamples["weighted_f1"][replicate, resample] == pytest.approx(expected, abs=1e-12)


def test_resamples_count_the_records_of_which_a_label_is_known(gaps):
    predictions, labels, splits = gaps
    _, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    truth = truth_of(labels, predictions["test_record_id"])
    patients, weights = drawn_patients(predictions, splits)
    for resample in range(N_RESAMPLES):
        values = []
        for column in range(len(LABELS)):
            known = ~np.isnan(truth[:, column])
            drawn = weights[resample, known]
            if len(set(truth[known, column][drawn > 0])) == 2:
                of_label = truth[known, column], predictions["test_probability"][0, known, column]
                whole, again = roc_auc_score(*of_label), roc_auc_score(*of_label, sample_weight=drawn)
                values.append(whole + widening(truth[:, column], patients) * (again - whole))
        assert resamples["macro_auroc"][0, resample] == pytest.approx(np.mean(values), abs=1e-12)


@pytest.mark.parametrize("rare", ["positives", "negatives"])
def test_rare_labels_are_left_out_of_macro_scores_and_counted(study, rare):
    predictions, labels, splits = study
    if rare == "negatives":
        labels[LABELS] = 1 - labels[LABELS]
    every, _ = score_run(predictions, labels, splits, N_RESAMPLES, SEED)
    tested = splits[splits["role"] == "test"].merge(labels, on="record_id")
    few_patients = {name: tested.loc[tested[name] == (rare == "positives"), "patient_id"].nunique() for name in LABELS}
    least = sorted(set(few_patients.values()))[-2]
    scores, resamples = score_run(predictions, labels, splits, N_RESAMPLES, SEED, min_positives=least)
    kept = [name for name, count in few_patients.items() if count >= least]
    assert 0 < len(kept) < len(few_patients)
    for replicate in scores["replicate"].unique():
        rows = scores[scores["replicate"] == replicate].set_index(["label", "metric"])
        for metric in ("auroc", "auprc", "f1"):
            of_kept = [rows.loc[(name, metric), "value"] for name in kept]
            assert rows.loc[("macro", f"macro_{metric}"), "value"] == pytest.approx(np.nanmean(of_kept))
            for name, count in few_patients.items():
                assert (rows.loc[(name, metric), "n_valid"] == 0) == (count < least)
        weighted = every[(every["replicate"] == replicate) & (every["metric"] == "weighted_f1")]["value"].item()
        assert rows.loc[("macro", "weighted_f1"), "value"] == weighted
        for metric in MACRO_METRICS:
            drawn = resamples[metric][replicate]
            assert rows.loc[("macro", metric), "n_valid"] == np.isfinite(drawn).sum()
