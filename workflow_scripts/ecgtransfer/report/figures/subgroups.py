"""Subgroups of patients: the score in each group, and its gap to all other patients.

Two panels per target and model, at the largest fraction: the model that one would use.
"""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtransfer.report.figures.style import (
    NORMAL,
    SMALL,
    WIDTH,
    Style,
    answered,
    arm_legend,
    arm_styles,
    bars,
    draw_points,
    new_figure,
    nothing_to_show,
    percent,
)
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES

_GROUPS = {"F": "women", "M": "men"}  # others are called as in the table
_PAIRS_PER_ROW = 2
_TITLE_LENGTH = 42  # characters in a line
_SERIES_HEIGHT, _BETWEEN_GROUPS = 0.07, 0.1  # inches


def draw(subgroups: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.subgroups`."""
    table = answered(subgroups)
    table = table[table["score"].notna()]
    if table.empty:
        return nothing_to_show("No scores of subgroups: age and sex are not known, or no group has enough patients.")
    fraction = table["fraction"].max()
    rows = table[table["fraction"] == fraction]
    groups = _in_order(rows)
    styles = arm_styles(rows["arm"])
    step = _SERIES_HEIGHT / (len(styles) * _SERIES_HEIGHT + _BETWEEN_GROUPS)
    cells = list(rows[["target", "model"]].drop_duplicates().sort_values(["target", "model"]).itertuples(index=False))
    n_columns = min(len(cells), _PAIRS_PER_ROW)
    n_bands = -(-len(cells) // n_columns)
    panel_height = len(groups) * (len(styles) * _SERIES_HEIGHT + _BETWEEN_GROUPS)
    figure = new_figure(WIDTH if n_columns > 1 else 5.6, n_bands * (panel_height + 0.75))
    grid = figure.add_gridspec(n_bands, 2 * n_columns)
    for number, (target, model) in enumerate(cells):
        band, column = divmod(number, n_columns)
        scores = figure.add_subplot(grid[band, 2 * column])
        gaps = figure.add_subplot(grid[band, 2 * column + 1], sharey=scores)
        of_cell = rows[(rows["target"] == target) & (rows["model"] == model)]
        for order, (arm, style) in enumerate(styles.items()):
            of_arm = of_cell[of_cell["arm"] == arm]
            places = of_arm["group"].map(groups.index) + step * (order - (len(styles) - 1) / 2)
            _draw_points(scores, of_arm, places, ("score", "ci_low", "ci_high"), style)
            _draw_points(gaps, of_arm, places, ("gap", "gap_low", "gap_high"), style)
        gaps.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        scores.set_yticks(range(len(groups)), [_GROUPS.get(group, group) for group in groups])
        scores.set_ylim(len(groups) - 0.5, -0.5)
        title = textwrap.fill(f"{target}, {model}", _TITLE_LENGTH)  # above both panels
        scores.set_title(title, fontsize=NORMAL, loc="left")
        _dress(scores, METRIC_NAMES[ANSWERED_METRIC], has_names=True)
        _dress(gaps, "gap to the others", has_names=False)
    note = (
        f"At {percent(fraction)} of the training patients. The gap is the score in the group minus the score in all"
        " other test recordings of which the attribute is known. Bars: confidence interval over replicates and test"
        " patients."
    )
    if table["fraction"].nunique() > 1:
        note += " The other fractions are in the table."
    arm_legend(figure, styles, note, linestyle="none")
    return figure


def _in_order(rows: pd.DataFrame) -> list[str]:
    """Return the groups: women and men first, then ages from young to old."""
    found = list(rows.sort_values(["attribute", "group"], ascending=[False, True])["group"].unique())
    young = [group for group in found if group.startswith("under")]
    others = [group for group in found if group not in (*_GROUPS, *young)]
    return [*(group for group in _GROUPS if group in found), *young, *others]


def _draw_points(
    axes: Axes, rows: pd.DataFrame, places: pd.Series, columns: tuple[str, str, str], style: Style
) -> None:
    value, low, high = (rows[column] for column in columns)
    reach = bars(value, low, high)
    draw_points(axes, value, places, style, xerr=reach, linestyle="none", markersize=3.5, capsize=0)


def _dress(axes: Axes, x_label: str, has_names: bool) -> None:
    axes.set_xlabel(x_label, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL, labelleft=has_names)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=3)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
