"""Metrics on many resamples at once: one value per resample.

A resample is a row of integer weights: how often each record was drawn. Metrics take all B resamples together. For the
ranking metrics records are sorted once per label, and every resample's counts come from sums over the sorted weights;
the others are sums of something that each record has, so all resamples are one matrix product.

Arrays of weights are (B, n) as read, but `patient_resamples` lays them out record by record in memory (Fortran order),
because the metrics pick and sum whole records; weights in C order give the same numbers, more slowly.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

_BLOCK_COUNTS = 3_000_000  # weights processed together: bounds the memory, whatever the number of records


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


def f1_and_prevalence(y_true: ArrayLike, predicted: ArrayLike, weights: Array | None = None) -> tuple[Array, Array]:
    """Return F1 and the share of positives of every resample, of which a mean over labels by prevalence is made.

    Parameters as in `f1`. F1 is NaN only without positives, where the share is 0: positives alone are enough for it, as
    in ``sklearn.metrics.f1_score``. Both are NaN where a resample holds no record.
    """
    positive, predicted = np.asarray(y_true).astype(bool), np.asarray(predicted).astype(bool)
    counted = np.stack([positive, positive & predicted, predicted, np.ones_like(positive)], axis=1).astype(np.float64)
    n_positive, hits, n_predicted, n_drawn = _weighted_sums(counted, weights)
    return _ratio(2 * hits, np.where(n_positive > 0, n_positive + n_predicted, 0)), _ratio(n_positive, n_drawn)


def brier(y_true: ArrayLike, probability: ArrayLike, weights: Array | None = None) -> Array:
    """Return the mean squared error of the probabilities in every resample (Brier 1950, Mon. Weather Rev. 78:1-3).

    Parameters as in `auroc`, with `probability` (n,) in [0, 1]. Lower is better. One class is enough for it: NaN only
    where a resample holds no record. Equals ``sklearn.metrics.brier_score_loss`` with ``sample_weight`` to rounding.
    """
    error = np.asarray(probability, dtype=np.float64) - np.asarray(y_true, dtype=np.float64)
    squares, drawn = _weighted_sums(np.stack([error**2, np.ones_like(error)], axis=1), weights)
    return _ratio(squares, drawn)


def expected_calibration_error(
    y_true: ArrayLike, probability: ArrayLike, weights: Array | None = None, n_bins: int = 10
) -> Array:
    """Return how far the mean probability is from the share of positives, averaged over bins, in every resample.

    Parameters
    ----------
    y_true : (n,) array of 0/1 or bool
    probability : (n,) array in [0, 1]
    weights : as in `auroc`
    n_bins : bins of equally many records; equal probabilities share a bin, so ties can make bins unequal

    Returns
    -------
    (B,) array of float64 in [0, 1], lower is better, NaN where a resample holds no record

    Notes
    -----
    Bins hold equally many records (Nixon et al. 2019, Measuring Calibration in Deep Learning, CVPR Workshops), because
    probabilities of a rare label lie close together near 0, in one bin of equal width. The bins are those of the whole
    sample for every resample: edges that moved with each draw would add variation that the estimate does not have.

    Absolute values never cancel, so the error of a finite sample lies above the true one, and the error of a resample
    above that of its sample. An interval of it is read with this in mind; in a paired difference most of it cancels.
    """
    truth, probability = np.asarray(y_true, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    n_records = len(probability)
    n_lower = np.searchsorted(np.sort(probability), probability, side="left")
    bin_of_record = n_lower * n_bins // max(n_records, 1)
    gaps = np.zeros((n_records, n_bins + 1))
    gaps[np.arange(n_records), bin_of_record] = truth - probability
    gaps[:, n_bins] = 1
    *gap_by_bin, drawn = _weighted_sums(gaps, weights)
    return _ratio(np.abs(gap_by_bin).sum(axis=0), drawn)


def challenge_score(
    y_true: ArrayLike, predicted: ArrayLike, rewards: ArrayLike, normal: int, weights: Array | None = None
) -> Array:
    """Return the score of the PhysioNet/CinC Challenge 2021 of every resample: 1 for the right answers, 0 for "normal".

    Parameters
    ----------
    y_true, predicted : (n, L) arrays of 0/1 or bool over the L scored classes, classes that count as one already merged
    rewards : (L, L) array, the Challenge's table: what it gives for answering column k where row j is true
    normal : the column of sinus rhythm; to answer it alone for every recording has score 0
    weights : as in `auroc`

    Returns
    -------
    (B,) array of float64, at most about 1, negative where worse than always "normal"; NaN where a resample holds no
    recording in which the right answer differs in value from "normal" (the Challenge then gives 0)

    Notes
    -----
    Reyna et al. 2021, Will Two Do? Varying Dimensions in Electrocardiography, Computing in Cardiology 48. Every pair of
    a true and an answered class earns its reward, divided by the number of classes that are true or answered in that
    recording. So each recording has its own reward, and a resample's score is a ratio of two sums over recordings.
    """
    truth, answers = np.asarray(y_true).astype(bool), np.asarray(predicted).astype(bool)
    always_normal = np.zeros_like(truth)
    always_normal[:, normal] = True
    table = np.asarray(rewards, dtype=np.float64)
    least = _challenge_rewards(truth, always_normal, table)
    reached = _challenge_rewards(truth, answers, table) - least
    reachable = _challenge_rewards(truth, truth, table) - least
    return _ratio(*_weighted_sums(np.stack([reached, reachable], axis=1), weights))


def best_f1_threshold(y_true: ArrayLike, score: ArrayLike) -> float:
    """Return the threshold t for which predicting ``score >= t`` has the highest F1.

    The threshold is one of the scores; among equals the lowest, which finds more of the positives. 0.5 where there are
    no positives or no negatives, as then no threshold is better than another.
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


def weighted_macro(values: Array, prevalence: Array) -> Array:
    """Return the mean over labels by their prevalence, (L, B) and (L, B) -> (B,); labels that are NaN are left out.

    NaN where no label with positives is left.
    """
    weight = np.where(np.isnan(values), 0.0, prevalence)
    return _ratio((weight * np.nan_to_num(values)).sum(axis=0), weight.sum(axis=0))


def macro_of_frequent(values: Array, n_positive: ArrayLike, min_positives: int) -> tuple[Array, Array]:
    """Return the mean over the labels with at least `min_positives` positives, and on how many resamples each counts.

    Parameters
    ----------
    values : (L, B) a metric of every label on every resample, NaN where it cannot be evaluated
    n_positive : (L,) positives of every label in the whole test set, of records or of patients
    min_positives : labels with fewer are left out of every resample, so that all resamples are of the same labels

    Returns
    -------
    mean : (B,), as `macro` of the labels that are left
    n_valid : (L,) in how many of the B resamples the label is part of the mean; 0 for labels left out
    """
    frequent = np.asarray(n_positive) >= min_positives
    kept = np.where(frequent[:, None], values, np.nan)
    n_valid: Array = np.count_nonzero(~np.isnan(kept), axis=1)
    return macro(kept), n_valid


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


def _challenge_rewards(truth: Array, answers: Array, rewards: Array) -> Array:
    """Return (n,) rewards of the answers to every recording."""
    n_named = np.maximum((truth | answers).sum(axis=1), 1)
    earned: Array = ((truth @ rewards) * answers).sum(axis=1) / n_named
    return earned


def _weighted_sums(values: Array, weights: Array | None) -> Array:
    """Return (k, B): each of k columns of `values` (n, k), summed over the records of each resample."""
    return np.concatenate([values.T @ counts for counts in _blocks(weights, len(values))], axis=1)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Return the quotient, NaN where the denominator is 0."""
    quotient: Array = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
    return quotient


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
