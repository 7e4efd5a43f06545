"""Whether probabilities mean what they say: errors of calibration, and the points of a reliability diagram."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.findings import CELL_COLUMNS, KEY_COLUMNS, sorted_table
from ecgtransfer.compare.scores import truth_of
from ecgtransfer.compare.tested import Draws, Metric, cell_start, macro_by_replicate, tested
from ecgtransfer.statistics.metrics import brier, expected_calibration_error
from ecgtransfer.study import Cell

Array = NDArray[Any]

CALIBRATION_COLUMNS = [*CELL_COLUMNS, "metric", "score", "ci_low", "ci_high"]
RELIABILITY_COLUMNS = [*CELL_COLUMNS, "bin", "probability", "observed", "n"]
N_BINS = 10

_METRICS: dict[str, Metric] = {"macro_brier": brier, "macro_ece": expected_calibration_error}


def calibration(
    cell: Cell, predictions: Mapping[str, Array], labels: pd.DataFrame, splits: pd.DataFrame, draws: Draws
) -> pd.DataFrame:
    """Return how far the probabilities of one cell are from what they should be.

    Parameters
    ----------
    cell
        Whose predictions they are.
    predictions
        The arrays of its ``predictions.npz``.
    labels, splits
        The tables of its target.
    draws
        Of the intervals, which cover test patients and replicates.

    Returns
    -------
    pandas.DataFrame
        Columns `CALIBRATION_COLUMNS`, a row each for ``macro_brier``, the mean squared error of probabilities, and
        ``macro_ece``, the expected calibration error with bins of equally many records; means over labels and
        replicates, lower is better.

    Notes
    -----
    The calibration error of a sample lies above the true one, most of all where that is small and records are few, and
    the error of a resample above that of its sample. Resamples are moved back by their distance, so that the interval
    lies around the score; the distance of the score itself stays. It is read beside that of other runs on the same test
    records, which have it, too. The Brier score has neither.
    """
    run = tested(predictions, labels, splits)
    weights = draws.weights_of(run.patients)
    every_row, every_column = np.arange(len(run.record_id)), range(len(run.labels))
    rows: list[dict[str, object]] = []
    for name, metric in _METRICS.items():
        by_label = run.values(metric, every_row, every_column, weights)
        values = _without_shift(macro_by_replicate(by_label))
        score, low, high = np.clip(draws.interval_of(values), 0, 1)
        rows.append({**cell_start(cell, predictions), "metric": name, "score": score, "ci_low": low, "ci_high": high})
    return sorted_table(rows, CALIBRATION_COLUMNS)


def reliability(cell: Cell, predictions: Mapping[str, Array], labels: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the reliability diagram of one cell, all labels, replicates and test records together.

    Parameters
    ----------
    cell, predictions, labels
        As for `calibration`.

    Returns
    -------
    pandas.DataFrame
        Columns `RELIABILITY_COLUMNS`, a row for each of `N_BINS` bins of equal width, from 0; ``probability`` is the
        mean one in the bin, ``observed`` the share of positives, ``n`` the number of both; empty where that is 0.
    """
    truth = truth_of(labels, [str(name) for name in predictions["labels"]], predictions["test_record_id"].astype(str))
    probability = predictions["test_probability"][:, truth.known].astype(np.float64).ravel()
    positive = np.tile(truth.positive[truth.known], len(predictions["test_probability"]))
    bins = np.minimum((probability * N_BINS).astype(np.int64), N_BINS - 1)
    n, sums, positives = (np.bincount(bins, each, N_BINS) for each in (None, probability, positive))
    rows: list[dict[str, object]] = [
        {
            **{**cell_start(cell, predictions), "bin": number, "n": int(n[number])},
            "probability": sums[number] / n[number] if n[number] else np.nan,
            "observed": positives[number] / n[number] if n[number] else np.nan,
        }
        for number in range(N_BINS)
    ]
    return sorted_table(rows, RELIABILITY_COLUMNS, [*KEY_COLUMNS, "bin"])


def _without_shift(values: Array) -> Array:
    """Return (R, 1 + B) values whose resamples, behind the first column, have the first column as their mean."""
    resampled = values[:, 1:]
    shift = np.nanmean(resampled, axis=1, keepdims=True) - values[:, :1]
    return np.concatenate([values[:, :1], resampled - shift], axis=1)
