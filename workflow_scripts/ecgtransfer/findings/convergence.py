"""Convergence: how much faster or slower transfer is than training from scratch, to the same validation score."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import Cell
from ecgtransfer.compare.convergence import (
    MEASURES,
    REPLICATE_CONVERGENCE_COLUMNS,
    mean_over_replicates,
    replicate_convergence,
    trainings_of,
)
from ecgtransfer.compare.tables import KEY_COLUMNS, KEY_MEANING, TableForm, sorted_table
from ecgtransfer.exhibits.forest import forest
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    BLUE,
    RED,
    SMALL,
    bars,
    draw_points,
    legend_below,
    mark,
    nothing_to_show,
    set_ratio_axis,
)
from ecgtransfer.exhibits.tables import CELL, Columns, interval, value, word

Array = NDArray[Any]

CATCH_UP = "catch_up"
CONVERGENCE_COLUMNS = [
    *(*KEY_COLUMNS, "measure", "scratch", "transfer", "ratio", "ci_low", "ci_high"),
    *("n_reached", "n_replicates", "epochs_run"),
]
TABLES = {
    "convergence": TableForm(
        CONVERGENCE_COLUMNS,
        "epochs, steps and seconds to the same validation score",
        "One row per cell with transferred weights and `measure`: `epochs`, `steps`, `seconds` until a training first"
        " reaches 99 % of the best validation macro AUROC of its partner from scratch; and `catch_up`.",
        {
            **KEY_MEANING,
            "measure": "what is counted",
            "scratch, transfer": "means over replicates; empty where one never got there. Of `catch_up`, `scratch` is"
            " the epoch in which it reached the best score of transfer",
            "ratio, ci_low, ci_high": "transfer to scratch, geometric mean over replicates",
            "n_reached, n_replicates": "replicates of transfer that got there (of `catch_up`: of scratch), and all",
            "epochs_run": "epochs that these were trained for, mean",
        },
    )
}
CAPTION = """
How long transfer takes to reach 99 % of the best validation score from scratch, in epochs and in seconds, over the time
that training from scratch takes: below 1, transfer is faster. Points are geometric means over replicates ({replicates})
with {percent} interval. The numbers are in ``findings/convergence.csv``.
"""

_NUMBERS = REPLICATE_CONVERGENCE_COLUMNS[REPLICATE_CONVERGENCE_COLUMNS.index("goal") :]


def compute(
    metadata: Mapping[Cell, Mapping[str, Any]], histories: Mapping[Cell, pd.DataFrame], confidence: float
) -> dict[str, pd.DataFrame]:
    """Return the table of `convergence`."""
    return {"convergence": convergence(replicate_convergence(trainings_of(metadata, histories)), confidence)}


def convergence(by_replicate: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return the means over replicates, and how much longer or shorter transfer takes than training from scratch.

    Parameters
    ----------
    by_replicate
        The table of `ecgtransfer.compare.convergence.replicate_convergence`.
    confidence
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        Columns `CONVERGENCE_COLUMNS`, a row per cell and ``measure``: ``epochs``, ``steps`` and ``seconds`` until the
        goal, and ``catch_up``.

        ``scratch``, ``transfer``
            Means over replicates; empty where a replicate never got there, as a mean over the others would flatter. Of
            ``catch_up``, ``scratch`` is the epoch in which it reached the best score of transfer; the rest is empty.
        ``ratio``, ``ci_low``, ``ci_high``
            Geometric mean over replicates of transfer to scratch, with Student's interval of its logarithm; below 1
            where transfer is faster. The interval is empty for one replicate.
        ``n_reached``, ``epochs_run``
            In how many replicates transfer reached the goal, and the epochs that it was trained for, as a mean. Of
            ``catch_up``: in how many scratch reached the best score of transfer, and its epochs.
        ``n_replicates``
            How many there are.
    """
    rows: list[dict[str, object]] = []
    for key, replicates in by_replicate.groupby(KEY_COLUMNS, sort=False):
        cell = dict(zip(KEY_COLUMNS, key, strict=True))
        numbers = {name: replicates[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in _NUMBERS}
        for measure in MEASURES:
            scratch, transfer = numbers[f"{measure}_scratch"], numbers[f"{measure}_transfer"]
            ratio, low, high = map(math.exp, mean_over_replicates(np.log(transfer / scratch), confidence))
            rows.append(
                {
                    **{**cell, "measure": measure, "scratch": scratch.mean(), "transfer": transfer.mean()},
                    **{"ratio": ratio, "ci_low": low, "ci_high": high},
                    **_how_many(numbers["epochs_transfer"], numbers["epochs_run_transfer"]),
                }
            )
        caught_up = numbers["catch_up_epoch"]
        rows.append(
            {
                **{**cell, "measure": CATCH_UP, "scratch": caught_up.mean()},
                **_how_many(caught_up, numbers["epochs_run_scratch"]),
            }
        )
    return sorted_table(rows, CONVERGENCE_COLUMNS, [*KEY_COLUMNS, "measure"])


def _how_many(reached: Array, epochs_run: Array) -> dict[str, object]:
    """Return the columns on replicates of which `reached` says when, NaN for never."""
    return {
        "n_reached": int(np.isfinite(reached).sum()),
        "n_replicates": len(reached),
        "epochs_run": float(epochs_run.mean()),
    }


STYLES = {
    "epochs": {"color": BLUE, "marker": "o"},
    "seconds": {"color": RED, "marker": "s", "markerfacecolor": "white"},
}
_BESIDE = 0.2  # rows, the distance between the two measures
_NOTE = (
    "Time until 99 % of the best validation score from scratch, transfer over scratch, geometric mean over replicates"
    " with interval: left of 1, transfer is faster. On the right: in how many replicates transfer reached that score;"
    " where it was not reached by all, there is no ratio. Bars may go on beyond the frame."
)


def draw(convergence: pd.DataFrame) -> Figure:
    """Return the figure from the table of `convergence`."""
    table = convergence[convergence["measure"].isin(list(STYLES))]
    if table.empty:
        return nothing_to_show("No times to compare: nothing was transferred in this study.")
    figure, panels, rows, left_out = forest(table, "time to the same score, transfer / scratch")
    for target, axes in panels.items():
        of_target = rows[rows["target"] == target]
        axes.axvline(1, color="0.3", linewidth=0.8, zorder=1)
        for (measure, style), step in zip(STYLES.items(), (-_BESIDE, _BESIDE), strict=True):
            of_measure = of_target[of_target["measure"] == measure]
            reach = bars(of_measure["ratio"], of_measure["ci_low"], of_measure["ci_high"])
            places = of_measure["place"] + step
            draw_points(
                axes, of_measure["ratio"], places, style, xerr=reach, linestyle="none", markersize=3.5, capsize=0
            )
        epochs = of_target[of_target["measure"] == "epochs"]
        for place, reached, n in zip(epochs["place"], epochs["n_reached"], epochs["n_replicates"], strict=True):
            text = f"{reached:.0f}/{n:.0f}"
            axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="center")
        set_ratio_axis(axes, "x", of_target["ratio"], of_target[["ci_low", "ci_high"]], most_ticks=5)
    handles = [mark(style, linestyle="none") for style in STYLES.values()]
    legend_below(figure, handles, list(STYLES), _NOTE + left_out)
    return figure


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "until": word("measure"),
        "scratch": value("scratch"),
        "transfer": value("transfer"),
        "ratio": value("ratio"),
        "interval": interval,
        "reached": lambda row: f"{row.n_reached:.0f} of {row.n_replicates:.0f}",
    }
    caption = "Epochs and seconds to the same validation score, transfer to scratch."
    return exhibit(tables["convergence"], "convergence", caption, columns)
