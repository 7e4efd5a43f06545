import numpy as np
import pytest
from scipy import stats

from ecgtransfer.statistics.resampling import patient_resamples, replicate_multipliers


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


@pytest.mark.parametrize("n_replicates", [2, 3, 10])
def test_deviations_times_multipliers_have_students_distribution(n_replicates):
    multipliers = replicate_multipliers(n_replicates, 20_000, seed=0)
    assert multipliers.shape == (20_000, n_replicates)
    deviations = np.random.default_rng(5).normal(size=n_replicates)
    sums = multipliers @ deviations / np.linalg.norm(deviations)
    assert stats.kstest(sums, stats.t(n_replicates - 1).cdf).pvalue > 0.01
    patients = patient_resamples(np.arange(n_replicates), 2000, seed=0)
    assert abs(stats.spearmanr(multipliers[:2000, 0], patients[:, 0]).statistic) < 0.1
