"""Multiple comparisons with the best: which of several candidates may be the best one, and how far each is from it.

The candidate with the highest score need not be the best one: of candidates that are all equal, one comes first, and by
more the more there are. So intervals have to hold for all candidates at once. They follow from those of all pairs,
which are as much longer than plain ones as the maximum over pairs of their studentised joint draws demands (Tukey's
range with draws in place of its assumptions; Romano & Wolf 2005, Econometrica 73:1237-1282): a candidate minus the best
of the others is the smallest of its differences, and so are the ends of its interval (Hsu 1981, Ann. Stat. 9:1026-1034;
Hsu 1996, Multiple Comparisons, chapter 4).

Constrained intervals, from comparisons with one candidate at a time, are shorter. They are not
used, for they err once for each of several candidates that are equally good: of five equal ones, they leave some behind
in some 12 % of studies, where these do so in 5 %.

Draws are studentised by the two halves of the plain interval instead of a standard error: these exist for Student's t
with two degrees of freedom, too, need not be alike, and for two candidates nothing changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ecgtransfer.statistics.inference import Variance, drawn_mean, own_variance, percentile_interval, resampled_mean
from ecgtransfer.statistics.resampling import ReplicateDraws, replicate_draws

Array = NDArray[Any]
Pair = tuple[int, int]


@dataclass(frozen=True)
class FromTheBest:
    """How far each candidate is from the best one of the others, with simultaneous intervals.

    Attributes
    ----------
    difference
        (K,), above 0 for the first one alone.
    low, high
        (K,), of intervals that hold the true differences all at once.
    """

    difference: Array
    low: Array
    high: Array

    @property
    def may_be_best(self) -> Array:
        """(K,) bool: no other one is shown to be better. One alone is the best; several tie."""
        tied: Array = self.high >= 0
        return tied


def from_the_best(
    values: Array,
    resampled: Array,
    confidence: float,
    seed: int,
    variances: Mapping[Pair, Variance | None] | None = None,
) -> FromTheBest:
    """Compare candidates with the best one of them.

    Parameters
    ----------
    values
        (K, R): the score of each of two or more candidates in each replicate, on the whole test set; higher is better.
    resampled
        (K, R, B): the same on every patient resample. Replicates and patients are the same for all candidates.
    confidence, seed
        Of all intervals together, and of the draws of replicates.
    variances
        Of the difference of candidates i and j in one replicate, for i < j, where more is known of it than from its own
        values.

    Notes
    -----
    Two candidates have the plain interval of `ecgtransfer.statistics.inference.resampled_mean` and
    `percentile_interval`.

    Patients are so many that their joint draws show how differences vary together. Replicates are not: differences of
    three replicates seem to vary together whatever they do. What they have in common here is only the candidate, as if
    all candidates varied alike (two differences from one candidate then have a correlation of 1/2), and each variance
    errs for itself, which makes the maximum larger.
    """
    known, means = variances or {}, values.mean(axis=1)
    pairs = list(combinations(range(len(values)), 2))
    plain, deviations = [], []
    for (i, j), drawn in zip(pairs, _joint_draws(values, resampled, seed, known), strict=True):
        difference, of_resamples = means[i] - means[j], resampled[i] - resampled[j]
        draws = replicate_draws(*of_resamples.shape, seed)
        alone = resampled_mean(values[i] - values[j], of_resamples, draws, known.get((i, j)))
        plain.append(percentile_interval(alone, difference, confidence))
        deviations.append(drawn - difference)
    longer = _times_longer(np.array(deviations), confidence)
    differences = means[:, None] - means[None, :]
    low, high = differences.copy(), differences.copy()
    for (i, j), ends in zip(pairs, plain, strict=True):
        low[i, j], high[i, j] = (differences[i, j] + longer * (end - differences[i, j]) for end in ends)
        low[j, i], high[j, i] = -high[i, j], -low[i, j]
    for matrix in (differences, low, high):
        np.fill_diagonal(matrix, np.inf)  # none is compared with itself
    return FromTheBest(differences.min(axis=1), low.min(axis=1), high.min(axis=1))


def _joint_draws(
    values: Array, resampled: Array, seed: int, variances: Mapping[Pair, Variance | None]
) -> Iterator[Array]:
    """Yield B draws of the difference of each pair; replicates are drawn by candidate, and variances by pair."""
    pairs = list(combinations(range(len(values)), 2))
    numbers = replicate_draws(len(values) + len(pairs), resampled.shape[2], seed).normal
    for column, (i, j) in enumerate(pairs, len(values)):
        of_pair = values[i] - values[j]
        known = variances.get((i, j)) or (own_variance(of_pair) if len(of_pair) > 1 else None)
        drawn = ReplicateDraws(normal=(numbers[:, i] - numbers[:, j]) / np.sqrt(2), uniform=ndtr(numbers[:, column]))
        spread = drawn.spread(known.degrees_of_freedom) if known else 1.0
        yield drawn_mean(of_pair, resampled[i] - resampled[j], drawn.normal, spread, known)


def _times_longer(deviations: Array, confidence: float) -> float:
    """Return by how much to lengthen plain intervals of (P, B) deviations of pairs so that all hold at once."""
    known = deviations[:, ~np.isnan(deviations).any(axis=0)]
    if len(known) < 2 or not known.shape[1]:
        return 1.0
    reached = np.zeros(known.shape[1])
    for of_pair in known:
        low, high = percentile_interval(of_pair, 0.0, confidence)
        for half, beyond in ((high, of_pair), (-low, -of_pair)):
            if half > 0:
                reached = np.maximum(reached, beyond / half)
    return max(1.0, float(np.quantile(reached, confidence, method="weibull")))
