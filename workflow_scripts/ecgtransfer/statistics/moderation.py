"""Variances known from few replicates each, moderated towards what all of a study have in common.

The variance s² of a comparison with d degrees of freedom is taken for σ² χ²_d / d, and 1 / σ² of the comparisons for
χ²_d0 / (d0 s0²). Both hyperparameters follow from the observed variances, and each comparison is then given
(d0 s0² + d s²) / (d0 + d), with d0 + d degrees of freedom (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3). Where the
observed variances scatter no more than chance lets equal ones, d0 is infinite; where they scatter so much that they
have nothing in common, it is near 0 and each keeps its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, polygamma

Array = NDArray[Any]

FEWEST_COMPARISONS = 4
"""With fewer nothing is borrowed: the scatter of two or three variances tells nothing about a prior."""
_SMALLEST_SHARE = 1e-5  # of the median, below which a variance counts as this: a logarithm needs one above 0


@dataclass(frozen=True)
class Prior:
    """What comparisons have in common.

    Attributes
    ----------
    variance
        s0² of each comparison, (N,): the same for all, but for what is known beforehand.
    degrees_of_freedom
        d0: how many degrees of freedom this is worth; 0 to infinity.
    """

    variance: Array
    degrees_of_freedom: float


def fit_prior(variances: ArrayLike, degrees_of_freedom: ArrayLike, known: ArrayLike | None = None) -> Prior:
    """Return the prior of comparisons by the first two moments of the logarithms of their variances.

    Parameters
    ----------
    variances
        s² of each comparison, (N,), 0 or more.
    degrees_of_freedom
        d of each, (N,) or one for all, 1 or more.
    known
        What was known of the comparisons beforehand, (N, K): log s0² is a linear function of it, with an intercept.
        Columns that add nothing to the others are harmless.

    Returns
    -------
    Prior
        With 0 degrees of freedom if there are fewer than `FEWEST_COMPARISONS` beyond what is known of them, or all
        variances are 0.
    """
    s2 = np.asarray(variances, dtype=np.float64)
    d = np.broadcast_to(np.asarray(degrees_of_freedom, dtype=np.float64), s2.shape)
    design = np.ones((len(s2), 1))
    if known is not None:
        design = np.hstack([design, np.asarray(known, dtype=np.float64).reshape(len(s2), -1)])
    n_fitted = int(np.linalg.matrix_rank(design)) if len(s2) else 0
    median = float(np.median(s2)) if len(s2) else 0.0
    if len(s2) - n_fitted < FEWEST_COMPARISONS - 1 or not (s2 > 0).any():
        return Prior(s2, 0.0)
    floor = _SMALLEST_SHARE * (median if median > 0 else float(s2[s2 > 0].min()))
    # log s² is log s0² plus the logarithm of a ratio of chi-squares: its mean and variance are differences and sums of
    # digamma and trigamma functions.
    e = np.log(np.maximum(s2, floor)) - digamma(d / 2) + np.log(d / 2)
    fitted = design @ np.linalg.lstsq(design, e, rcond=None)[0]
    beyond_chance = float(np.sum((e - fitted) ** 2) / (len(s2) - n_fitted) - np.mean(polygamma(1, d / 2)))
    if beyond_chance <= 0:
        return Prior(np.exp(fitted), float("inf"))
    half = trigamma_inverse(beyond_chance)
    return Prior(np.exp(fitted + digamma(half) - np.log(half)), 2 * half)


def moderated(variances: ArrayLike, degrees_of_freedom: ArrayLike, prior: Prior) -> tuple[Array, Array]:
    """Return the moderated variances (N,), and their degrees of freedom (N,).

    These are never more than those of all comparisons together, as the prior was found from these.
    """
    s2 = np.asarray(variances, dtype=np.float64)
    d = np.broadcast_to(np.asarray(degrees_of_freedom, dtype=np.float64), s2.shape)
    d0 = prior.degrees_of_freedom
    if np.isinf(d0):
        return prior.variance.copy(), np.full(s2.shape, d.sum())
    return (d0 * prior.variance + d * s2) / (d0 + d), np.minimum(d0 + d, d.sum())


def trigamma_inverse(value: float) -> float:
    """Return y > 0 with trigamma(y) = `value` > 0, by Newton's steps on 1 / trigamma, which is convex (Smyth 2004)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-12:
            break
    return float(y)
