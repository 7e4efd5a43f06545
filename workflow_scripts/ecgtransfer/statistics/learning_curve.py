"""Learning curves as inverse power laws: fitted to scores at a few numbers of recordings, and continued beyond them.

Scores approach an asymptote by a power of the number of recordings, score(n) = a - b n^-c, by which curves of
classifiers in medicine have been continued (Figueroa et al. 2012, BMC Med. Inform. Decis. Mak. 12:8). Of the forms that
measured curves have, this one has most support, but not all curves have it (Viering & Loog 2023, The Shape of Learning
Curves: A Review, IEEE Trans. Pattern Anal. Mach. Intell. 45:7799-7819).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

BEST_SCORE = 1.0
CHANCE = 0.05
"""Of curves that are power laws, as many count as if they were none."""
_EXPONENTS = np.geomspace(0.01, 5, 48)
"""Among which the best is looked for. Measured ones are some 0.05 to 1, and beyond 5 a curve is as good as flat."""
_N_REFINED, _ROUNDS = 9, 4  # each round divides by four what is left between two exponents
_N_STEPS = 64  # between the largest number of recordings and the limit, at which two curves are compared


@dataclass(frozen=True)
class InversePowerLaws:
    """Curves asymptote - gap * times^-exponent, `times` being in multiples of the largest number of recordings.

    Attributes
    ----------
    asymptote
        (D,), at most `BEST_SCORE`.
    gap
        (D,), 0 or more: how far the curve is from its asymptote at the largest number.
    exponent
        (D,), above 0.
    """

    asymptote: Array
    gap: Array
    exponent: Array

    def scores_at(self, times: ArrayLike) -> Array:
        """Return the scores of all curves at each of (M,) multiples, (M, D)."""
        multiples = np.asarray(times, dtype=np.float64)[:, None]
        scores: Array = self.asymptote - self.gap * multiples**-self.exponent
        return scores

    def times_to(self, scores: Array) -> Array:
        """Return at which multiple each curve reaches its one of (D,) scores.

        0 where a flat curve is there all along, infinity where the asymptote is not above the score, NaN where a number
        is missing.
        """
        left = self.asymptote - scores
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            times = np.exp((np.log(self.gap) - np.log(left)) / self.exponent)
        flat = (self.gap == 0) & (left >= 0)
        found: Array = np.select([np.isnan(left), flat, left <= 0], [np.nan, 0.0, np.inf], times)
        return found

    def times_to_meet(self, others: "InversePowerLaws", limit: float) -> Array:
        """Return the first multiple, from 1 to `limit`, at which each curve is as high as its one of the others.

        0 where it is at 1 already, infinity where it is nowhere up to the limit, NaN where a number is missing.
        """
        times = np.geomspace(1, limit, _N_STEPS)
        lead = self.scores_at(times) - others.scores_at(times)
        met = np.argmax(lead >= 0, axis=0)
        before, curves = np.maximum(met - 1, 0), np.arange(lead.shape[1])
        rise = lead[met, curves] - lead[before, curves]
        share = np.divide(-lead[before, curves], rise, out=np.ones_like(rise), where=rise > 0)
        crossing = times[before] + share * (times[met] - times[before])
        cases = [np.isnan(lead).any(axis=0), lead[0] >= 0, ~(lead >= 0).any(axis=0)]
        found: Array = np.select(cases, [np.nan, 0.0, np.inf], crossing)
        return found


def fit(sizes: ArrayLike, scores: ArrayLike) -> InversePowerLaws:
    """Return the curves that fit the scores best.

    Parameters
    ----------
    sizes
        (F,) numbers of recordings, increasing, at least three.
    scores
        (F, D), a curve per column. One with a NaN gets NaN.

    Notes
    -----
    Least squares, the j-th of the F points counting j / F times (Figueroa et al. 2012): larger numbers of recordings
    vary less, and are nearer to what is to be known. The variances of few replicates would be weights that are far more
    a matter of chance. That all points have the same test patients needs no weights: what moves all of them alike moves
    the asymptote. With the exponent given, the other two follow from linear least squares, within their bounds; of the
    exponents the best is looked for among many, ever closer, so it is found wherever the search starts.
    """
    places = np.asarray(sizes, dtype=np.float64)
    places = np.log(places / places[-1])
    values = np.asarray(scores, dtype=np.float64).T
    exponents, curves = _EXPONENTS[None], np.arange(len(values))
    for _ in range(_ROUNDS):
        best = np.argmin(_errors(places, values, exponents)[0], axis=1)
        of_each = np.broadcast_to(exponents, (len(values), exponents.shape[1]))
        low, high = (of_each[curves, np.clip(best + step, 0, exponents.shape[1] - 1)] for step in (-1, 1))
        exponents = np.geomspace(low, high, _N_REFINED, axis=1)
    errors, asymptotes, gaps = _errors(places, values, exponents)
    best = np.argmin(errors, axis=1)
    return InversePowerLaws(asymptotes[curves, best], gaps[curves, best], exponents[curves, best])


def fit_draws(sizes: ArrayLike, points: Array) -> InversePowerLaws:
    """Return the curves of points and of their bootstrap draws, which are wider apart if the points are no power law.

    Parameters
    ----------
    sizes
        (F,) as for `fit`.
    points
        (F, 1 + B), the points and behind them their draws.

    Notes
    -----
    Where the points lie farther from their curve than those of all but `CHANCE` of curves that are power laws and vary
    as the draws do, deviations of the draws are multiplied by how many times as far they lie as is usual (the median).
    So physicists widen intervals of results that do not agree (Birge 1932, Phys. Rev. 40:207-227), there by the mean,
    which for few replicates is not finite. It is the only part of an error of the form of the curve that can be seen.
    """
    laws = fit(sizes, points)
    times = np.asarray(sizes, dtype=np.float64) / np.asarray(sizes, dtype=np.float64)[-1]
    by_chance = laws.scores_at(times)[:, :1] + points[:, 1:] - points[:, :1]
    found = _distances(times, points[:, :1], laws)[0]
    usual = _distances(times, by_chance, fit(sizes, by_chance))
    usual = usual[~np.isnan(usual)]
    if np.isnan(found) or not len(usual) or np.mean(usual >= found) >= CHANCE:
        return laws
    middle = float(np.median(usual))
    if middle == 0:  # nothing varies by chance, so there is nothing to widen
        return laws
    return fit(sizes, points[:, :1] + found / middle * (points - points[:, :1]))


def _distances(times: Array, points: Array, laws: InversePowerLaws) -> Array:
    """Return how far points (F, D) lie from the curves of their columns, which may be more than there are columns."""
    away = points - laws.scores_at(times)[:, : points.shape[1]]
    distances: Array = np.sqrt(_weights(len(times)) @ away**2)
    return distances


def _weights(n_points: int) -> Array:
    weights: Array = np.arange(1, n_points + 1) / (n_points * (n_points + 1) / 2)
    return weights


def _errors(places: Array, values: Array, exponents: Array) -> tuple[Array, Array, Array]:
    """Return weighted squared errors, asymptotes and gaps of (D, F) values for (D, K) or (1, K) exponents, all (D, K).

    A square with two bounds: its least is where it is without them, or on an edge.
    """
    weights = _weights(len(places))
    powers = np.exp(-exponents[:, :, None] * places)
    mean = values @ weights
    centred = values - mean[:, None]
    mean_power = powers @ weights
    away = powers - mean_power[:, :, None]
    spread = (away**2) @ weights
    together = (away @ (weights * centred)[:, :, None])[:, :, 0]
    squares = ((centred**2) @ weights)[:, None]
    mean = mean[:, None]

    gap = -together / spread
    asymptote = mean + gap * mean_power
    error = squares - together**2 / spread
    # On the edge of the best score, and on that of flat curves.
    from_best = BEST_SCORE - mean
    at_best = np.maximum((from_best * mean_power - together) / (spread + mean_power**2), 0.0)
    error_at_best = squares + 2 * at_best * together + at_best**2 * spread + (at_best * mean_power - from_best) ** 2
    flat = np.minimum(mean, BEST_SCORE)
    error_flat = squares + (flat - mean) ** 2

    inside = (asymptote <= BEST_SCORE) & (gap >= 0)
    on_best = ~inside & (error_at_best < error_flat)
    cases = [inside, on_best]
    return (
        np.select(cases, [error, error_at_best], error_flat),
        np.select(cases, [asymptote, np.full_like(gap, BEST_SCORE)], flat),
        np.select(cases, [gap, at_best], 0.0),
    )
