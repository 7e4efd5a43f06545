"""Convolutional against recurrent models: what each family gains, and whether transferred weights explain it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtransfer.report.figures.style import (
    LINE_HEIGHT,
    SMALL,
    WIDTH,
    Style,
    answered,
    arm_styles,
    bars,
    draw_points,
    dress,
    legend_below,
    mark,
    new_figure,
    nothing_to_show,
    percent,
)
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES, series_name

_HEIGHT = 3.4  # inches
_SMALL, _LARGE = 4.0, 7.0  # marks, points
_SAME_PLACE = 0.03  # of the width of the right panel: nearer points are moved apart
_LEAST_POINTS = 10  # percentage points that the right panel shows: less would look like a difference
_NOTE = (
    "Left: above the dashed line, convolutional models gain more. Right: their difference with interval over replicates"
    " and test patients; at 0 points, both families took the same share of their weights from the source. Points at the"
    " same share stand side by side."
)


def draw(architectures: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.architectures.architectures`."""
    table = answered(architectures)
    if table.empty:
        return nothing_to_show(
            "Nothing to compare: the study has no convolutional and recurrent models with transferred weights."
        )
    fractions = sorted(table["fraction"].unique())
    ends = list(dict.fromkeys([fractions[0], fractions[-1]]))
    rows = table[table["fraction"].isin(ends)]
    rows = rows.assign(
        share=100 * (rows["convolutional_share"] - rows["recurrent_share"]), is_open=rows["fraction"] != ends[0]
    ).sort_values(["share", "target", "arm", "fraction"], ignore_index=True)
    rows["x"] = side_by_side(rows["share"])
    styles = arm_styles(rows["arm"])
    figure = new_figure(WIDTH, _HEIGHT)
    gains, differences = figure.subplots(1, 2)
    _draw_gains(gains, rows, styles)
    differences.axhline(0, color="0.3", linewidth=0.8, zorder=1)
    for of_mark, style in _by_mark(rows, styles):
        reach = bars(of_mark["difference"], of_mark["ci_low"], of_mark["ci_high"])
        draw_points(differences, of_mark["x"], of_mark["difference"], style, yerr=reach)
    low, high = float(rows["x"].min()), float(rows["x"].max())
    room = max(_LEAST_POINTS - (high - low), 0) / 2 + 0.05 * (high - low)
    differences.set_xlim(low - room, high + room)
    dress(differences, "share of weights transferred: convolutional\nminus recurrent, percentage points", "")
    differences.set_ylabel("difference of the gains", fontsize=SMALL)
    differences.tick_params(labelleft=True)
    left_out = " Small: recurrent models with a flattened head; large: pooled." if _both_heads(rows) else ""
    if len(fractions) > 1:
        left_out += f" Filled: {percent(ends[0])} of the training patients; open: {percent(ends[1])}."
    if len(fractions) > len(ends):
        left_out += " The fractions between are in the table."
    handles = [mark(style, linestyle="none") for style in styles.values()]
    legend_below(figure, handles, list(map(series_name, styles)), _NOTE + left_out)
    figure.set_figheight(figure.get_figheight() + LINE_HEIGHT)
    return figure


def _by_mark(rows: pd.DataFrame, styles: dict[str, Style]) -> list[tuple[pd.DataFrame, Style]]:
    """Return the rows of each arm, fraction and head with their style: open marks for the largest fraction."""
    return [
        (
            rows[(rows["arm"] == arm) & (rows["is_open"] == is_open) & (rows["recurrent_head"] == head)],
            {
                **{**style, "linestyle": "none", "markerfacecolor": "white" if is_open else style["color"]},
                "markersize": _LARGE if head == "pool" and _both_heads(rows) else _SMALL,
            },
        )
        for arm, style in styles.items()
        for is_open in (False, True)
        for head in rows["recurrent_head"].unique()
    ]


def _both_heads(rows: pd.DataFrame) -> bool:
    """Tell whether recurrent models have flattened heads and pooled ones, so that marks must tell them apart."""
    return rows["recurrent_head"].nunique() > 1


def _draw_gains(axes: Axes, rows: pd.DataFrame, styles: dict[str, Style]) -> None:
    both = rows[["convolutional_delta", "recurrent_delta"]]
    axes.axline((0, 0), slope=1, color="0.3", linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    for of_mark, style in _by_mark(rows, styles):
        axes.plot(of_mark["recurrent_delta"], of_mark["convolutional_delta"], **style)
    room = 0.06 * max(float(np.nanmax(both) - np.nanmin(both)), 0.01)
    limits = (float(np.nanmin(both)) - room, float(np.nanmax(both)) + room)
    axes.set(xlim=limits, ylim=limits)
    gain = f"gain in {METRIC_NAMES[ANSWERED_METRIC]},"
    dress(axes, f"{gain} recurrent models", f"{gain} convolutional models")
    axes.locator_params(nbins=6)


def side_by_side(shares: pd.Series) -> pd.Series:
    """Return places for sorted shares: those within `_SAME_PLACE` of their neighbour are spread about their mean."""
    reach = max(float(shares.max() - shares.min()), float(_LEAST_POINTS))
    cluster = (shares.diff() > _SAME_PLACE * reach).cumsum()
    centres = shares.groupby(cluster).transform("mean")
    position = shares.groupby(cluster).cumcount() - (shares.groupby(cluster).transform("size") - 1) / 2
    gaps = np.diff(centres.unique())
    most = int(shares.groupby(cluster).size().max())
    step = min(0.012 * reach, 0.8 * float(gaps.min()) / most) if len(gaps) else 0.03 * reach
    return centres + step * position
