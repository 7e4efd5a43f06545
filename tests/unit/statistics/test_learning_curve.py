"""Inverse power laws: exact ones are found again, others as scipy finds them, and bounds hold."""

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize

from ecgtransfer.statistics.learning_curve import InversePowerLaws, fit, fit_draws

SIZES = np.array([50, 100, 200, 500, 1000, 2000])
TIMES = SIZES / SIZES[-1]
WEIGHTS = np.arange(1, 7) / 6
FARTHER = (2.0, 5.0, 10.0)


def law(asymptote: float, gap: float, exponent: float) -> InversePowerLaws:
    return InversePowerLaws(*(np.array([each], dtype=float) for each in (asymptote, gap, exponent)))


def noisy(n: int, deviation: float = 0.003) -> np.ndarray:
    """Return n curves with an exponent of 0.4 and noise, (F, n)."""
    return law(0.93, 0.06, 0.4).scores_at(TIMES) + deviation * np.random.default_rng(0).normal(size=(6, n))


def squares(found: np.ndarray, scores: np.ndarray) -> float:
    asymptote, gap, exponent = found
    return float(WEIGHTS @ (scores - asymptote + gap * TIMES**-exponent) ** 2)


@pytest.mark.parametrize("numbers", [(0.95, 0.1, 0.3), (1.0, 0.2, 0.15), (0.9, 0.05, 1.2), (0.7, 0.02, 0.7)])
def test_an_inverse_power_law_is_found_again(numbers: tuple[float, float, float]) -> None:
    found = fit(SIZES, law(*numbers).scores_at(TIMES))
    assert np.ravel([found.asymptote, found.gap, found.exponent]) == pytest.approx(numbers, rel=1e-3)
    np.testing.assert_allclose(found.scores_at(FARTHER), law(*numbers).scores_at(FARTHER), atol=5e-5)


def test_it_is_the_weighted_least_squares_fit_of_scipy() -> None:
    scores = noisy(30)
    found = fit(SIZES, scores)
    compared = 0
    for curve in range(scores.shape[1]):
        if found.asymptote[curve] == 1 or not 0.1 < found.exponent[curve] < 4:
            continue  # a bound holds, of which scipy's plain fit knows nothing
        numbers, _ = curve_fit(
            lambda times, a, b, c: a - b * times**-c, TIMES, scores[:, curve], p0=(0.93, 0.06, 0.4),
            sigma=WEIGHTS**-0.5, maxfev=20000,
        )  # fmt: skip
        expected = law(*numbers).scores_at(FARTHER)[:, 0]
        np.testing.assert_allclose(found.scores_at(FARTHER)[:, curve], expected, atol=2e-4)
        compared += 1
    assert compared > 10


def test_within_the_bounds_scipy_finds_no_better_fit() -> None:
    scores = noisy(20, deviation=0.02)
    found = fit(SIZES, scores)
    n_on_a_bound = 0
    for curve, of_curve in enumerate(scores.T):
        mine = np.array([found.asymptote[curve], found.gap[curve], found.exponent[curve]])
        n_on_a_bound += mine[0] == 1 or mine[1] == 0
        tried = [
            minimize(squares, (0.9, gap, exponent), args=(of_curve,), bounds=[(None, 1), (0, None), (0.01, 5)]).fun
            for gap in (0.02, 0.2)
            for exponent in (0.1, 0.5, 2)
        ]
        assert squares(mine, of_curve) <= min(tried) + 1e-7
    assert 0 < n_on_a_bound < 20


def test_a_falling_curve_is_continued_as_a_flat_one_and_none_beyond_one() -> None:
    falling = np.linspace(0.9, 0.8, 6)
    steep = 0.9 + 0.1 * np.log(SIZES / 2000)
    found = fit(SIZES, np.stack([falling, steep, np.full(6, 0.7)], axis=1)).scores_at((1, *FARTHER))
    np.testing.assert_allclose(found[:, 0], np.average(falling, weights=WEIGHTS))
    assert (np.diff(found[:, 1]) > 0).all()
    assert found[:, 1].max() < 1
    np.testing.assert_allclose(found[:, 2], 0.7)


def test_a_curve_with_a_missing_score_is_unknown_and_the_others_are_not() -> None:
    scores = noisy(3)
    scores[2, 1] = np.nan
    found = fit(SIZES, scores).scores_at(FARTHER)
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_array_equal(found[:, [0, 2]], fit(SIZES, noisy(3)).scores_at(FARTHER)[:, [0, 2]])
    assert np.isnan(fit(SIZES, scores).times_to(np.full(3, 0.9))).tolist() == [False, True, False]


def test_how_often_as_many_recordings_a_score_takes() -> None:
    curve = law(0.9, 0.1, 0.5)
    assert curve.times_to(np.array([0.8])) == pytest.approx(1)
    assert curve.times_to(np.array([0.85])) == pytest.approx(4)
    assert curve.times_to(np.array([0.7])) == pytest.approx(0.25)
    assert curve.times_to(np.array([0.9])) == np.inf
    flat = law(0.9, 0, 0.5)
    assert (flat.times_to(np.array([0.9])), flat.times_to(np.array([0.91]))) == (0, np.inf)


def test_where_two_curves_meet() -> None:
    # Of the same exponent c: (gap - other gap) / (asymptote - other asymptote) to the power 1 / c.
    steep, even = law(0.95, 0.15, 0.5), law(0.9, 0.05, 0.5)
    assert steep.times_to_meet(even, 10) == pytest.approx((0.1 / 0.05) ** 2, rel=1e-3)
    assert steep.times_to_meet(even, 3) == np.inf
    assert even.times_to_meet(steep, 10) == 0
    assert steep.times_to_meet(steep, 10) == 0
    assert np.isnan(law(np.nan, 0.1, 0.5).times_to_meet(even, 10))


def with_draws(points: np.ndarray, deviation: float, n: int = 400) -> np.ndarray:
    noise = deviation * np.random.default_rng(1).normal(size=(6, n))
    return np.concatenate([points[:, None], points[:, None] + noise], axis=1)


def test_draws_are_moved_apart_only_where_the_points_are_no_power_law() -> None:
    power = law(0.93, 0.06, 0.4).scores_at(TIMES)[:, 0]
    points = with_draws(power, 0.002)
    np.testing.assert_array_equal(fit_draws(SIZES, points).scores_at(FARTHER), fit(SIZES, points).scores_at(FARTHER))
    steps = power + 0.01 * np.array([1, -1, -1, 1, 1, -1])
    points = with_draws(steps, 0.002)
    wider, plain = (fitted(SIZES, points).scores_at([2])[0] for fitted in (fit_draws, fit))
    assert wider[0] == plain[0]
    # These lie some five times as far from a power law as noise of 0.002 would make points lie.
    assert 3 < wider[1:].std() / plain[1:].std() < 8


def test_points_that_never_vary_have_draws_that_do_not() -> None:
    points = np.repeat(np.array([0.6, 0.62, 0.75, 0.8, 0.81, 0.9])[:, None], 50, axis=1)
    found = fit_draws(SIZES, points).scores_at(FARTHER)
    np.testing.assert_array_equal(found, found[:, :1].repeat(50, axis=1))
