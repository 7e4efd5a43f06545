import numpy as np
import pytest
from scipy import stats

from ecgtransfer.statistics.resampling import (
    patient_resamples,
    patients_of_rarer_class,
    replicate_draws,
    separate_replicate_draws,
    widened_for_few_patients,
)


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


def test_patients_are_counted_once_per_class_of_records_with_known_labels():
    patients = np.array(["a", "a", "b", "b", "c", "d"])
    positive = np.array([[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool).T
    known = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]], dtype=bool).T
    # Label 0: a and b have it; b without it in another record, and c; nothing is known of d.
    for labels, counts in ((positive, [2, 0]), (~positive, [2, 0]), (positive & (patients == "a")[:, None], [1, 1])):
        np.testing.assert_array_equal(patients_of_rarer_class(labels, known, patients), counts)
    assert patients_of_rarer_class(positive[:0], known[:0], patients[:0]).tolist() == [0, 0]


@pytest.mark.parametrize("m", [2, 5, 40])
def test_widened_resamples_of_a_mean_vary_as_much_as_means_do(m):
    generator = np.random.default_rng(m)
    sampled = generator.normal(size=(3000, m, 1))  # variance 1, so means of m vary by 1 / m
    drawn = np.take_along_axis(sampled, generator.integers(m, size=(3000, m, 30)), axis=1).mean(axis=1)
    widened = widened_for_few_patients(sampled.mean(axis=1), drawn[:, None], [m])
    assert widened.shape == (3000, 1, 30)
    variance = ((widened[:, 0] - sampled.mean(axis=1)) ** 2).mean()
    assert variance == pytest.approx(1 / m, rel=0.05)
    if m == 2:  # 0.5 without
        np.testing.assert_array_equal(widened_for_few_patients(sampled.mean(axis=1), drawn[:, None], [1]), widened)


def test_widening_keeps_what_is_not_known():
    widened = widened_for_few_patients(np.array([0.5, np.nan]), np.array([[0.6, np.nan], [np.nan, np.nan]]), [3, 0])
    np.testing.assert_allclose(widened, [[0.5 + 0.1 * np.sqrt(1.5), np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize("n_replicates", [2, 3, 10])
def test_drawn_sums_of_deviations_have_students_distribution(n_replicates):
    draws = replicate_draws(n_replicates, 20_000, seed=0)
    assert draws.normal.shape == (20_000, n_replicates)
    deviations = np.random.default_rng(5).normal(size=n_replicates)
    sums = draws.normal @ deviations / np.linalg.norm(deviations) / np.sqrt(draws.spread(len(deviations) - 1))
    assert stats.kstest(sums, stats.t(n_replicates - 1).cdf).pvalue > 0.01
    patients = patient_resamples(np.arange(n_replicates), 2000, seed=0)
    assert abs(stats.spearmanr(draws.normal[:2000, 0], patients[:, 0]).statistic) < 0.1


def test_draws_of_cells_are_separate_and_those_of_one_cell_are_those_of_all_studies():
    n_cells, n_draws = 8, 4000
    cells = separate_replicate_draws(n_cells, 3, n_draws, seed=1)
    columns = np.concatenate([np.column_stack([cell.normal, stats.norm.ppf(cell.uniform)]) for cell in cells], axis=1)
    assert columns.shape == (n_draws, n_cells * 4)
    correlations = np.corrcoef(columns.T)[~np.eye(n_cells * 4, dtype=bool)]
    assert np.abs(correlations).max() < 0.1
    assert all(stats.kstest(column, "norm").pvalue > 0.01 for column in columns.T)
    (alone,) = separate_replicate_draws(1, 3, n_draws, seed=1)
    for found, expected in zip(alone, replicate_draws(3, n_draws, seed=1), strict=True):
        np.testing.assert_array_equal(found, expected)
