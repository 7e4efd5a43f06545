"""Variances that borrow from one another, against simulated ones, the limits of the formula, and scipy's F."""

import numpy as np
import pytest
from scipy import special, stats

from ecgtransfer.statistics.moderation import Prior, fit_prior, moderated, trigamma_inverse


@pytest.mark.parametrize("y", [1e-4, 0.01, 0.3, 1.0, 7.5, 400.0, 1e6])
def test_inverse_of_the_trigamma_function(y: float) -> None:
    assert trigamma_inverse(float(special.polygamma(1, y))) == pytest.approx(y, rel=1e-6)


def variances_of(n: int, d: float, d0: float, s02: float, seed: int = 1) -> np.ndarray:
    """Return variances as the model has them: scaled F with d and d0 degrees of freedom."""
    return s02 * stats.f.rvs(d, d0, size=n, random_state=seed)


@pytest.mark.parametrize(("d", "d0", "s02"), [(2, 4, 1.0), (4, 10, 0.003), (9, 3, 50.0)])
def test_what_variances_were_drawn_from_is_found(d: float, d0: float, s02: float) -> None:
    prior = fit_prior(variances_of(40_000, d, d0, s02), d)
    assert prior.degrees_of_freedom == pytest.approx(d0, rel=0.05)
    assert prior.variance == pytest.approx(s02, rel=0.03)


def test_equal_variances_are_pooled() -> None:
    s2 = 0.2 * stats.chi2.rvs(4, size=5_000, random_state=2) / 4
    prior = fit_prior(s2, 4)
    assert prior.degrees_of_freedom > 100
    assert prior.variance == pytest.approx(0.2, rel=0.03)


def test_variances_that_scatter_less_than_chance_have_all_degrees_of_freedom_together() -> None:
    s2 = np.array([1.0, 1.01, 0.99, 1.0, 1.02, 0.98])
    prior = fit_prior(s2, 2)
    assert np.isinf(prior.degrees_of_freedom)
    variance, d = moderated(s2, 2, prior)
    assert np.ptp(variance) == 0
    assert d == pytest.approx(12)


def test_the_posterior_lies_between_and_counts_both() -> None:
    variance, d = moderated([4.0, 0.5, 1.0], [2, 2, 4], Prior(np.full(3, 1.0), 6.0))
    assert variance == pytest.approx([(6 + 8) / 8, (6 + 1) / 8, 1.0])
    assert d == pytest.approx([8, 8, 8])  # the third would have 10, but all together have 8


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_comparisons_keep_their_own(n: int) -> None:
    s2 = np.arange(1.0, n + 1)
    variance, d = moderated(s2, 2, fit_prior(s2, 2))
    assert variance.tolist() == s2.tolist()
    assert d.tolist() == [2.0] * n


def test_what_is_known_beforehand_moves_the_prior() -> None:
    groups = np.repeat([0.0, 1.0], 5_000)
    s2 = variances_of(10_000, 4, 8, 1.0, seed=3) * np.where(groups == 1, 10.0, 1.0)
    prior = fit_prior(s2, 4, groups[:, None])
    assert prior.variance[0] == pytest.approx(1, rel=0.05)
    assert prior.variance[-1] == pytest.approx(10, rel=0.05)
    assert prior.degrees_of_freedom == pytest.approx(8, rel=0.1)
    assert fit_prior(s2, 4).degrees_of_freedom < 4  # one prior for both groups knows less


def test_a_column_that_repeats_another_changes_nothing() -> None:
    s2, known = variances_of(50, 2, 5, 1.0, seed=4), np.linspace(0, 1, 50)[:, None]
    once, twice = fit_prior(s2, 2, known), fit_prior(s2, 2, np.hstack([known, 2 * known]))
    np.testing.assert_allclose(twice.variance, once.variance, rtol=1e-9)
    assert twice.degrees_of_freedom == pytest.approx(once.degrees_of_freedom)


def test_a_variance_of_zero_is_no_end() -> None:
    s2 = np.array([0.0, 1.0, 2.0, 0.5, 1.5, 0.8])
    variance, d = moderated(s2, 2, fit_prior(s2, 2))
    assert (variance > 0).all()
    assert np.isfinite(d).all()
    assert fit_prior(np.zeros(6), 2).degrees_of_freedom == 0


def test_units_do_not_matter() -> None:
    s2 = variances_of(30, 3, 5, 1.0, seed=5)
    prior, scaled = fit_prior(s2, 3), fit_prior(1e6 * s2, 3)
    np.testing.assert_allclose(scaled.variance, 1e6 * prior.variance)
    assert scaled.degrees_of_freedom == pytest.approx(prior.degrees_of_freedom)
