import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from ecgtransfer.statistics import (
    auroc,
    average_precision,
    best_f1_threshold,
    f1,
    macro,
    patient_resamples,
    percentile_interval,
    replicate_resamples,
    resampled_mean,
    verdict,
)

N_RESAMPLES = 40


def cohort(seed, n_records=120, prevalence=0.2, decimals=None):
    """Labels, scores (tied if rounded) and resamples of patients with one to three records."""
    generator = np.random.default_rng(seed)
    truth = (generator.random(n_records) < prevalence).astype(int)
    truth[:2] = 0, 1
    score = (truth + generator.normal(size=n_records)).astype(np.float32)
    if decimals is not None:
        score = score.round(decimals)
    patients = generator.integers(n_records // 2, size=n_records)
    return truth, score, patient_resamples(patients, N_RESAMPLES, seed)


def by_sklearn(metric, truth, score, weights):
    """The metric of each resample by scikit-learn, NaN where a class is missing."""
    return np.array(
        [
            metric(truth, score, sample_weight=row) if 0 < truth[row > 0].mean() < 1 else np.nan
            for row in weights.astype(float)
        ]
    )


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("prevalence", [0.02, 0.2, 0.9])
@pytest.mark.parametrize(("ours", "reference"), [(auroc, roc_auc_score), (average_precision, average_precision_score)])
def test_ranking_metrics_equal_scikit_learn_on_every_resample(ours, reference, prevalence, decimals):
    truth, score, weights = cohort(7, prevalence=prevalence, decimals=decimals)
    expected = by_sklearn(reference, truth, score, weights)
    np.testing.assert_allclose(ours(truth, score, weights), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours(truth, score), [reference(truth, score)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_ranking_metrics_do_not_depend_on_blocks_or_memory_order(metric, monkeypatch):
    truth, score, weights = cohort(3, decimals=1)
    expected = metric(truth, score, weights)
    np.testing.assert_array_equal(metric(truth, score, np.ascontiguousarray(weights)), expected)
    np.testing.assert_array_equal(metric(truth, score, weights.astype(np.uint16)), expected)
    monkeypatch.setattr("ecgtransfer.statistics._BLOCK_COUNTS", 1)
    np.testing.assert_array_equal(metric(truth, score, weights), expected)


def test_weights_that_are_not_counts_are_refused():
    with pytest.raises(TypeError):
        auroc([0, 1], [0.1, 0.2], np.array([[0.5, 0.5]]))


def test_constant_scores_have_area_one_half_and_precision_equal_to_prevalence():
    truth, _, weights = cohort(5)
    prevalence = (weights @ truth) / weights.sum(axis=1)
    np.testing.assert_allclose(auroc(truth, np.ones(len(truth)), weights), 0.5)
    np.testing.assert_allclose(average_precision(truth, np.ones(len(truth)), weights), prevalence)


@pytest.mark.parametrize("metric", [auroc, average_precision, f1])
def test_a_resample_without_positives_or_without_negatives_is_nan(metric):
    truth, score = np.array([1, 0, 0]), np.array([1, 0, 1])
    weights = np.array([[0, 2, 1], [3, 0, 0], [1, 1, 1]])
    assert np.isnan(metric(truth, score, weights)).tolist() == [True, True, False]
    assert np.isnan(metric(np.zeros(3), score, weights)).all()
    assert np.isnan(metric(np.ones(3), score, weights)).all()


def test_f1_equals_scikit_learn_and_is_zero_where_nothing_is_found():
    truth, score, weights = cohort(11)

    def reference(truth, predicted, sample_weight):
        return f1_score(truth, predicted, sample_weight=sample_weight, zero_division=0)

    for threshold in (0.5, 2.0, 99.0):
        expected = by_sklearn(reference, truth, score >= threshold, weights)
        np.testing.assert_allclose(f1(truth, score >= threshold, weights), expected, rtol=0, atol=1e-12)
    assert (f1(truth, score >= 99.0, weights) == 0).all()


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("seed", range(5))
def test_best_threshold_reaches_the_highest_f1_of_all_thresholds(seed, decimals):
    truth, score, _ = cohort(seed, decimals=decimals)
    attained = {t: f1_score(truth, score >= t) for t in np.unique(score)}
    threshold = best_f1_threshold(truth, score)
    best = max(attained.values())
    assert f1_score(truth, score >= threshold) == pytest.approx(best, abs=1e-12)
    assert threshold == min(t for t, value in attained.items() if value > best - 1e-12)


def test_among_equally_good_thresholds_the_lowest_is_taken():
    # F1 is 2 * 1 / (2 + 1) at 0.9 and 2 * 2 / (2 + 4) at 0.6: the same.
    assert best_f1_threshold([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6]) == 0.6


def test_best_threshold_is_one_half_where_nothing_can_be_learned():
    assert best_f1_threshold([0, 0], [0.1, 0.9]) == 0.5
    assert best_f1_threshold([1, 1], [0.1, 0.9]) == 0.5
    assert best_f1_threshold([], []) == 0.5


def test_macro_leaves_out_nan_labels_without_a_warning(recwarn):
    values = np.array([[0.6, np.nan, np.nan], [0.8, 0.4, np.nan]])
    np.testing.assert_allclose(macro(values), [0.7, 0.4, np.nan])
    assert not recwarn.list


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


def test_resampled_mean_has_the_variance_of_both_factors():
    # Closed form: var(patients) + t^2/z^2 * s^2 / R, with t, z = 2.7764, 1.9600 for R = 5 and 95 %.
    generator = np.random.default_rng(0)
    values = np.array([0.70, 0.72, 0.69, 0.75, 0.71])
    resampled = values[:, None] + generator.normal(scale=0.01, size=20_000)
    draws = resampled_mean(values, resampled, replicate_resamples(5, 20_000, 0), 0.95)
    expected = 0.01**2 + (2.7764 / 1.9600) ** 2 * values.var(ddof=1) / 5
    assert draws.var() == pytest.approx(expected, rel=0.04)
    assert draws.mean() == pytest.approx(values.mean(), abs=5e-4)


def test_a_single_replicate_has_only_the_variation_of_patients():
    resampled = np.random.default_rng(0).random((1, 50))
    np.testing.assert_array_equal(
        resampled_mean(np.array([0.5]), resampled, replicate_resamples(1, 50, 0), 0.95), resampled[0]
    )


@pytest.mark.parametrize("n_replicates", [3, 5, 10])
@pytest.mark.parametrize(("of_patients", "of_replicates"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_intervals_cover_the_truth_whichever_factor_varies(n_replicates, of_patients, of_replicates):
    generator, n_studies, n_resamples = np.random.default_rng(n_replicates), 500, 300
    covered = 0
    for study in range(n_studies):
        values = of_patients * generator.normal() + of_replicates * generator.normal(size=n_replicates)
        resampled = values[:, None] + of_patients * generator.normal(size=n_resamples)
        draws = resampled_mean(values, resampled, replicate_resamples(n_replicates, n_resamples, study), 0.95)
        low, high = percentile_interval(draws, values.mean(), 0.95)
        covered += low <= 0 <= high
    # Nominal 95 %; four standard errors of 500 studies are 3.9 %. Without the corrections R = 3 covers 73 %.
    assert 0.911 <= covered / n_studies <= 0.995


def test_equal_scorers_are_seldom_said_to_differ():
    # Five replicates of two arms on 150 patients with one to three records each; both arms draw the quality of a
    # replicate from the same distribution and share its signal in part, so the true difference is zero.
    n_studies, n_resamples, n_replicates = 300, 200, 5
    said = []
    for study in range(n_studies):
        generator = np.random.default_rng([99, study])
        patients = np.repeat(np.arange(150), generator.integers(1, 4, size=150))
        ill = (generator.random(150) < 0.3)[patients].astype(int)
        common = (generator.normal(size=150))[patients] + generator.normal(size=len(patients))
        weights = patient_resamples(patients, n_resamples, study)
        values, resampled = np.empty(n_replicates), np.empty((n_replicates, n_resamples))
        for replicate in range(n_replicates):
            plain, drawn = np.empty(2), np.empty((2, n_resamples))
            for arm in range(2):
                quality = 1.5 + 0.3 * generator.normal()
                score = quality * ill + common + generator.normal(size=len(patients))
                plain[arm], drawn[arm] = auroc(ill, score)[0], auroc(ill, score, weights)
            values[replicate], resampled[replicate] = plain[1] - plain[0], drawn[1] - drawn[0]
        draws = resampled_mean(values, resampled, replicate_resamples(n_replicates, n_resamples, study), 0.95)
        said.append(verdict(*percentile_interval(draws, values.mean(), 0.95), margin=0.01))
    assert said.count("helps") / n_studies <= 0.05
    assert said.count("hurts") / n_studies <= 0.05


def test_interval_is_of_percentiles_without_nan_and_holds_the_point():
    draws = np.append(np.arange(101.0), [np.nan, np.nan])
    assert percentile_interval(draws, 50.0, 0.9) == pytest.approx((5.0, 95.0))
    assert percentile_interval(draws, -3.0, 0.9) == pytest.approx((-3.0, 95.0))
    assert percentile_interval(draws, 104.0, 0.9) == pytest.approx((5.0, 104.0))
    assert np.isnan(percentile_interval([np.nan], 0.5, 0.95)).all()
    assert np.isnan(percentile_interval(draws, np.nan, 0.95)).all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.2, "helps"),
        (0.001, 0.005, "helps"),  # excludes 0 and lies within the margin: a small but certain gain
        (-0.2, -0.001, "hurts"),
        (-0.005, -0.001, "hurts"),
        (-0.01, 0.01, "equivalent"),
        (0.0, 0.0, "equivalent"),
        (-0.02, 0.005, "undecided"),
        (0.0, 0.05, "undecided"),
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_verdict_follows_the_interval(low, high, expected):
    assert verdict(low, high, margin=0.01) == expected
