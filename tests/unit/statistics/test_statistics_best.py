"""Which candidates may be the best: in closed form, and in simulated studies whose best ones are known."""

import numpy as np
import pytest
from scipy.stats import studentized_range, t

from ecgtransfer.statistics.best import from_the_best
from ecgtransfer.statistics.inference import Variance, percentile_interval, resampled_mean
from ecgtransfer.statistics.resampling import replicate_draws

CONFIDENCE, SEED = 0.95, 3
N_STUDIES, N_RESAMPLES = 500, 500


def alone(scores):
    """Return scores (K, R) with resamples to which patients do nothing."""
    return scores, np.repeat(scores[:, :, None], N_RESAMPLES, axis=2)


def centred(generator, *shape):
    """Return normal numbers with means of exactly 0 and deviations of exactly 1 along the last axis."""
    numbers = generator.normal(size=shape)
    numbers -= numbers.mean(axis=-1, keepdims=True)
    return numbers / numbers.std(axis=-1, ddof=1, keepdims=True)


@pytest.mark.parametrize("n_replicates", [1, 3, 8])
def test_two_candidates_have_the_plain_paired_interval(n_replicates):
    generator = np.random.default_rng(n_replicates)
    values = generator.normal([[0.1], [0.0]], 0.1, size=(2, n_replicates))
    resampled = values[:, :, None] + 0.05 * generator.normal(size=(2, 1, N_RESAMPLES))
    difference, of_resamples = values[0] - values[1], resampled[0] - resampled[1]
    draws = resampled_mean(difference, of_resamples, replicate_draws(n_replicates, N_RESAMPLES, SEED))
    low, high = percentile_interval(draws, difference.mean(), CONFIDENCE)
    found = from_the_best(values, resampled, CONFIDENCE, SEED)
    assert found.difference == pytest.approx([difference.mean(), -difference.mean()])
    assert found.low == pytest.approx([low, -high], rel=0.01)
    assert found.high == pytest.approx([high, -low], rel=0.01)


def test_two_candidates_that_only_replicates_tell_apart_have_students_interval():
    noise = centred(np.random.default_rng(0), 5)
    values = np.array([0.02 + 0.01 * noise, np.zeros(5)])
    half = t.ppf(0.975, 4) * 0.01 / np.sqrt(5)
    found = from_the_best(*alone(values), CONFIDENCE, SEED)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)
    assert found.may_be_best.tolist() == [True, False]


@pytest.mark.parametrize("n_candidates", [3, 6])
def test_of_known_variance_they_have_the_intervals_of_the_studentised_range(n_candidates):
    # Differences of two candidates vary by sqrt(2) times what one varies by, which the quantile of the range counts.
    values = np.linspace(0.8, 0.7, n_candidates)[:, None] + np.zeros(4)
    pairs = [(i, j) for i in range(n_candidates) for j in range(i + 1, n_candidates)]
    found = from_the_best(*alone(values), CONFIDENCE, SEED, dict.fromkeys(pairs, Variance(2 * 0.02**2, np.inf)))
    half = studentized_range.ppf(0.95, n_candidates, np.inf) * 0.02 / np.sqrt(4)
    last = 0.1  # behind the first, the only one that its interval depends on
    assert found.difference[-1] == pytest.approx(-last)
    assert found.low[-1] == pytest.approx(-last - half, abs=0.05 * half)
    assert found.high[-1] == pytest.approx(-last + half, abs=0.05 * half)


def test_patients_that_move_candidates_apart_give_the_studentised_range_too():
    of_patients = centred(np.random.default_rng(1), 5, 4000)
    values = np.array([0.9, 0.8, 0.7, 0.6, 0.5])[:, None]
    found = from_the_best(values, values[:, :, None] + 0.01 * of_patients[:, None, :], CONFIDENCE, SEED)
    half = studentized_range.ppf(0.95, 5, np.inf) * 0.01
    assert found.high[-1] == pytest.approx(-0.4 + half, abs=0.05 * half)


def study(generator, truth, n_replicates, of_patients, of_replicates, of_both):
    """Return scores and resamples of candidates with normal effects; patients move all of them alike, too."""
    n = len(truth)
    values = np.array(truth)[:, None] + generator.normal() + of_patients * generator.normal(size=(n, 1))
    values = values + np.hypot(of_replicates, of_both) * generator.normal(size=(n, n_replicates))
    draws = generator.normal(size=N_RESAMPLES) + of_patients * generator.normal(size=(n, 1, N_RESAMPLES))
    draws = draws + of_both * generator.normal(size=(n, n_replicates, N_RESAMPLES))
    return values, values[:, :, None] + draws


@pytest.mark.parametrize(
    ("n_replicates", "of_patients", "of_replicates", "of_both"),
    [(1, 1, 0, 0), (3, 0, 1, 0), (3, 1, 1, 1), (5, 0, 1, 0), (5, 1, 2, 0), (10, 0, 1, 1)],
)
def test_of_equal_candidates_hardly_any_is_said_to_be_behind(n_replicates, of_patients, of_replicates, of_both):
    generator, n_wrong = np.random.default_rng(n_replicates), 0
    for number in range(N_STUDIES):
        drawn = study(generator, [0.0] * 4, n_replicates, of_patients, of_replicates, of_both)
        n_wrong += not from_the_best(*drawn, CONFIDENCE, number % 20).may_be_best.all()
    assert n_wrong / N_STUDIES <= 0.07


def test_plain_intervals_of_pairs_would_be_wrong_more_often():
    generator, n_wrong = np.random.default_rng(5), 0
    for number in range(N_STUDIES):
        values, _ = study(generator, [0.0] * 4, 5, 0, 1, 0)
        first, last = values[values.mean(axis=1).argmax()], values[values.mean(axis=1).argmin()]
        of_resamples = np.repeat((first - last)[:, None], N_RESAMPLES, axis=1)
        draws = resampled_mean(first - last, of_resamples, replicate_draws(5, N_RESAMPLES, number % 20))
        n_wrong += percentile_interval(draws, (first - last).mean(), CONFIDENCE)[0] > 0
    assert n_wrong / N_STUDIES > 0.12


def test_intervals_hold_what_is_true_all_at_once_and_one_clearly_better_candidate_is_named():
    generator, truth = np.random.default_rng(2), [4.0, 0.0, 0.0, -1.0]
    true_differences = np.array([4.0, -4.0, -4.0, -5.0])
    n_held, n_named = 0, 0
    for number in range(N_STUDIES):
        found = from_the_best(*study(generator, truth, 10, 0.3, 1, 0), CONFIDENCE, number % 20)
        assert ((found.low <= found.difference) & (found.difference <= found.high)).all()
        n_held += ((found.low <= true_differences) & (true_differences <= found.high)).all()
        n_named += found.may_be_best.tolist() == [True, False, False, False]
    assert n_held / N_STUDIES >= 0.93
    assert n_named / N_STUDIES >= 0.9


def test_resamples_without_a_score_are_left_out_and_equal_candidates_tie():
    generator = np.random.default_rng(4)
    values, resampled = study(generator, [0.0, 0.0, 0.0], 3, 1, 1, 0)
    resampled[1, :, ::7] = np.nan
    found = from_the_best(values, resampled, CONFIDENCE, SEED)
    assert np.isfinite([found.low, found.high]).all()
    same = from_the_best(*alone(np.full((3, 4), 0.8)), CONFIDENCE, SEED)
    assert same.may_be_best.all()
    assert same.difference.tolist() == [0, 0, 0]
