import numpy as np
import pandas as pd
import pytest
from few_patients import widening
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from tiny_tested import LABELS, column_of, target, truth_of

from ecgtransfer.arms import Cell
from ecgtransfer.compare.draws import Draws
from ecgtransfer.errors import InputError
from ecgtransfer.findings.calibration import CALIBRATION_COLUMNS, RELIABILITY_COLUMNS, calibration, reliability
from ecgtransfer.statistics.metrics import expected_calibration_error
from ecgtransfer.statistics.resampling import patient_resamples

CELL = Cell("clinic", "gru", "finetune-hospital", 0.1)
DRAWS = Draws(n_resamples=100, patient_seed=4, replicate_seed=7, confidence=0.95)


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_brier_score_equals_scikit_learn_over_known_labels(unknown):
    predictions, labels, splits, _ = target(unknown=unknown)
    table = calibration(CELL, predictions, labels, splits, DRAWS)
    assert list(table) == CALIBRATION_COLUMNS
    assert table["metric"].tolist() == ["macro_brier", "macro_ece"]
    assert (table["n_train"] == 32).all()
    truth, values = truth_of(predictions, labels), []
    for probability in predictions["test_probability"]:
        for column in range(len(LABELS)):
            known = ~np.isnan(truth[:, column])
            values.append(brier_score_loss(truth[known, column], probability[known, column]))
    assert table["score"].iloc[0] == pytest.approx(np.mean(values), abs=1e-6)
    assert ((table["ci_low"] < table["score"]) & (table["score"] < table["ci_high"])).all()


def test_interval_of_the_brier_score_of_one_replicate_is_of_patients_drawn_again():
    predictions, labels, splits, _ = target(n_replicates=1)
    row = calibration(CELL, predictions, labels, splits, DRAWS).iloc[0]
    truth, patients = truth_of(predictions, labels), column_of(predictions, splits, "patient_id")
    squares = (predictions["test_probability"][0] - truth) ** 2
    counts = patient_resamples(patients, DRAWS.n_resamples, DRAWS.patient_seed)
    by_label = counts @ squares / counts.sum(axis=1, keepdims=True)
    apart = np.array([widening(of_label, patients) for of_label in truth.T])
    draws = (apart * (by_label - squares.mean(axis=0))).mean(axis=1)
    low, high = np.quantile(draws - draws.mean() + squares.mean(), [0.025, 0.975], method="weibull")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1e-6)


def test_calibration_error_is_that_of_bins_of_equally_many_records():
    predictions, labels, splits, _ = target(n_replicates=1)
    truth, (probability,) = truth_of(predictions, labels), predictions["test_probability"]
    errors = []
    for column in range(len(LABELS)):
        n_lower = (probability[None, :, column] < probability[:, None, column]).sum(axis=1)
        bins = n_lower * 10 // len(probability)
        gaps = [(truth[bins == number, column] - probability[bins == number, column]).sum() for number in set(bins)]
        errors.append(np.abs(gaps).sum() / len(probability))
    found = calibration(CELL, predictions, labels, splits, DRAWS).set_index("metric").loc["macro_ece", "score"]
    assert found == pytest.approx(np.mean(errors), abs=1e-6)


def sample(generator, n, bias):
    """Test records whose probabilities are too high by `bias`, each of its own patient."""
    right = generator.beta(1, 3, size=n)
    truth = (generator.random(n) < right).astype(float)
    ids = np.array([f"r{number}" for number in range(n)])
    predictions = {
        "labels": np.array(["AF"]),
        "test_record_id": ids,
        "test_probability": np.minimum(right + bias, 1)[None, :, None],
        "n_train": np.array([30]),
    }
    labels = pd.DataFrame({"record_id": ids, "AF": truth})
    return predictions, labels, pd.DataFrame({"record_id": ids, "patient_id": ids, "role": "test"})


def test_interval_of_the_calibration_error_covers_that_of_any_number_of_records():
    n, bias, generator = 600, 0.12, np.random.default_rng(0)
    large, large_labels, _ = sample(generator, 400_000, bias)
    true_error = expected_calibration_error(large_labels["AF"], large["test_probability"][0, :, 0])[0]
    covered = []
    for _ in range(100):
        row = calibration(CELL, *sample(generator, n, bias), DRAWS).iloc[1]
        covered.append(row["ci_low"] <= true_error <= row["ci_high"])
    assert np.mean(covered) >= 0.88


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_reliability_equals_scikit_learn_on_all_labels_and_replicates_together(unknown):
    predictions, labels, _, _ = target(unknown=unknown)
    predictions["test_probability"] = predictions["test_probability"] * 0.75 + 0.003  # no bin edges; high bins empty
    table = reliability(CELL, predictions, labels)
    assert list(table) == RELIABILITY_COLUMNS
    assert table["bin"].tolist() == list(range(10))
    truth = np.stack([truth_of(predictions, labels)] * 2)
    known = ~np.isnan(truth)
    observed, probability = calibration_curve(truth[known], predictions["test_probability"][known], n_bins=10)
    filled = table[table["n"] > 0]
    assert len(filled) < 10
    np.testing.assert_allclose(filled["observed"], observed, atol=1e-6)
    np.testing.assert_allclose(filled["probability"], probability, atol=1e-6)
    assert table["n"].sum() == known.sum()
    assert table.loc[table["n"] == 0, ["probability", "observed"]].isna().all(axis=None)


def test_probabilities_of_zero_and_one_are_in_the_outer_bins():
    predictions, labels, _, _ = target(n_replicates=1)
    predictions["test_probability"] = np.nan_to_num(truth_of(predictions, labels))[None]
    table = reliability(CELL, predictions, labels).set_index("bin")
    assert table.loc[[0, 9], ["probability", "observed"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert table.loc[1:8, "n"].sum() == 0


def test_a_label_that_is_missing_is_named():
    predictions, labels, splits, _ = target()
    with pytest.raises(InputError, match="no column LBBB"):
        calibration(CELL, predictions, labels.drop(columns="LBBB"), splits, DRAWS)
