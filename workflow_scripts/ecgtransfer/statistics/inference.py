"""What resamples say about a mean over replicates: intervals, p-values, equivalence and the verdict."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgtransfer.statistics.resampling import ReplicateDraws

Array = NDArray[Any]
Verdict = Literal["helps", "hurts", "equivalent", "undecided"]


class Variance(NamedTuple):
    """A variance, and how well it is known."""

    value: float
    degrees_of_freedom: float


def resampled_mean(values: Array, resampled: Array, draws: ReplicateDraws, variance: Variance | None = None) -> Array:
    """Return draws of the mean over replicates, with the variation of test patients and of replicates.

    Parameters
    ----------
    values : (R,) each replicate's value on the whole test set
    resampled : (R, B) each replicate's value on every patient resample, the same patients for all replicates
    draws : B of R replicates, from `replicate_draws`
    variance : of one replicate, as `ecgtransfer.statistics.moderation` knows it from other comparisons, too; None for
        that of the values themselves, with R - 1 degrees of freedom

    Returns
    -------
    (B,) array: the mean over replicates, plus its deviation on patient resample b as far as replicates share it, plus
    draw b of how far the replicates' own mean may be off. Its percentiles are an interval, for any confidence.

    Notes
    -----
    The two factors are crossed: every replicate meets every test patient. Drawing both in one product would count their
    interaction three times (Owen 2007, The pigeonhole bootstrap, Ann. Appl. Stat. 1:386-411), and adding the two
    deviations twice: replicates differ on the test set by it, and so do their resamples. So the variance over patients
    is scaled to what replicates share, the covariance of their resamples. Variance of the replicates' values, plus R
    times this covariance, over R, is that of many readers with the same cases (Obuchowski & Rockette 1995, Commun.
    Stat. Simul. Comput. 24:285-308; Hillis 2014, Stat. Med. 33:330-360, also on taking a negative covariance as 0).

    Replicates are few, and their variance is little known, so their part is Student's t with the degrees of freedom of
    the variance, R - 1 where nothing else is known of it; that of the many patients is normal. Intervals of such a sum
    contain the truth at least as often as stated, at every confidence (the problem of Behrens and Fisher; Kim & Cohen
    1998, J. Educ. Behav. Stat. 23:356-377): those for 95 % up to 97.6 % of the time with 3 replicates, up to 96.5 %
    with 5. Student's t with Satterthwaite's degrees of freedom
    for the whole (Hillis 2007, Stat. Med. 26:596-619) is narrower, but covers as little as 92 % with 3 replicates.

    Few replicates can agree by chance, far better than scores of so many test patients can. What patients alone make
    them differ by is known from the resamples, and no draw has a smaller spread: an interval is never narrower than one
    over patients alone. Of replicates that differ by nothing else, as trainings hardly do, it holds the truth up to
    99 % of the time.

    One replicate tells nothing about replicates: the draws then contain only the variation of test patients.
    """
    n_replicates = len(values)
    deviations = values - values.mean()
    length = float(np.linalg.norm(deviations))
    direction = deviations / length if length else np.eye(n_replicates)[0]
    if n_replicates > 1:
        variance = variance or own_variance(values)
    spread = draws.spread(variance.degrees_of_freedom) if variance else 1.0
    return drawn_mean(values, resampled, draws.normal @ direction, spread, variance)


def own_variance(values: Array) -> Variance:
    """Return the variance of values (R,) as only they know it, with R - 1 degrees of freedom."""
    return Variance(float(values.var(ddof=1)), len(values) - 1)


def drawn_mean(values: Array, resampled: Array, normal: Array, spread: ArrayLike, variance: Variance | None) -> Array:
    """Return the draws of `resampled_mean` for given draws of how far the mean of replicates is off.

    Parameters
    ----------
    values, resampled
        As there.
    normal
        (B,) standard normal numbers.
    spread
        (B,), of the `variance`, as `ReplicateDraws.spread`.
    variance
        Of one replicate; None for a single one, of which nothing is known.
    """
    n_replicates, mean = len(values), float(values.mean())
    over_patients: Array = resampled.mean(axis=0) - mean
    if n_replicates == 1 or variance is None:
        return mean + over_patients
    shared, smallest = parts_of_patients(resampled)
    standard_error = np.sqrt(variance.value / (n_replicates * np.asarray(spread)))
    drawn: Array = mean + shared * over_patients + normal * np.maximum(standard_error, smallest)
    return drawn


def parts_of_patients(resampled: Array) -> tuple[float, float]:
    """Return what test patients do to all replicates alike, and what to each of them for itself.

    Both are of the mean over replicates: by what to multiply its deviations on resamples so that only what replicates
    share is left, and the standard deviation of the rest. Its variance is (V + (R - 1) C) / R, with V the mean variance
    of a replicate's resamples (R, B) and C their mean covariance, the part that is shared; 0 where it is negative. NaN
    resamples are left out.
    """
    known = resampled[:, ~np.isnan(resampled).any(axis=0)]
    if known.shape[1] < 2:
        return 1.0, 0.0
    n_replicates = len(known)
    of_one, of_mean = float(known.var(axis=1).mean()), float(known.mean(axis=0).var())
    if of_mean == 0:
        return 1.0, 0.0
    covariance = np.clip((n_replicates * of_mean - of_one) / (n_replicates - 1), 0, of_mean)
    return float(np.sqrt(covariance / of_mean)), float(np.sqrt(of_mean - covariance))


def percentile_interval(resampled: ArrayLike, point: float, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of `resampled` (B,), NaN draws left out, widened where needed to hold `point`.

    (NaN, NaN) where the point or every draw is NaN: there is no interval then. The limits are the draws of rank
    (B + 1) a and (B + 1) (1 - a), a being half of 1 - `confidence`, interpolated between ranks (Davison & Hinkley 1997,
    section 5.3.1); `two_sided_p` inverts just this.
    """
    draws = np.asarray(resampled, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0 or np.isnan(point):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2], method="weibull")
    return min(float(low), float(point)), max(float(high), float(point))


def two_sided_p(resampled_difference: ArrayLike, point: float) -> float:
    """Return the two-sided p-value of no difference, from the draws that the interval is taken from.

    Parameters
    ----------
    resampled_difference : (B,) draws of the difference, NaN draws are left out
    point : the difference on the whole test set

    Returns
    -------
    p in (0, 1]; NaN where the point or every draw is NaN

    Notes
    -----
    Twice the share of draws on the other side of 0 than the point. It inverts `percentile_interval`: p < 1 - confidence
    exactly when the interval with this confidence excludes 0, for B >= 2 / (1 - confidence). The 0 lies between two
    draws, and its rank is interpolated as the interval does. No draw beyond 0 counts as one, among B + 1: as many draws
    can show no smaller p (Davison & Hinkley 1997, section 4.2.3).
    """
    draws = np.asarray(resampled_difference, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0 or np.isnan(point):
        return float("nan")
    if point == 0:
        return 1.0
    ordered = np.sort(draws if point > 0 else -draws)
    n_beyond = int(np.searchsorted(ordered, 0.0, side="right"))
    if n_beyond == len(ordered):
        return 1.0
    rank = float(n_beyond)
    if n_beyond > 0:
        below, above = ordered[n_beyond - 1 : n_beyond + 1]
        rank += float(-below / (above - below))
    return min(1.0, 2 * max(rank, 1.0) / (len(ordered) + 1))


def holm(p_values: ArrayLike) -> Array:
    """Return p-values adjusted for their number (Holm 1979, Scand. J. Stat. 6:65-70); NaN stays and is not counted.

    At most a share a of all families of true null hypotheses has any adjusted p below a, whatever ties the tests have
    to each other. Shape and order are those of `p_values`.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    ascending = known[np.argsort(p.flat[known], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted.flat[ascending] = np.minimum(np.maximum.accumulate(factors * p.flat[ascending]), 1.0)
    return adjusted


def equivalence(low90: float, high90: float, margin: float) -> bool:
    """Return whether a difference is shown to lie within +-`margin` at the 5 % level.

    Two one-sided tests, each at 5 %, are passed exactly when the 90 % interval lies within the margin (Schuirmann 1987,
    J. Pharmacokinet. Biopharm. 15:657-680). NaN limits show nothing.
    """
    return bool(-margin <= low90 and high90 <= margin)


def verdict(low: float, high: float, margin: float) -> Verdict:
    """Return what an interval of transfer minus scratch means.

    ``helps`` or ``hurts`` where it excludes 0 (checked first, however small the difference), ``equivalent`` where it
    lies within +-`margin`, else ``undecided``; NaN limits are undecided.
    """
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    if -margin <= low and high <= margin:
        return "equivalent"
    return "undecided"
