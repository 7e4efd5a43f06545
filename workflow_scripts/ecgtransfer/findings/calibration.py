"""Whether probabilities can be taken at face value: errors of calibration, and the points of a reliability diagram."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import Cell
from ecgtransfer.compare.draws import Draws
from ecgtransfer.compare.predictions import Arrays
from ecgtransfer.compare.scores import truth_of
from ecgtransfer.compare.tables import CELL_COLUMNS, KEY_COLUMNS, RUN_MEANING, TableForm, sorted_table
from ecgtransfer.compare.tested import Metric, cell_start, macro_by_replicate, tested
from ecgtransfer.exhibits.names import METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    SMALL,
    arm_legend,
    arm_styles,
    dress,
    mark,
    nothing_to_show,
    percent,
    target_model_panels,
)
from ecgtransfer.exhibits.tables import CELL, Columns, interval, value
from ecgtransfer.statistics.metrics import brier, expected_calibration_error

Array = NDArray[Any]

CALIBRATION_COLUMNS = [*CELL_COLUMNS, "metric", "score", "ci_low", "ci_high"]
RELIABILITY_COLUMNS = [*CELL_COLUMNS, "bin", "probability", "observed", "n"]
N_BINS = 10

_METRICS: dict[str, Metric] = {"macro_brier": brier, "macro_ece": expected_calibration_error}
TABLES = {
    "calibration": TableForm(
        CALIBRATION_COLUMNS,
        "how far probabilities can be trusted",
        "At the smallest and the largest fraction. One row per cell and metric.",
        {
            **RUN_MEANING,
            "metric": "`macro_brier` or `macro_ece` (expected calibration error)",
            "score, ci_low, ci_high": "mean over replicates, with interval",
        },
    ),
    "reliability": TableForm(
        RELIABILITY_COLUMNS,
        "predicted probabilities against observed shares",
        "One row per cell of calibration.csv and `bin` of predicted probabilities, over labels and replicates.",
        {
            **RUN_MEANING,
            "bin": "from 0",
            "probability, observed": "the mean probability in the bin, and the share that has the label",
            "n": "how many there are",
        },
    ),
}
CAPTION = """
How often a label is present against the probability that the models predict, from scratch and after each pre-training,
at the largest fraction; on the diagonal, probabilities are right. Next to it, the expected calibration error, mean over
labels. The numbers are in ``findings/reliability.csv`` and ``findings/calibration.csv``.
"""


def compute(
    predictions_at_ends: Mapping[Cell, Arrays],
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    draws: Draws,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `calibration` and `reliability` of all cells, one below the other."""
    calibrated, reliable = [], []
    for cell, predictions in predictions_at_ends.items():
        calibrated.append(calibration(cell, predictions, labels[cell.target], splits[cell.target], draws))
        reliable.append(reliability(cell, predictions, labels[cell.target]))
    return {"calibration": pd.concat(calibrated), "reliability": pd.concat(reliable)}


def calibration(
    cell: Cell, predictions: Arrays, labels: pd.DataFrame, splits: pd.DataFrame, draws: Draws
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
    lies around the score; the distance of the score itself stays. It is compared with that of other runs on the same
    test records, which have it, too. The Brier score has neither.
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


def reliability(cell: Cell, predictions: Arrays, labels: pd.DataFrame) -> pd.DataFrame:
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


_SHOWN = "macro_ece"
_PANEL_HEIGHT = 3.4  # inches


def draw(calibration: pd.DataFrame, reliability: pd.DataFrame) -> Figure:
    """Return the figure from ``calibration.csv``, for the errors, and ``reliability.csv``, which is drawn."""
    table = reliability[reliability["probability"].notna() & reliability["observed"].notna()]
    if table.empty:
        return nothing_to_show("No probabilities to compare with labels in this study.")
    fraction = table["fraction"].max()
    rows = table[table["fraction"] == fraction]
    errors = calibration[(calibration["metric"] == _SHOWN) & (calibration["fraction"] == fraction)]
    error_of = errors.set_index(["target", "model", "arm"])["score"].to_dict()
    styles = arm_styles(rows["arm"])
    panels = target_model_panels(rows, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        for model, axes in by_model.items():
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=1)
            handles, names = [], []
            for arm, style in styles.items():
                of_arm = rows[(rows["target"] == target) & (rows["model"] == model) & (rows["arm"] == arm)]
                of_arm = of_arm.sort_values("bin")
                axes.plot(of_arm["probability"], of_arm["observed"], **style, markersize=3.5, linewidth=1.1)
                if (target, model, arm) in error_of:
                    handles.append(mark(style, markersize=4))
                    names.append(f"{error_of[target, model, arm]:.3f}")
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            dress(axes, "probability by the model", "share that has the label")
            axes.legend(
                handles,
                names,
                title="error (ECE)",
                loc="upper left",
                fontsize=SMALL,
                title_fontsize=SMALL,
                handlelength=2.5,
                labelspacing=0.25,
                borderpad=0.2,
                framealpha=0.8,
                edgecolor="none",
            )
    note = (
        f"At {percent(fraction)} of the training patients, all labels, replicates and test recordings together; on the"
        " grey line, probabilities are right. ECE: expected calibration error, mean over labels."
    )
    if table["fraction"].nunique() > 1:
        note += " The other fractions are in the table."
    arm_legend(panels.figure, styles, note)
    return panels.figure


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "measure": lambda row: METRIC_NAMES.get(row.metric, row.metric),
        "value": value("score"),
        "interval": interval,
    }
    caption = "Observed shares against predicted probabilities."
    return exhibit(tables["calibration"], "calibration", caption, columns, "reliability", n_words=5)
