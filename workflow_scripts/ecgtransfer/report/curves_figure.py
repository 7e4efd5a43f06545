"""The learning-curve figure: score against labelled recordings, from scratch and after each pre-training.

One panel per target and model. Series differ in colour (Okabe & Ito's, safe for colour-blind readers), marker and line
style, so that the figure can also be read in grey.
"""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ecgtransfer.arms import SCRATCH
from ecgtransfer.errors import InputError
from ecgtransfer.report.names import METRIC_NAMES, series_name

_SCRATCH_STYLE = {"color": "black", "linestyle": (0, (4, 2)), "marker": "o", "markerfacecolor": "white"}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = ("s", "^", "D", "v", "P", "X", "<")
_DASHES = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1.2)), (0, (6, 1.2, 1, 1.2, 1, 1.2)), (0, (9, 1.5)))
_BARS = "points: mean over replicates; bars: confidence interval over replicates and test patients"

_PANELS_PER_ROW = 3
_PANEL_WIDTH, _PANEL_HEIGHT, _LEAST_WIDTH = 3.3, 2.7, 5.6  # inches
_LINE_HEIGHT, _CHARACTER = 0.18, 0.062  # inches, of the small size
_SMALL, _NORMAL = 8, 9  # points
_TITLE_LENGTH = 42  # characters in a line


def draw_learning_curves(curves: pd.DataFrame, metric: str = "macro_auroc") -> Figure:
    """Return the figure of one metric from the table of `ecgtransfer.compare.findings.learning_curves`.

    The models of a target share both axes. The x axis is logarithmic with a tick at each number of recordings that was
    used; series stand a little beside the tick so that their intervals stay apart.

    Raises
    ------
    InputError
        If the table has no row of that metric.
    """
    rows = curves[curves["metric"] == metric]
    if rows.empty:
        found = ", ".join(sorted(curves["metric"].unique())) or "none"
        raise InputError(f"learning curves: no row of metric {metric}, found {found}")
    styles = _styles(rows["arm"])
    targets, models = sorted(rows["target"].unique()), sorted(rows["model"].unique())
    n_columns = min(len(models), _PANELS_PER_ROW)
    bands = -(-len(models) // n_columns)  # rows of panels for one target
    width = max(n_columns * _PANEL_WIDTH, _LEAST_WIDTH)
    names, legend_columns, legend_height = _legend_plan(styles, width)
    figure = Figure(
        (width, len(targets) * bands * _PANEL_HEIGHT + legend_height), layout=ConstrainedLayoutEngine(h_pad=0.08)
    )
    grid = figure.add_gridspec(len(targets) * bands, n_columns)
    for band, target in enumerate(targets):
        of_target = rows[rows["target"] == target]
        dodges = _dodges(of_target["n_train"], styles)
        panels: list[Axes] = []
        for number, model in enumerate(models):
            row, column = divmod(number, n_columns)
            first = panels[0] if panels else None
            axes = figure.add_subplot(grid[band * bands + row, column], sharex=first, sharey=first)
            _draw_series(axes, of_target[of_target["model"] == model], styles, dodges)
            _dress(axes, _title(target, model), METRIC_NAMES.get(metric, metric), first_column=column == 0)
            panels.append(axes)
        _set_count_axis(panels, of_target["n_train"], width / n_columns)
    figure.legend(
        [Line2D([], [], **style, markersize=5, linewidth=1.5) for style in styles.values()],
        names,
        loc="outside lower center",
        ncols=legend_columns,
        title=textwrap.fill(_BARS, int(width / _CHARACTER)),
        fontsize=_SMALL,
        title_fontsize=_SMALL,
        frameon=False,
        handlelength=3.5,
    )
    return figure


def _styles(arms: pd.Series) -> dict[str, dict[str, Any]]:
    """Return the line style of each arm, from scratch first; lists of different lengths keep combinations apart."""
    styles: dict[str, dict[str, Any]] = {SCRATCH: dict(_SCRATCH_STYLE)} if (arms == SCRATCH).any() else {}
    for number, arm in enumerate(sorted(set(arms) - {SCRATCH})):
        styles[arm] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "linestyle": _DASHES[number % len(_DASHES)],
        }
    return styles


def _draw_series(axes: Axes, panel: pd.DataFrame, styles: dict[str, dict[str, Any]], dodges: dict[str, float]) -> None:
    for order, (arm, style) in enumerate(styles.items()):
        rows = panel[panel["arm"] == arm].sort_values("n_train")
        below_and_above = [rows["score"] - rows["ci_low"], rows["ci_high"] - rows["score"]]
        axes.errorbar(
            rows["n_train"] * dodges[arm],
            rows["score"],
            yerr=np.clip(below_and_above, 0, None),  # rounding of the table may leave -1e-6
            **style,
            markersize=4.5,
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2,
            zorder=3 + order,
        )


def _dodges(n_train: pd.Series, styles: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the factor by which each arm's points move on the log axis: all within a third of the narrowest gap."""
    counts = np.log(np.unique(n_train))
    spread = min(0.35 * np.diff(counts).min(), 0.06 * np.ptp(counts)) if len(counts) > 1 else 0.2
    steps = np.linspace(-spread / 2, spread / 2, len(styles)) if len(styles) > 1 else np.zeros(1)
    return dict(zip(styles, np.exp(steps).tolist(), strict=True))


def _title(target: str, model: str) -> str:
    title = f"{target}, {model}"
    if len(title) <= _TITLE_LENGTH:
        return title
    return "\n".join(textwrap.fill(name, _TITLE_LENGTH) for name in (target, model))


def _dress(axes: Axes, title: str, metric_name: str, first_column: bool) -> None:
    axes.set_title(title, fontsize=_NORMAL)
    axes.set_xlabel("labelled training recordings", fontsize=_SMALL)
    if first_column:
        axes.set_ylabel(f"{metric_name} on test recordings", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL, labelleft=first_column)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _set_count_axis(panels: list[Axes], n_train: pd.Series, panel_width: float) -> None:
    """Set the x axis that the panels of a target share: logarithmic, one tick per number of recordings."""
    counts, axes = np.unique(n_train), panels[0]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(counts.tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    margin = (counts[-1] / counts[0]) ** 0.08 if len(counts) > 1 else 2.0
    axes.set_xlim(counts[0] / margin, counts[-1] * margin)
    if len(counts) > 1:
        narrowest = np.diff(np.log(counts)).min() / np.log(margin**2 * counts[-1] / counts[0])
        if narrowest * 0.8 * panel_width < len(f"{counts[-1]:,}") * _CHARACTER + 0.1:
            for panel in panels:
                panel.tick_params(axis="x", rotation=45)


def _legend_plan(styles: dict[str, dict[str, Any]], width: float) -> tuple[list[str], int, float]:
    """Return the legend's names, its number of columns and its height in inches, to fit a figure of that width."""
    handle = 0.7  # inches
    names = [textwrap.fill(series_name(arm), int((width - handle) / _CHARACTER)) for arm in styles]
    longest = max(len(line) for name in names for line in name.split("\n"))
    n_columns = min(len(names), max(1, int(width / (longest * _CHARACTER + handle))))
    lines = -(-len(names) // n_columns) * max(name.count("\n") + 1 for name in names)
    return names, n_columns, (lines + 2) * _LINE_HEIGHT
