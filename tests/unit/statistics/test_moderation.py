"""Variances that borrow from one another, against simulated ones, the limits of the formula, and scipy's F."""

import numpy as np
import pytest
from scipy import stats

from ecgtransfer.statistics.moderation import LOWER_TAIL, UPPER_TAIL, fit_prior, moderated, shared_part


def deviations_of(variances: np.ndarray, n_replicates: int, seed: int = 1) -> np.ndarray:
    """Return deviations of independent replicates from their means, (N, R)."""
    values = np.random.default_rng(seed).normal(size=(len(variances), n_replicates)) * np.sqrt(variances)[:, None]
    return values - values.mean(axis=1, keepdims=True)


def with_variances(s2: list[float], n_replicates: int = 3) -> np.ndarray:
    """Return deviations that have exactly these variances, in directions as independent as they come."""
    deviations = deviations_of(np.ones(len(s2)), n_replicates, seed=len(s2))
    lengths = np.linalg.norm(deviations, axis=1) / np.sqrt(n_replicates - 1)
    return deviations * (np.sqrt(s2) / lengths)[:, None]


def ones(n: int) -> np.ndarray:
    return np.ones((n, 1))


@pytest.mark.parametrize(("d", "d0", "s02"), [(2, 4, 1.0), (4, 10, 0.003), (9, 3, 50.0)])
def test_what_variances_were_drawn_from_is_found(d: int, d0: float, s02: float) -> None:
    s2 = s02 * stats.f.rvs(d, d0, size=40_000, random_state=1)
    prior, degrees = fit_prior(s2, d, ones(len(s2)))
    assert np.median(degrees) == pytest.approx(d0, rel=0.08)
    assert prior == pytest.approx(s02, rel=0.03)


def test_the_cut_moments_are_those_of_scipys_f() -> None:
    # Fitted to the quantiles of the distribution itself, cut where the fit cuts, it finds that distribution.
    d, d0 = 4, 6.0
    shares = (np.arange(20_000) + 0.5) / 20_000
    s2 = stats.f.ppf(np.clip(shares, LOWER_TAIL, 1 - UPPER_TAIL), d, d0)
    prior, degrees = fit_prior(s2, d, ones(len(s2)))
    assert np.median(degrees) == pytest.approx(d0, rel=0.02)
    assert prior == pytest.approx(1, rel=0.01)


def test_equal_variances_are_pooled() -> None:
    found = moderated(deviations_of(np.full(5_000, 0.2), 5))
    assert found.values == pytest.approx(0.2, rel=0.05)
    assert np.median(found.degrees_of_freedom) > 100


def test_variances_that_scatter_less_than_chance_have_all_degrees_of_freedom_together() -> None:
    found = moderated(with_variances([1.0, 1.01, 0.99, 1.0, 1.02, 0.98]))
    assert np.ptp(found.values) == 0
    shared = shared_part(with_variances([1.0, 1.01, 0.99, 1.0, 1.02, 0.98]))
    assert found.degrees_of_freedom == pytest.approx(12 / (1 + 5 * shared))


def test_the_posterior_lies_between_prior_and_own() -> None:
    deviations = deviations_of(1 / np.random.default_rng(2).chisquare(4, size=200), 3)
    own = np.sum(deviations**2, axis=1) / 2
    prior, _ = fit_prior(own, 2, ones(200), shared_part(deviations))
    found = moderated(deviations)
    assert ((np.minimum(own, prior) <= found.values) & (found.values <= np.maximum(own, prior))).all()
    assert (found.degrees_of_freedom > 2).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_comparisons_keep_their_own(n: int) -> None:
    s2 = list(np.arange(1.0, n + 1))
    found = moderated(with_variances(s2) if n else np.empty((0, 3)))
    assert found.values == pytest.approx(s2)
    assert found.degrees_of_freedom.tolist() == [2.0] * n


def test_single_replicates_know_no_variance() -> None:
    found = moderated(np.zeros((6, 1)))
    assert found.values.tolist() == [0.0] * 6


def test_what_is_known_beforehand_moves_the_prior() -> None:
    groups = np.repeat([0.0, 1.0], 3_000)
    deviations = deviations_of(np.where(groups == 1, 10.0, 1.0), 5)
    told, untold = moderated(deviations, groups[:, None]), moderated(deviations)
    assert told.values[:3_000].mean() == pytest.approx(1, rel=0.05)
    assert told.values[3_000:].mean() == pytest.approx(10, rel=0.05)
    assert np.median(told.degrees_of_freedom) > 5 * np.median(untold.degrees_of_freedom)


def test_a_column_that_repeats_another_changes_nothing() -> None:
    deviations, known = deviations_of(np.linspace(1, 3, 50), 3), np.linspace(0, 1, 50)[:, None]
    once, twice = moderated(deviations, known), moderated(deviations, np.hstack([known, 2 * known]))
    np.testing.assert_allclose(twice.values, once.values, rtol=1e-9)
    np.testing.assert_allclose(twice.degrees_of_freedom, once.degrees_of_freedom, rtol=1e-9)


def test_one_far_beyond_the_others_moves_nothing_and_is_not_moved() -> None:
    deviations = deviations_of(np.ones(40), 5, seed=6)
    odd = deviations.copy()
    odd[7] *= 30
    without, found = moderated(np.delete(deviations, 7, axis=0)), moderated(odd)
    np.testing.assert_allclose(np.delete(found.values, 7), without.values, rtol=0.35)
    own = np.sum(odd[7] ** 2) / 4
    assert found.values[7] > 0.5 * own
    assert found.degrees_of_freedom[7] < np.delete(found.degrees_of_freedom, 7).min()


def test_what_a_partner_shares_counts_once() -> None:
    rng = np.random.default_rng(3)
    scratch, own = rng.normal(size=(2_000, 1, 4)), rng.normal(size=(2_000, 6, 4))
    seen = [shared_part(each - each.mean(axis=1, keepdims=True)) for each in own - scratch]
    assert np.mean(seen) == pytest.approx(0.25, abs=0.03)
    alone = [shared_part(each - each.mean(axis=1, keepdims=True)) for each in own]
    assert np.mean(alone) < 0.1  # 0, but for what is never below 0
    values = own[0] - scratch[0]
    deviations = values - values.mean(axis=1, keepdims=True)
    named = moderated(deviations, partners=["scratch"] * 6)
    assert (named.degrees_of_freedom <= 6 * 3 / (1 + 5 * 0.25) + 1e-9).all()


def test_two_replicates_do_not_show_what_is_shared() -> None:
    deviations = deviations_of(np.ones(6), 2)
    assert shared_part(deviations) == 0
    assert shared_part(deviations, ["a"] * 6) == pytest.approx(0.25)
    assert shared_part(deviations, ["a"] * 3 + ["b"] * 3) == pytest.approx(0.25 * 12 / 30)


def test_a_variance_of_zero_is_no_end() -> None:
    found = moderated(with_variances([0.0, 1.0, 2.0, 0.5, 1.5, 0.8]))
    assert (found.values > 0).all()
    assert np.isfinite(found.degrees_of_freedom).all()
    assert moderated(np.zeros((6, 3))).degrees_of_freedom.tolist() == [2.0] * 6


def test_units_do_not_matter() -> None:
    deviations = deviations_of(np.linspace(0.5, 2, 30), 4)
    found, scaled = moderated(deviations), moderated(1000 * deviations)
    np.testing.assert_allclose(scaled.values, 1e6 * found.values)
    np.testing.assert_allclose(scaled.degrees_of_freedom, found.degrees_of_freedom)
