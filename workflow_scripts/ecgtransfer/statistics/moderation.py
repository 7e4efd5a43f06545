"""Variances known from few replicates each, moderated towards what all comparisons of a study have in common.

The variance s² of a comparison with d degrees of freedom is taken for σ² χ²_d / d, and 1 / σ² of the comparisons for
χ²_d0 / (d0 s0²), so that s² / s0² has an F distribution with d and d0 degrees of freedom. Both hyperparameters follow
from the observed variances, and each comparison is then given (d0 s0² + d s²) / (d0 + d), with d0 + d degrees of
freedom (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3). Where the observed variances scatter no more than chance lets
equal ones, d0 is infinite; where they scatter so much that they have nothing in common, it is near 0 and each keeps its
own. Single variances far beyond the others neither decide what is common nor are they drawn to it (Phipson et al. 2016,
Ann. Appl. Stat. 10:946-963).

Both papers have independent variances. Comparisons of one study share replicates from scratch, so their variances err
together: as many of them tell less, which bounds the degrees of freedom here.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, fdtrc, fdtri, hyp2f1

Array = NDArray[Any]

FEWEST_COMPARISONS = 4
"""With fewer nothing is borrowed: the scatter of two or three variances tells nothing about a prior."""
LOWER_TAIL, UPPER_TAIL = 0.05, 0.1
"""Shares of the variances, the smallest and the largest, that count as if they were the last ones not among them."""
_SMALLEST_SHARE = 1e-5  # of the median, below which a variance counts as this: a logarithm needs one above 0
_MOST_DEGREES = 1e6  # from here on, as good as infinite
_GRID = np.geomspace(0.05, _MOST_DEGREES, 400)
_SQUARES = np.linspace(0, 1, 201)
_N_NODES = 64
_N_REFITS = 5


@dataclass(frozen=True)
class Variances:
    """Variances of comparisons, and how well they are known.

    Attributes
    ----------
    values
        (N,), of one replicate.
    degrees_of_freedom
        (N,), above 0.
    """

    values: Array
    degrees_of_freedom: Array


def moderated(deviations: ArrayLike, known: ArrayLike | None = None, partners: ArrayLike | None = None) -> Variances:
    """Return the moderated variances of comparisons.

    Parameters
    ----------
    deviations
        (N, R): how far each of the R replicates of each comparison lies from the mean over replicates.
    known
        What was known of the comparisons beforehand, (N, K): log s0² is a linear function of it, with an intercept.
        Columns that add nothing to the others are harmless.
    partners
        (N,) names of what comparisons share, such as the run from scratch; None where they share nothing.

    Returns
    -------
    Variances
        Each comparison's own where there are fewer than `FEWEST_COMPARISONS` beyond what is known of them, or all are
        0. Their degrees of freedom are never more than those of all comparisons that tell of it together, as the prior
        is found from these.
    """
    rows = np.asarray(deviations, dtype=np.float64)
    n, degrees = len(rows), float(rows.shape[1] - 1)
    s2 = np.sum(rows**2, axis=1) / degrees if degrees else np.zeros(n)
    own = Variances(s2, np.full(n, max(degrees, 1.0)))
    design = _design(n, known)
    n_fitted = int(np.linalg.matrix_rank(design)) if n else 0
    if degrees < 1 or n - n_fitted < FEWEST_COMPARISONS - 1 or not (s2 > 0).any():
        return own
    shared = shared_part(rows, partners)
    prior, prior_degrees = fit_prior(s2, degrees, design, shared)
    weight = 1 / (1 + degrees / prior_degrees)
    n_telling = np.maximum(1 / np.diag(design @ np.linalg.pinv(design)), 1.0)
    most = degrees * n_telling / (1 + (n_telling - 1) * shared)
    return Variances(weight * prior + (1 - weight) * s2, np.minimum(prior_degrees + degrees, np.maximum(most, degrees)))


def shared_part(deviations: Array, partners: ArrayLike | None = None) -> float:
    """Return how much the variances of any two comparisons err together: their correlation, from 0 to 1.

    It is the squared correlation of deviations that would give the mean r² of all pairs: with d degrees of freedom r²
    is 1 / d in the mean where there is none (Muirhead 1982, Aspects of Multivariate Statistical Theory, section 5.1).
    Two comparisons with the same partner have a correlation of 1/2 if all runs vary alike, so of these it is 1/4 at
    least, whatever the few replicates look like.
    """
    n, degrees = len(deviations), deviations.shape[1] - 1
    if n < 2:
        return 0.0
    between = ~np.eye(n, dtype=bool)
    least = 0.0
    if partners is not None:
        names = np.unique(np.asarray(partners), return_inverse=True)[1]
        least = 0.25 * float((names[:, None] == names[None, :])[between].mean())
    lengths = np.linalg.norm(deviations, axis=1)
    directions = deviations[lengths > 0] / lengths[lengths > 0, None]
    if degrees < 2 or len(directions) < 2:
        return least
    squared = (directions @ directions.T)[~np.eye(len(directions), dtype=bool)] ** 2
    return max(float(np.interp(squared.mean(), _mean_squared_correlation(degrees), _SQUARES)), least)


def fit_prior(variances: ArrayLike, degrees: float, design: Array, shared: float = 0.0) -> tuple[Array, Array]:
    """Return s0² and d0 of each comparison, (N,) both.

    Parameters
    ----------
    variances
        s² of each comparison, (N,), 0 or more, not all of them 0.
    degrees
        d, the same for all.
    design
        (N, K), of which log s0² is a linear function.
    shared
        As `shared_part`: variances that err together scatter less than independent ones.

    Notes
    -----
    The hyperparameters are those whose log F distribution has, with its tails cut off at `LOWER_TAIL` and `UPPER_TAIL`,
    the mean and the variance of the logarithms of the variances with their tails cut off alike. A variance that the
    distribution hardly ever gives has fewer d0, down to where it is at its median.
    """
    s2 = np.asarray(variances, dtype=np.float64)
    median = float(np.median(s2))
    floor = _SMALLEST_SHARE * (median if median > 0 else float(s2[s2 > 0].min()))
    logs = np.log(np.maximum(s2, floor))
    fitted, cut = logs, logs
    for _ in range(_N_REFITS):
        fitted = design @ np.linalg.lstsq(design, cut, rcond=None)[0]
        low, high = np.quantile(logs - fitted, [LOWER_TAIL, 1 - UPPER_TAIL])
        cut = fitted + np.clip(logs - fitted, low, high)
    n_free = len(s2) - int(np.linalg.matrix_rank(design))
    scatter = float(np.sum((cut - fitted) ** 2)) / n_free
    means, scatters = _cut_log_f(degrees)
    # What equal variances would scatter by is what they do not share; what differs between them is not shared.
    explained = scatter + shared * scatters[-1]
    d0 = float(np.exp(np.interp(-explained, -scatters, np.log(_GRID))))
    s02 = np.exp(fitted - np.interp(np.log(d0), np.log(_GRID), means))
    d0 = d0 if d0 < _MOST_DEGREES / 2 else np.inf
    return s02, _degrees_of_each(s2 / s02, degrees, d0)


def _degrees_of_each(ratios: Array, degrees: float, d0: float) -> Array:
    """Return d0 of each comparison: less for those that lie farther out than so many should (Phipson et al. 2016)."""
    n = len(ratios)
    tail = np.maximum(_beyond(ratios, degrees, d0), 1e-300)
    order = np.argsort(-ratios, kind="stable")
    expected = np.empty(n)
    expected[order] = (np.arange(n) + 0.5) / n
    usual = np.minimum(tail / expected, 1.0)
    if usual.min() == 1:
        return np.full(n, d0)
    finite = min(d0, n * degrees)
    least = finite * np.log(0.5) / np.log(tail.min())
    least *= np.log(0.5) / np.log(max(float(_beyond(ratios, degrees, least).min()), 1e-300))
    each = np.where(usual < 1, usual * finite + (1 - usual) * min(least, finite), d0)
    each[order] = np.maximum.accumulate(each[order])  # never fewer for one that lies less far out
    return each


def _beyond(ratios: Array, degrees: float, d0: float) -> Array:
    """Return the share of an F distribution beyond each ratio."""
    tail: Array = chdtrc(degrees, degrees * ratios) if np.isinf(d0) else fdtrc(degrees, d0, ratios)
    return tail


@cache
def _mean_squared_correlation(degrees: float) -> Array:
    """Return the mean of r² of normal pairs, known by so many degrees of freedom, whose ρ² is each of `_SQUARES`."""
    series = hyp2f1(1, 1, degrees / 2 + 1, _SQUARES[:-1])
    return np.append(1 - (degrees - 1) / degrees * (1 - _SQUARES[:-1]) * series, 1.0)


@cache
def _cut_log_f(degrees: float) -> tuple[Array, Array]:
    """Return mean and variance of log F with `degrees` and each of `_GRID` degrees of freedom, its tails cut off."""
    nodes, weights = np.polynomial.legendre.leggauss(_N_NODES)
    width = 1 - UPPER_TAIL - LOWER_TAIL
    shares = np.concatenate([[LOWER_TAIL], LOWER_TAIL + width * (nodes + 1) / 2, [1 - UPPER_TAIL]])
    weights = np.concatenate([[LOWER_TAIL], width * weights / 2, [UPPER_TAIL]])
    logs = np.log(fdtri(degrees, _GRID[:, None], shares[None, :]))
    means = logs @ weights
    return means, ((logs - means[:, None]) ** 2) @ weights


def _design(n: int, known: ArrayLike | None) -> Array:
    ones = np.ones((n, 1))
    return ones if known is None else np.hstack([ones, np.asarray(known, dtype=np.float64).reshape(n, -1)])
