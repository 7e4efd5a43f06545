"""Label saving: how many times as many labelled recordings scratch needs for the score of transfer, at each fraction.

It is read off the learning curve from scratch; beyond its ends there is only a bound.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from ecgtransfer.compare.label_saving import LABEL_SAVING_COLUMNS, label_savings
from ecgtransfer.compare.open_intervals import LESS_THAN, MORE_THAN, times
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.tables import TableForm
from ecgtransfer.compare.variances import How
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
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
from ecgtransfer.exhibits.tables import CELL, Columns, count

TABLES = {
    "label_saving": TableForm(
        LABEL_SAVING_COLUMNS,
        "how many times the labels scratch needs for the same score",
        "One row per target, source, model, arm, fraction and metric. Read off the scratch curve, on which nothing is"
        " known beyond its two ends: there a number is empty, and its relation is `more_than` or `less_than` in place"
        " of `equals`.",
        {
            "target, source, model, arm, fraction, n_train, metric": "as in verdicts.csv",
            "n_scratch": "labelled recordings with which scratch reaches the score of transfer",
            "saving, relation": "the same in multiples of `n_train`",
            "ci_low, ci_low_relation, ci_high, ci_high_relation": "interval of `saving`",
            "least, most": "`saving` at the two ends of the scratch curve",
        },
    )
}
CAPTION = """
How many times the labelled recordings that transfer was trained on training from scratch needs to reach the same macro
AUROC, with {percent} interval over replicates and test patients. It is read off the learning curve from scratch; open
marks and arrows say that the curve ends there and the saving is more, or less, than that. The numbers are in
``findings/label_saving.csv``.
"""


def compute(runs: Sequence[Run], confidence: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the label savings of all runs with transferred weights."""
    return {"label_saving": label_savings(runs, confidence, seed, variance)}


_PANEL_HEIGHT = 2.9  # inches
_ARROWS = {MORE_THAN: r"$\uparrow$", LESS_THAN: r"$\downarrow$"}
_ARROW_ROOM = 1.4  # times the ends
_BEYOND = {MORE_THAN: 8, LESS_THAN: -8}  # points, from the end of the curve to the middle of an arrow
_NOTE = (
    "Above 1, transfer saves labels. Bars: confidence interval over replicates and test patients. Open marks and"
    " arrows: more, or less, than that; the learning curve from scratch ends there."
)


def draw(label_saving: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.label_saving.label_savings`."""
    table = answered(label_saving)
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
        saving, low, high = (_placed(of_target, *columns) for columns in _ENDS)
        set_ratio_axis(axes, "y", saving, [low / _ARROW_ROOM, high * _ARROW_ROOM])
    arm_legend(panels.figure, styles, _NOTE)
    return panels.figure


_ENDS = (("saving", "relation"), ("ci_low", "ci_low_relation"), ("ci_high", "ci_high_relation"))


def _draw_arm(axes: Axes, rows: pd.DataFrame, style: Style, beside: float) -> None:
    x = rows["n_train"] * beside
    saving, low, high = (_placed(rows, *columns) for columns in _ENDS)
    draw_points(axes, x, saving, style, yerr=bars(saving, low, high))
    is_bound = rows["relation"].isin(list(_ARROWS))
    axes.plot(
        x[is_bound], saving[is_bound], **{**style, "linestyle": "none"}, markersize=4.5, markerfacecolor="w", zorder=4
    )
    for ends, (_, relation) in zip((low, high), _ENDS[1:], strict=True):
        for word, arrow in _ARROWS.items():
            is_open = rows[relation] == word
            if not is_open.any():
                continue
            marks = {"color": style["color"], "marker": arrow, "markersize": 8, "linestyle": "none"}
            shift = offset_copy(axes.transData, axes.get_figure(root=True), 0, _BEYOND[word], units="points")
            axes.plot(x[is_open], ends[is_open], **marks, markeredgewidth=0.3, transform=shift)


def _placed(rows: pd.DataFrame, value: str, relation: str) -> pd.Series:
    """Return a column with the bound in place of values beyond it."""
    bound = np.select([rows[relation] == MORE_THAN, rows[relation] == LESS_THAN], [rows["most"], rows["least"]], np.nan)
    return rows[value].fillna(pd.Series(bound, index=rows.index))


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "recordings": count("n_train"),
        "from scratch": count("n_scratch"),
        "times": lambda row: times(row, "saving", "relation"),
        "interval": lambda row: (
            f"[{times(row, 'ci_low', 'ci_low_relation')}, {times(row, 'ci_high', 'ci_high_relation')}]"
        ),
    }
    caption = "Labelled recordings that scratch needs, in multiples of those of transfer."
    return exhibit(tables["label_saving"], "label_saving", caption, columns)
