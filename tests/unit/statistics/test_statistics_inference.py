import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm, ttest_1samp

from ecgtransfer.statistics.inference import (
    equivalence,
    holm,
    percentile_interval,
    resampled_mean,
    two_sided_p,
    verdict,
)
from ecgtransfer.statistics.resampling import replicate_draws


def quantile_of_both(values, of_patients):
    """The 97.5 % quantile of a normal plus a Student's t variable, by numbers apart from ours."""
    generator, degrees_of_freedom = np.random.default_rng(9), len(values) - 1
    of_replicates = values.std(ddof=1) / np.sqrt(len(values)) * generator.standard_t(degrees_of_freedom, size=400_000)
    return np.quantile(of_patients * generator.normal(size=400_000) + of_replicates, 0.975)


def test_draws_of_the_mean_hold_both_factors():
    generator = np.random.default_rng(0)
    values = np.array([0.70, 0.72, 0.69, 0.75, 0.71])
    resampled = values[:, None] + generator.normal(scale=0.01, size=20_000)
    low, high = percentile_interval(
        resampled_mean(values, resampled, replicate_draws(5, 20_000, 0)), values.mean(), 0.95
    )
    expected = quantile_of_both(values, 0.01)
    assert [values.mean() - low, high - values.mean()] == pytest.approx([expected, expected], rel=0.04)


@pytest.mark.parametrize("of_patients", [0.0, 0.01])
def test_what_replicates_do_not_share_on_resamples_is_counted_once(of_patients):
    # The same quantile: resamples of each replicate for itself belong to the spread of the values, counted there.
    generator = np.random.default_rng(1)
    values = np.array([0.70, 0.72, 0.69, 0.75, 0.71])
    resampled = values[:, None] + of_patients * generator.normal(size=20_000)
    resampled += generator.normal(scale=0.02, size=resampled.shape)
    resampled[:, 7] = np.nan  # a resample without any label to evaluate
    draws = resampled_mean(values, resampled, replicate_draws(5, 20_000, 0))
    assert np.flatnonzero(np.isnan(draws)).tolist() == [7]
    low, high = percentile_interval(draws, values.mean(), 0.95)
    assert (high - low) / 2 == pytest.approx(quantile_of_both(values, of_patients), rel=0.04)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_where_resamples_do_not_vary_the_interval_is_students(confidence):
    values = np.array([0.70, 0.72, 0.69])
    replicates = replicate_draws(3, 100_000, 0)
    draws = resampled_mean(values, np.tile(values[:, None], 100_000), replicates)
    expected = ttest_1samp(values, 0).confidence_interval(confidence)
    np.testing.assert_allclose(percentile_interval(draws, values.mean(), confidence), expected, atol=2e-3)
    np.testing.assert_allclose(resampled_mean(np.full(3, 0.5), np.full((3, 100_000), 0.5), replicates), 0.5)


@pytest.mark.parametrize("spread", [0.0, 1e-4])
def test_replicates_that_agree_by_chance_do_not_make_the_interval_narrower_than_that_of_patients(spread):
    values = 0.7 + spread * np.array([1.0, -1.0, 0.0])
    generator = np.random.default_rng(2)
    shared, own = 0.01, 0.02
    resampled = values[:, None] + shared * generator.normal(size=20_000) + own * generator.normal(size=(3, 20_000))
    low, high = percentile_interval(resampled_mean(values, resampled, replicate_draws(3, 20_000, 0)), 0.7, 0.95)
    assert (high - low) / 2 == pytest.approx(norm.ppf(0.975) * np.sqrt(shared**2 + own**2 / 3), rel=0.03)


def test_where_replicates_do_not_vary_draws_are_those_of_patients():
    resampled = np.tile(np.random.default_rng(0).random(50), (3, 1))
    draws = resampled_mean(np.full(3, 0.5), resampled, replicate_draws(3, 50, 0))
    np.testing.assert_allclose(draws, resampled[0])


def test_a_single_replicate_has_only_the_variation_of_patients():
    resampled = np.random.default_rng(0).random((1, 50))
    np.testing.assert_array_equal(resampled_mean(np.array([0.5]), resampled, replicate_draws(1, 50, 0)), resampled[0])


def test_interval_is_of_percentiles_without_nan_and_holds_the_point():
    # 99 draws in ascending order: rank (99 + 1) * 0.05 from either end.
    draws = np.append(np.arange(1.0, 100.0), [np.nan, np.nan])
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


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("n_draws", [99, 100, 313])
def test_p_is_below_a_level_exactly_where_the_interval_excludes_zero(n_draws, confidence):
    excluded = 0
    for seed in range(400):
        generator = np.random.default_rng([seed, n_draws])
        draws = generator.normal(generator.normal(scale=2), 1, size=n_draws).round(2)  # rounded: some are equal, some 0
        point = draws.mean() + generator.normal(scale=0.3)
        low, high = percentile_interval(draws, point, confidence)
        assert (two_sided_p(draws, point) < 1 - confidence) == (low > 0 or high < 0)
        excluded += low > 0 or high < 0
    assert 100 < excluded < 350


def test_p_is_that_of_the_normal_distribution_for_normal_draws_whatever_the_sign():
    quantiles = norm.ppf((np.arange(1, 10_000)) / 10_000)
    for point in (0.3, 1.0, 2.5):
        expected = 2 * norm.sf(point)
        assert two_sided_p(quantiles + point, point) == pytest.approx(expected, abs=1e-6)
        assert two_sided_p(quantiles - point, -point) == pytest.approx(expected, abs=1e-6)


def test_p_is_never_zero_and_at_most_one():
    assert two_sided_p(np.arange(1.0, 100.0), 50.0) == pytest.approx(2 / 100)
    assert two_sided_p(-np.arange(1.0, 100.0), 50.0) == 1.0
    assert two_sided_p(np.zeros(9), 0.0) == 1.0
    assert two_sided_p(np.zeros(9), 0.1) == 1.0


def test_p_leaves_nan_draws_out():
    draws = np.array([-1.0, 0.5, 1.0, 2.0, 3.0])
    assert two_sided_p(np.append(draws, [np.nan] * 7), 1.0) == two_sided_p(draws, 1.0)
    assert np.isnan(two_sided_p([np.nan], 1.0))
    assert np.isnan(two_sided_p(draws, float("nan")))


def test_holm_steps_down_by_its_definition():
    p = np.array([0.010, 0.040, 0.030, 0.005, 0.9])
    for level in (0.02, 0.04, 0.05, 0.1, 0.12, 0.5):
        rejected = np.zeros(5, dtype=bool)
        for step, index in enumerate(np.argsort(p)):
            if p[index] > level / (5 - step):
                break
            rejected[index] = True
        np.testing.assert_array_equal(holm(p) <= level + 1e-15, rejected)


def test_holm_keeps_nan_shape_and_order():
    p = np.array([[0.04, np.nan, 0.01], [np.nan, 0.6, 0.7]])
    np.testing.assert_allclose(holm(p), [[0.12, np.nan, 0.04], [np.nan, 1.0, 1.0]])
    assert np.isnan(holm([np.nan, np.nan])).all()
    assert holm([]).shape == (0,)
    assert holm([0.02]) == [0.02]
    known = p[~np.isnan(p)]
    assert (holm(known) >= false_discovery_control(known)).all()  # stricter than the false discovery rate


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.01, 0.01, True),
        (0.002, 0.008, True),  # a certain gain that is too small to matter
        (-0.011, 0.0, False),
        (0.0, 0.011, False),
        (float("nan"), float("nan"), False),
        (0.0, float("nan"), False),
    ],
)
def test_equivalence_is_an_interval_within_the_margin(low, high, expected):
    assert equivalence(low, high, margin=0.01) is expected


def test_equivalence_is_said_at_five_percent_where_the_difference_is_the_margin():
    estimates = np.random.default_rng(0).normal(loc=1.0, scale=0.2, size=4000)
    half = norm.ppf(0.95) * 0.2
    said = np.mean([equivalence(estimate - half, estimate + half, margin=1.0) for estimate in estimates])
    assert said == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))
