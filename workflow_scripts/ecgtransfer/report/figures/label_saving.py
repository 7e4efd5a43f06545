"""Label saving: how many times the labelled recordings scratch needs for the score of transfer, at each fraction.

One panel per target and model. The saving is read off the curve from scratch; beyond its ends stands a bound.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from ecgtransfer.report.figures.style import (
    Style,
    answered,
    arm_legend,
    arm_styles,
    bars,
    dodges,
    draw_points,
    dress,
    nothing_to_show,
    set_count_axis,
    set_ratio_axis,
    target_model_panels,
)

_PANEL_HEIGHT = 2.5  # inches
MORE_THAN, LESS_THAN = "more_than", "less_than"  # words of the table
_ARROWS = {MORE_THAN: r"$\uparrow$", LESS_THAN: r"$\downarrow$"}
_ARROW_ROOM = 1.4  # times the ends
_BEYOND = {MORE_THAN: 8, LESS_THAN: -8}  # points, from the end of the curve to the middle of an arrow
_NOTE = (
    "Above 1, transfer saves labels. Bars: confidence interval over replicates and test patients. Open marks and"
    " arrows: more, or less, than that; the learning curve from scratch ends there."
)


def draw(savings: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.label_saving.label_savings`."""
    table = answered(savings)
    if not (table["most"] > table["least"]).any():
        return nothing_to_show(
            "No label saving to show: with a single fraction there is no learning curve from scratch to read it off."
        )
    styles = arm_styles(table["arm"])
    panels = target_model_panels(table, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        of_target = table[table["target"] == target]
        beside = dodges(of_target["n_train"], styles)
        for model, axes in by_model.items():
            axes.axhline(1, color="0.3", linewidth=0.8, zorder=1)
            of_model = of_target[of_target["model"] == model].sort_values("n_train")
            for arm, style in styles.items():
                _draw_arm(axes, of_model[of_model["arm"] == arm], style, beside[arm])
            dress(axes, "labelled training recordings", "recordings from scratch\nfor the same score, ratio")
        set_count_axis(by_model.values(), of_target["n_train"], panels.width)
        saving, low, high = (_placed(of_target, *columns) for columns in _COLUMNS)
        set_ratio_axis(axes, "y", saving, [low / _ARROW_ROOM, high * _ARROW_ROOM])
    arm_legend(panels.figure, styles, _NOTE)
    return panels.figure


_COLUMNS = (("saving", "relation"), ("ci_low", "ci_low_relation"), ("ci_high", "ci_high_relation"))


def _draw_arm(axes: Axes, rows: pd.DataFrame, style: Style, beside: float) -> None:
    x = rows["n_train"] * beside
    saving, low, high = (_placed(rows, *columns) for columns in _COLUMNS)
    draw_points(axes, x, saving, style, yerr=bars(saving, low, high))
    is_bound = rows["relation"].isin(list(_ARROWS))
    axes.plot(
        x[is_bound], saving[is_bound], **{**style, "linestyle": "none"}, markersize=4.5, markerfacecolor="w", zorder=4
    )
    for ends, (_, relation) in zip((low, high), _COLUMNS[1:], strict=True):
        for word, arrow in _ARROWS.items():
            is_open = rows[relation] == word
            if not is_open.any():
                continue
            marks = {"color": style["color"], "marker": arrow, "markersize": 8, "linestyle": "none"}
            shift = offset_copy(axes.transData, axes.get_figure(root=True), 0, _BEYOND[word], units="points")
            axes.plot(x[is_open], ends[is_open], **marks, markeredgewidth=0.3, transform=shift)


def _placed(rows: pd.DataFrame, value: str, relation: str) -> pd.Series:
    """Return a column with the bound in the place of what lies beyond it."""
    bound = np.select([rows[relation] == MORE_THAN, rows[relation] == LESS_THAN], [rows["most"], rows["least"]], np.nan)
    return rows[value].fillna(pd.Series(bound, index=rows.index))
