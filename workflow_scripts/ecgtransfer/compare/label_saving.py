"""Label saving: how many times more labelled recordings training from scratch needs to reach the score of transfer.

The recordings that scratch needs are read off its learning curve, on which nothing is known beyond the two ends: what
lies there is reported as more, or less, than the end.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame
from scipy.interpolate import PchipInterpolator

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.curve_points import draws_of_points, point_with_draws
from ecgtransfer.compare.open_intervals import EQUALS, with_open_interval
from ecgtransfer.compare.runs import Run, cell_of, pairs
from ecgtransfer.compare.tables import CELL_COLUMNS, sorted_table
from ecgtransfer.compare.variances import How, KnownVariances, score_variances

Array = NDArray[Any]

LABEL_SAVING_COLUMNS = [
    *(*CELL_COLUMNS, "metric", "n_scratch", "saving", "relation"),
    *("ci_low", "ci_low_relation", "ci_high", "ci_high_relation", "least", "most"),
]
_STEPS = 64  # points between two fractions at which the curve is computed; straight lines join them
_EQUAL_DECIMALS = 12  # a mean of equal scores can differ from them in the last bits


def label_savings(runs: Sequence[Run], confidence: float, seed: int, variance: How = "own") -> DataFrame:
    """Return how many labelled recordings each run with transferred weights saves, for every macro metric.

    Parameters
    ----------
    runs
        All cells of a study; those from scratch of a target and model are the points of its learning curve.
    confidence
        Of the intervals.
    seed
        Of the draws of replicates.
    variance
        Whether the scores of all runs tell how far replicates vary, or each run's alone.

    Returns
    -------
    pandas.DataFrame
        Columns `LABEL_SAVING_COLUMNS`, a row per target, source, model, arm, fraction and metric.

        ``n_scratch``
            Recordings from scratch that reach the score of transfer.
        ``saving``
            The same in multiples of ``n_train``, the recordings that transfer was trained on.
        ``relation``
            ``equals``; or ``more_than`` or ``less_than`` where the score lies above or below the whole curve, both
            numbers are empty and ``most`` or ``least`` is the bound. Empty where there is no score.
        ``ci_low``, ``ci_low_relation``, ``ci_high``, ``ci_high_relation``
            The interval of the saving; an end beyond the curve is open in the same way.
        ``least``, ``most``
            What the saving is at the two ends of the curve.

    Raises
    ------
    InputError
        If a run has no partner from scratch, or runs of a curve differ in the number of replicates or resamples.

    Notes
    -----
    The curve is the mean over replicates at each fraction, made to never fall by isotonic least squares (a fall is
    noise), with a monotone cubic between the fractions in the logarithm of recordings (Fritsch & Carlson 1980, SIAM J.
    Numer. Anal. 17:238-246), which follows a bent curve better than straight lines do: those lie below it and would
    overstate the saving. Of a level part, the fewest recordings count.

    The interval is the percentile interval over bootstrap draws of test patients, the same ones for all runs, and of
    replicates (`ecgtransfer.compare.curve_points.draws_of_points`): each draw has its own curve, its own score of
    transfer, and so its own crossing. It does not hold the error of reading between two fractions.
    """
    curves = defaultdict(list)
    for run in runs:
        if run.arm == SCRATCH:
            curves[run.target, run.model].append(run)
    transfers = defaultdict(list)
    for run, _ in pairs(runs):
        transfers[run.target, run.model].append(run)
    known = score_variances(runs, variance)
    rows: list[dict[str, object]] = []
    for key, members in transfers.items():
        rows += _savings_on_one_curve(members, curves[key], known, confidence, seed, variance)
    return sorted_table(rows, LABEL_SAVING_COLUMNS)


def _savings_on_one_curve(
    transfers: Sequence[Run],
    scratch: Sequence[Run],
    known: KnownVariances,
    confidence: float,
    seed: int,
    variance: How,
) -> list[dict[str, object]]:
    """Return the rows of all runs that are read off the same curve."""
    sizes, first = np.unique([run.n_train.mean() for run in scratch], return_index=True)
    curve = [scratch[index] for index in first]  # fractions too close to differ in recordings are one point
    rows: list[dict[str, object]] = []
    for metric in curve[0].resamples:
        n_replicates, n_resamples = curve[0].resamples[metric].shape
        *of_curve, of_transfer = draws_of_points(len(curve) + 1, n_replicates, n_resamples, seed, variance)
        points = np.stack(
            [point_with_draws(run, curve[0], metric, draws, known) for run, draws in zip(curve, of_curve, strict=True)]
        )
        for run in transfers:
            scores = point_with_draws(run, curve[0], metric, of_transfer, known)
            needed = recordings_needed(sizes, points, scores)
            saved = with_open_interval("saving", needed / run.n_train.mean(), confidence)
            n_scratch = needed[0] if saved["relation"] == EQUALS else np.nan
            ends = {"least": sizes[0] / run.n_train.mean(), "most": sizes[-1] / run.n_train.mean()}
            rows.append({**cell_of(run, metric), "n_scratch": n_scratch, **saved, **ends})
    return rows


def recordings_needed(sizes: Array, curves: Array, scores: Array) -> Array:
    """Return where each learning curve first reaches a score.

    Parameters
    ----------
    sizes : (F,) recordings at the points of the curves, increasing
    curves : (F, D) scores at these points, one curve per column; made to never fall
    scores : (D,) what the curves should reach

    Returns
    -------
    (D,) array: recordings, in `sizes[0]` to `sizes[-1]`; 0 where the score lies below the whole curve, infinity where
    it lies above, NaN where a number is missing
    """
    needed = np.full(len(scores), np.nan)
    known = np.isfinite(scores) & np.isfinite(curves).all(axis=0)
    scores = scores[known].round(_EQUAL_DECIMALS)
    rising = _never_falling(curves[:, known]).round(_EQUAL_DECIMALS)
    places, heights = _drawn_finely(np.log(sizes), rising)
    reached = np.argmax(heights >= scores, axis=0)
    before, columns = np.maximum(reached - 1, 0), np.arange(len(scores))
    step = heights[reached, columns] - heights[before, columns]
    share = np.divide(scores - heights[before, columns], step, out=np.ones(len(scores)), where=step > 0)
    crossing = np.exp(places[before] + share * (places[reached] - places[before]))
    needed[known] = np.select([scores < rising[0], scores > rising[-1]], [0.0, np.inf], crossing)
    return needed


def _never_falling(curves: Array) -> Array:
    """Return the isotonic regression of every column, by its max-min formula: all columns at once."""
    n_points = len(curves)
    fitted = np.full(curves.shape, -np.inf)
    for start in range(n_points):
        lowest = np.full(curves.shape[1], np.inf)
        for stop in range(n_points, start, -1):
            lowest = np.minimum(lowest, curves[start:stop].mean(axis=0))
            fitted[stop - 1] = np.maximum(fitted[stop - 1], lowest)
    return fitted


def _drawn_finely(log_sizes: Array, rising: Array) -> tuple[Array, Array]:
    """Return places, (P,), and the monotone cubic there, (P, D); the points of the curve are among them, unchanged."""
    if len(log_sizes) == 1:
        return log_sizes, rising
    between = [np.linspace(low, high, _STEPS, endpoint=False) for low, high in pairwise(log_sizes)]
    places = np.append(np.concatenate(between), log_sizes[-1])
    heights: Array = PchipInterpolator(log_sizes, rising, axis=0)(places)
    heights[::_STEPS] = rising
    return places, heights
