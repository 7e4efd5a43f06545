import numpy as np
import pytest
from challenge_by_the_book import challenge_by_the_book
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from ecgtransfer.statistics.metrics import (
    auroc,
    average_precision,
    best_f1_threshold,
    brier,
    challenge_score,
    expected_calibration_error,
    f1,
    macro,
    macro_of_frequent,
)
from ecgtransfer.statistics.resampling import patient_resamples

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
    monkeypatch.setattr("ecgtransfer.statistics.metrics._BLOCK_COUNTS", 1)
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


def test_macro_of_frequent_leaves_out_rare_labels_everywhere_and_counts_the_resamples_of_the_others():
    values = np.array([[0.6, np.nan, np.nan], [0.8, 0.4, np.nan], [0.1, 0.1, 0.1], [np.nan, 0.9, np.nan]])
    mean, n_valid = macro_of_frequent(values, [5, 30, 4, 5], min_positives=5)
    np.testing.assert_allclose(mean, [0.7, 0.65, np.nan])
    assert n_valid.tolist() == [1, 2, 0, 1]
    np.testing.assert_array_equal(macro_of_frequent(values, [5, 30, 4, 5], 0)[0], macro(values))


def probabilities(seed, n_records=120, decimals=None):
    """Labels, probabilities that are too sure of themselves, and resamples."""
    truth, score, weights = cohort(seed, n_records)
    probability = 1 / (1 + np.exp(-2 * score.astype(np.float64)))
    return truth, probability if decimals is None else probability.round(decimals), weights


def test_brier_equals_scikit_learn_on_every_resample():
    truth, probability, weights = probabilities(1)
    expected = [brier_score_loss(truth, probability, sample_weight=row) for row in weights]
    np.testing.assert_allclose(brier(truth, probability, weights), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(brier(truth, probability), brier_score_loss(truth, probability), rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", [brier, expected_calibration_error])
def test_calibration_needs_one_class_but_some_record(metric):
    weights = np.array([[0, 0], [1, 3]])
    np.testing.assert_allclose(metric([0, 0], [0.0, 1.0], weights), [np.nan, 0.75])


@pytest.mark.parametrize("n_bins", [1, 4, 10])
def test_calibration_error_equals_a_loop_over_bins_of_equally_many_records(n_bins):
    truth, probability, weights = probabilities(2)
    bins = np.split(np.argsort(probability), n_bins)
    for resample, row in enumerate(weights):
        expected = 0.0
        for bin_ in bins:
            drawn = np.repeat(bin_, row[bin_])
            if len(drawn):
                expected += len(drawn) / row.sum() * abs(truth[drawn].mean() - probability[drawn].mean())
        found = expected_calibration_error(truth, probability, weights, n_bins)[resample]
        assert found == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_ties_does_not_depend_on_the_order_of_records():
    truth, probability, weights = probabilities(3, decimals=1)
    expected = expected_calibration_error(truth, probability, weights)
    order = np.random.default_rng(0).permutation(len(truth))
    again = expected_calibration_error(truth[order], probability[order], weights[:, order])
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-12)
    one_bin = abs((weights @ truth) / weights.sum(axis=1) - 0.3)
    np.testing.assert_allclose(expected_calibration_error(truth, np.full(len(truth), 0.3), weights), one_bin)


def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not():
    generator = np.random.default_rng(4)
    probability = generator.random(50_000)
    truth = generator.random(50_000) < probability
    assert expected_calibration_error(truth, probability) < 0.02
    # Closed form: with p the true and p^2 the stated probability, the mean of p - p^2 over [0, 1] is 1/6.
    assert expected_calibration_error(truth, probability**2) == pytest.approx(1 / 6, abs=0.01)


@pytest.fixture
def challenge():
    """Labels and answers of 60 recordings over five classes, some without any, and a table of rewards."""
    generator = np.random.default_rng(6)
    truth = (generator.random((60, 5)) < 0.3).astype(int)
    predicted = np.where(generator.random((60, 5)) < 0.7, truth, 1 - truth)
    rewards = generator.random((5, 5))
    np.fill_diagonal(rewards, 1.0)
    return truth, predicted, rewards


def test_challenge_score_equals_the_definition_on_every_resample(challenge):
    truth, predicted, rewards = challenge
    weights = patient_resamples(np.arange(60) // 2, N_RESAMPLES, 5)
    expected = []
    for row in weights:
        drawn = np.repeat(np.arange(60), row)
        expected.append(challenge_by_the_book(truth[drawn], predicted[drawn], rewards, normal=2))
    np.testing.assert_allclose(challenge_score(truth, predicted, rewards, 2, weights), expected, rtol=0, atol=1e-12)
    plain = challenge_by_the_book(truth, predicted, rewards, normal=2)
    np.testing.assert_allclose(challenge_score(truth, predicted, rewards, 2), [plain], rtol=0, atol=1e-12)


def test_right_answers_score_one_and_always_normal_scores_zero(challenge):
    truth, _, rewards = challenge
    weights = patient_resamples(np.arange(60), N_RESAMPLES, 5)
    always_normal = np.tile([0, 0, 1, 0, 0], (60, 1))
    np.testing.assert_allclose(challenge_score(truth, truth, rewards, 2, weights), 1)
    np.testing.assert_allclose(challenge_score(truth, always_normal, rewards, 2, weights), 0, atol=1e-12)


def test_challenge_score_shares_a_reward_among_the_classes_named():
    # One recording of class 0. Class 0 alone earns 1; normal (class 1) alone 0.25 / 2, as two classes are then true or
    # answered; both earn (1 + 0.25) / 2; nothing earns 0.
    rewards = np.array([[1.0, 0.25], [0.25, 1.0]])
    assert challenge_score([[1, 0]], [[1, 1]], rewards, normal=1) == pytest.approx((0.625 - 0.125) / (1 - 0.125))
    assert challenge_score([[1, 0]], [[0, 0]], rewards, normal=1) == pytest.approx((0 - 0.125) / (1 - 0.125))


def test_challenge_score_is_nan_where_normal_is_the_right_answer_everywhere():
    weights = np.array([[2, 0], [1, 1]])
    score = challenge_score([[0, 1], [1, 0]], [[0, 1], [1, 0]], np.eye(2), 1, weights)
    np.testing.assert_array_equal(score, [np.nan, 1.0])


@pytest.mark.parametrize("metric", ["brier", "calibration", "challenge"])
def test_sums_over_records_do_not_depend_on_blocks_or_memory_order(metric, challenge, monkeypatch):
    truth, predicted, rewards = challenge
    probability = np.random.default_rng(0).random(60)
    compute = {
        "brier": lambda weights: brier(truth[:, 0], probability, weights),
        "calibration": lambda weights: expected_calibration_error(truth[:, 0], probability, weights),
        "challenge": lambda weights: challenge_score(truth, predicted, rewards, 2, weights),
    }[metric]
    weights = patient_resamples(np.arange(60), N_RESAMPLES, 5)
    expected = compute(weights)
    np.testing.assert_allclose(compute(np.ascontiguousarray(weights)), expected, rtol=0, atol=1e-12)
    monkeypatch.setattr("ecgtransfer.statistics.metrics._BLOCK_COUNTS", 1)
    np.testing.assert_allclose(compute(weights), expected, rtol=0, atol=1e-12)
