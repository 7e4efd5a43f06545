import numpy as np
import pytest

from ecgtransfer.statistics.resampling import patient_resamples, replicate_resamples


def test_records_of_a_patient_are_drawn_together():
    patients = np.array(["b", "a", "b", "c", "a", "b"])
    weights = patient_resamples(patients, 500, seed=1)
    assert weights.shape == (500, 6)
    for patient in "abc":
        assert (np.ptp(weights[:, patients == patient], axis=1) == 0).all()
    one_record_each = weights[:, [1, 0, 3]]
    assert (one_record_each.sum(axis=1) == 3).all()
    # Draws of one of three patients in three draws: binomial(3, 1/3), mean 1, variance 2/3.
    assert one_record_each.mean() == pytest.approx(1.0)
    assert one_record_each.var() == pytest.approx(2 / 3, abs=0.08)


def test_draws_follow_the_patient_not_the_order_of_records_or_the_number_of_resamples():
    patients = np.random.default_rng(2).integers(30, size=70)
    order = np.random.default_rng(3).permutation(70)
    weights = patient_resamples(patients, 20, seed=4)
    np.testing.assert_array_equal(patient_resamples(patients[order], 20, seed=4), weights[:, order])
    np.testing.assert_array_equal(patient_resamples(patients, 50, seed=4)[:20], weights)
    assert (patient_resamples(patients, 20, seed=5) != weights).any()


def test_replicate_draws_are_counts_independent_of_the_patient_draws():
    weights = replicate_resamples(5, 2000, seed=0)
    assert weights.shape == (2000, 5)
    assert (weights.sum(axis=1) == 5).all()
    assert weights.var() == pytest.approx(5 * 0.2 * 0.8, abs=0.05)
    patients = patient_resamples(np.arange(5), 2000, seed=0)
    assert abs(np.corrcoef(weights[:, 0], patients[:, 0])[0, 1]) < 0.1
