"""Metrics on many resamples at once, bootstrap intervals, and the verdict on a difference.

A resample is a row of integer weights: how often each record was drawn. Metrics take all B resamples together: records
are sorted once per label, and every resample's counts then come from sums over the sorted weights. Nothing here knows
files, models or studies; `ecgtransfer.compare` applies it to runs.

Arrays of weights are (B, n) as read, but `patient_resamples` lays them out record by record in memory (Fortran order),
because the metrics pick and sum whole records; weights in C order give the same numbers, more slowly.
"""

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Verdict = Literal["helps", "hurts", "equivalent", "undecided"]

_PATIENTS, _REPLICATES = 0, 1  # separate random streams, so that one seed serves both factors
_BLOCK_COUNTS = 3_000_000  # weights looked at together: bounds the memory, whatever the number of records


def auroc(y_true: ArrayLike, score: ArrayLike, weights: Array | None = None) -> Array:
    """Return the area under the ROC curve of every resample, ties counted half.

    Parameters
    ----------
    y_true : (n,) array of 0/1 or bool
    score : (n,) array, higher means more likely positive
    weights : (B, n) array of integers, draws of each record in each resample; None means one resample, each record once

    Returns
    -------
    (B,) array of float64, NaN where a resample has no positives or no negatives

    Notes
    -----
    The weighted Mann-Whitney statistic (Hanley & McNeil 1982, Radiology 143:29-36). Counts are exact integers, so the
    result equals ``sklearn.metrics.roc_auc_score(y_true, score, sample_weight=weights[b])`` to rounding.
    """
    positive, score = np.asarray(y_true).astype(bool), _as_floats(score)
    if 2 * np.count_nonzero(positive) > len(positive):
        positive, score = ~positive, -score  # the same area, with fewer groups to visit
    ranking = _rank(positive, score)
    area = []
    for counts in _blocks(weights, len(positive)):
        drawn, above, not_below = _counts_at_positives(ranking, counts)
        n_positive, n_negative = _class_sizes(positive, counts)
        twice_below = 2.0 * n_negative - above - not_below
        pairs = n_positive * n_negative
        wins = np.einsum("gb,gb->b", drawn.astype(np.float64), twice_below)
        area.append(np.divide(wins, 2.0 * pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
    return np.concatenate(area)


def average_precision(y_true: ArrayLike, score: ArrayLike, weights: Array | None = None) -> Array:
    """Return the average precision (area under the precision-recall curve, no interpolation) of every resample.

    Parameters and NaN rule as in `auroc`. Equals ``sklearn.metrics.average_precision_score`` with ``sample_weight`` to
    rounding: the mean, over the positives, of the precision at the positive's own score.
    """
    positive, score = np.asarray(y_true).astype(bool), _as_floats(score)
    ranking = _rank(positive, score)
    average = []
    for counts in _blocks(weights, len(positive)):
        drawn, _, false_positives = _counts_at_positives(ranking, counts)
        n_positive, n_negative = _class_sizes(positive, counts)
        true_positives = np.cumsum(drawn, axis=0, dtype=np.int32)
        predicted = np.maximum(true_positives + false_positives, 1)  # 0 only where nothing was drawn, so adds nothing
        total = np.einsum("gb,gb->b", drawn.astype(np.float64), true_positives / predicted)
        evaluable = n_positive * n_negative > 0
        average.append(np.divide(total, n_positive, out=np.full(len(total), np.nan), where=evaluable))
    return np.concatenate(average)


def f1(y_true: ArrayLike, predicted: ArrayLike, weights: Array | None = None) -> Array:
    """Return the F1 score of every resample: 0 where no positive is found, NaN without positives or without negatives.

    Parameters as in `auroc`, with `predicted` (n,) 0/1 or bool. Equals ``sklearn.metrics.f1_score`` with
    ``sample_weight`` and ``zero_division=0`` wherever both classes occur.
    """
    positive, predicted = np.asarray(y_true).astype(bool), np.asarray(predicted).astype(bool)
    score = []
    for counts in _blocks(weights, len(positive)):
        n_positive, n_negative = _class_sizes(positive, counts)
        hits = counts[positive & predicted].sum(axis=0, dtype=np.float64)
        n_predicted = counts[predicted].sum(axis=0, dtype=np.float64)
        evaluable = n_positive * n_negative > 0
        score.append(np.divide(2 * hits, n_positive + n_predicted, out=np.full(len(hits), np.nan), where=evaluable))
    return np.concatenate(score)


def best_f1_threshold(y_true: ArrayLike, score: ArrayLike) -> float:
    """Return the threshold t for which predicting ``score >= t`` has the highest F1.

    The threshold is one of the scores; among equals the lowest, which finds more of the positives. 0.5 where there are
    no positives or no negatives, as then no threshold can be told from another.
    """
    positive, score = np.asarray(y_true).astype(bool), _as_floats(score)
    if not positive.any() or positive.all():
        return 0.5
    descending = np.argsort(-score, kind="stable")
    ordered = score[descending]
    last_of_ties = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    hits = np.cumsum(positive[descending])[last_of_ties]
    f1_at = 2 * hits / (np.count_nonzero(positive) + last_of_ties + 1)
    return float(ordered[last_of_ties[np.flatnonzero(f1_at == f1_at.max())[-1]]])


def macro(values: Array) -> Array:
    """Return the mean over labels, (L, B) -> (B,): NaN labels are left out, NaN where no label is left."""
    present = ~np.isnan(values)
    n_present = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    mean: Array = np.divide(total, n_present, out=np.full(total.shape, np.nan), where=n_present > 0)
    return mean


def patient_resamples(patient_ids: ArrayLike, n_resamples: int, seed: int) -> Array:
    """Draw patients with replacement; each patient comes with all of its records.

    Parameters
    ----------
    patient_ids : (n,) array, the patient of every record
    n_resamples : number of resamples B
    seed : the same seed and the same patients give the same draws, whatever the order of the records

    Returns
    -------
    (B, n) array of int32: how often each record is in each resample. A larger B begins with the same resamples.

    Notes
    -----
    Records of a patient are not independent, so the patient is the unit that is drawn (cluster bootstrap; Davison &
    Hinkley 1997, Bootstrap Methods and their Application, section 3.8).
    """
    patients, patient_of_record = np.unique(np.asarray(patient_ids), return_inverse=True)
    weights: Array = _draw_counts(len(patients), n_resamples, [seed, _PATIENTS])[patient_of_record].T
    return weights


def replicate_resamples(n_replicates: int, n_resamples: int, seed: int) -> Array:
    """Draw replicates with replacement: (B, R) int32 counts that sum to R, independent of the patient draws."""
    weights: Array = _draw_counts(n_replicates, n_resamples, [seed, _REPLICATES]).T
    return weights


def resampled_mean(values: Array, resampled: Array, replicate_weights: Array, confidence: float) -> Array:
    """Return bootstrap draws of the mean over replicates, with the variation of test patients and of replicates.

    Parameters
    ----------
    values : (R,) each replicate's value on the whole test set
    resampled : (R, B) each replicate's value on every patient resample, the same patients for all replicates
    replicate_weights : (B, R) from `replicate_resamples`
    confidence : of the percentile interval that the draws are for, such as 0.95

    Returns
    -------
    (B,) array: the mean over replicates on patient resample b, plus the inflated deviation of replicate draw b

    Notes
    -----
    The two factors are crossed: every replicate meets every test patient. Drawing both in one product would count their
    interaction three times (Owen 2007, The pigeonhole bootstrap, Ann. Appl. Stat. 1:386-411); adding the two deviations
    counts it twice, which is still on the safe side.

    Replicates are few. Their plain bootstrap variance is too small by (R - 1) / R, so deviations are multiplied by
    sqrt(R / (R - 1)); its percentiles act as if that variance were known, so they are widened by the ratio of Student's
    t with R - 1 degrees of freedom to the normal quantile (Davison & Hinkley 1997, section 3.8, on the bias with few
    groups; Hesterberg 2015, What Teachers Should Know About the Bootstrap, Am. Stat. 69:371-386, on both factors, which
    make the "expanded percentile interval"). Patients are many and need neither.

    One replicate tells nothing about replicates: the draws then hold the variation of test patients alone.
    """
    n_replicates = len(values)
    over_patients: Array = resampled.mean(axis=0)
    if n_replicates == 1:
        return over_patients
    from scipy.special import stdtrit  # here, because training imports this module and does without scipy

    upper = 0.5 + confidence / 2
    student_to_normal = float(stdtrit(n_replicates - 1, upper)) / NormalDist().inv_cdf(upper)
    inflation = student_to_normal * np.sqrt(n_replicates / (n_replicates - 1))
    over_replicates: Array = replicate_weights @ (values - values.mean()) / n_replicates
    draws: Array = over_patients + inflation * over_replicates
    return draws


def percentile_interval(resampled: ArrayLike, point: float, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of `resampled` (B,), NaN draws left out, widened where needed to hold `point`.

    (NaN, NaN) where the point or every draw is NaN: there is nothing to say then.
    """
    draws = np.asarray(resampled, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0 or np.isnan(point):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return min(float(low), float(point)), max(float(high), float(point))


def verdict(low: float, high: float, margin: float) -> Verdict:
    """Say what an interval of transfer minus scratch means.

    ``helps`` or ``hurts`` where it excludes 0 (looked at first, however small the difference), ``equivalent`` where it
    lies within +-`margin`, else ``undecided``; NaN limits are undecided.
    """
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    if -margin <= low and high <= margin:
        return "equivalent"
    return "undecided"


class _Ranking(NamedTuple):
    """Records of one label in descending order of score; a group is a distinct score that some positive has."""

    positives: Array  # (P,) indices of the positive records
    group_starts: Array  # (G,) where each group begins among `positives`
    negatives: Array  # (N,) indices of the negative records
    above: Array  # (G,) how many of `negatives` score higher than the group
    not_below: Array  # (G,) how many score as high or higher


def _rank(positive: Array, score: Array) -> _Ranking:
    positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
    positives = positives[np.argsort(-score[positives], kind="stable")]
    negatives = negatives[np.argsort(-score[negatives], kind="stable")]
    scores = score[positives]
    group_starts = np.flatnonzero(np.append(True, scores[1:] != scores[:-1])) if len(positives) else positives
    group_scores = -scores[group_starts]
    negative_scores = -score[negatives]
    above = np.searchsorted(negative_scores, group_scores, side="left")
    not_below = np.searchsorted(negative_scores, group_scores, side="right")
    return _Ranking(positives, group_starts, negatives, above, not_below)


def _counts_at_positives(ranking: _Ranking, counts: Array) -> tuple[Array, Array, Array]:
    """Return, each (G, B): positives drawn in the group, negatives drawn above it, negatives drawn above or in it."""
    if len(ranking.positives) == 0 or len(ranking.negatives) == 0:
        nothing = np.zeros((0, counts.shape[1]), dtype=np.int32)
        return nothing, nothing, nothing
    drawn = np.add.reduceat(counts[ranking.positives], ranking.group_starts, axis=0, dtype=np.int32)
    # Only the places where some group looks are needed: sum the negatives between them, then accumulate.
    places = np.unique(np.concatenate([[0], ranking.above, ranking.not_below]))
    places = places[places < len(ranking.negatives)]
    between = np.add.reduceat(counts[ranking.negatives], places, axis=0, dtype=np.int32)
    before = np.zeros((len(places) + 1, counts.shape[1]), dtype=np.int32)
    np.cumsum(between, axis=0, out=before[1:])
    return (
        drawn,
        before[np.searchsorted(places, ranking.above)],
        before[np.searchsorted(places, ranking.not_below)],
    )


def _class_sizes(positive: Array, counts: Array) -> tuple[Array, Array]:
    """Return how many positives and negatives each resample drew, each (B,)."""
    n_positive: Array = counts[positive].sum(axis=0, dtype=np.float64)
    n_negative: Array = counts.sum(axis=0, dtype=np.int32) - n_positive
    return n_positive, n_negative


def _as_floats(score: ArrayLike) -> Array:
    """Return the scores as they are if they are floats (float32 stays exact), else as float64."""
    scores = np.asarray(score)
    return scores if scores.dtype.kind == "f" else scores.astype(np.float64)


def _blocks(weights: Array | None, n_records: int) -> Iterator[Array]:
    """Yield the weights as (n, b) int32 counts, a bounded number of resamples at a time."""
    if weights is None:
        yield np.ones((n_records, 1), dtype=np.int32)
        return
    size = max(16, _BLOCK_COUNTS // max(n_records, 1))
    for start in range(0, len(weights), size):
        yield weights[start : start + size].T.astype(np.int32, casting="same_kind", copy=False)


def _draw_counts(n_items: int, n_resamples: int, seed: list[int]) -> Array:
    """Return (n_items, B) int32: how often each item occurs in each of B draws of n_items with replacement."""
    generator = np.random.default_rng(seed)
    counts = np.empty((n_items, n_resamples), dtype=np.int32)
    for resample in range(n_resamples):
        counts[:, resample] = np.bincount(generator.integers(n_items, size=n_items), minlength=n_items)
    return counts
