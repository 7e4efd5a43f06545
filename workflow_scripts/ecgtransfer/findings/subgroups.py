"""Who is served how well: the score of a run among women and men and by age, and how far it is from that of all others.

Only labels that enough patients have, and enough lack, both in the group and among the others, are compared: the
score of a label with two positives says nothing, and a gap over other labels would be one between labels.
"""

import logging
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import Cell
from ecgtransfer.compare.draws import Draws
from ecgtransfer.compare.predictions import Arrays
from ecgtransfer.compare.tables import CELL_COLUMNS, KEY_COLUMNS, RUN_MEANING, TableForm, sorted_table
from ecgtransfer.compare.tested import Tested, cell_start, macro_by_replicate, tested
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    NORMAL,
    SMALL,
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
from ecgtransfer.exhibits.tables import CELL, Columns, count, interval, number, value
from ecgtransfer.statistics.metrics import auroc
from ecgtransfer.statistics.resampling import patients_of_rarer_class

logger = logging.getLogger(__name__)

Array = NDArray[Any]

SUBGROUP_COLUMNS = [
    *(*CELL_COLUMNS, "attribute", "group", "metric", "n_records", "n_patients", "n_labels"),
    *("score", "ci_low", "ci_high", "gap", "gap_low", "gap_high"),
]
METRIC = "macro_auroc"
SEXES = ("F", "M")
AGES = {"under 40": (-np.inf, 40), "40 to 64": (40, 65), "65 and over": (65, np.inf)}
"""From the first age on, in years, to below the second."""
MIN_POSITIVES = 5
TABLES = {
    "subgroups": TableForm(
        SUBGROUP_COLUMNS,
        "scores by sex and age, and the gap to all others",
        "At the smallest and the largest fraction. One row per cell and group.",
        {
            **RUN_MEANING,
            "attribute, group": "`sex` or `age`, and which",
            "metric": "`macro_auroc`",
            "n_records, n_patients": "test recordings and patients of the group",
            "n_labels": "labels with enough positive patients in the group and in all others",
            "score, ci_low, ci_high": "over these labels",
            "gap, gap_low, gap_high": "score in the group minus score in all others",
        },
    )
}
CAPTION = """
Macro AUROC in women, men and age groups, and the gap between each group and all other test recordings of which the
attribute is known, with {percent} interval, at the largest fraction. A group with too few patients for a label is not
scored on it. The numbers are in ``findings/subgroups.csv``.
"""


def compute(
    predictions_at_ends: Mapping[Cell, Arrays],
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    records: Mapping[str, pd.DataFrame],
    draws: Draws,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `subgroups` of all cells, one below the other."""
    tables = [
        subgroups(cell, predictions, labels[cell.target], splits[cell.target], records[cell.target], draws)
        for cell, predictions in predictions_at_ends.items()
    ]
    return {"subgroups": pd.concat(tables)}


def subgroups(
    cell: Cell,
    predictions: Arrays,
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    records: pd.DataFrame,
    draws: Draws,
    min_positives: int = MIN_POSITIVES,
) -> pd.DataFrame:
    """Return how well one cell does in every group of test records.

    Parameters
    ----------
    cell
        Whose predictions they are.
    predictions
        The arrays of its ``predictions.npz``.
    labels, splits
        The tables of its target.
    records
        ``record_id,age_years,sex`` of the target, sex ``F`` or ``M``; empty where unknown.
    draws
        Of the intervals, which cover test patients and replicates.
    min_positives
        A label counts if at least this many patients have it, and as many do not, in the group and among the others.

    Returns
    -------
    pandas.DataFrame
        Columns `SUBGROUP_COLUMNS`, a row per group.

        ``n_records``, ``n_patients``
            Test records in the group, and their patients.
        ``n_labels``
            Labels that count; without any, there is no score.
        ``score``, ``ci_low``, ``ci_high``
            Macro AUROC over these labels, mean over replicates.
        ``gap``, ``gap_low``, ``gap_high``
            The same minus that of all other test records of which the attribute is known, over the same labels.

    Raises
    ------
    InputError
        If a test record or label is missing from a table.
    """
    run = tested(predictions, labels, splits)
    logger.info("%s: %d test records by sex and age", cell.name, len(run.record_id))
    weights = draws.weights_of(run.patients)
    start = cell_start(cell, predictions)

    @cache  # the others of one sex are the other one
    def by_label(side: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        return run.values(auroc, np.array(side), columns, weights)

    rows: list[dict[str, object]] = []
    for attribute, group, inside, outside in _groups(run, records):
        columns = _columns_to_compare(run, inside, outside, min_positives)
        found: dict[str, object] = {"n_labels": len(columns)}
        if columns:
            within, beside = (by_label(tuple(np.flatnonzero(side)), columns) for side in (inside, outside))
            scores = draws.interval_of(macro_by_replicate(within))
            # A resample's gap is over labels that both can have.
            gaps = draws.interval_of(macro_by_replicate(within - beside))
            found |= dict(zip(("score", "ci_low", "ci_high"), np.clip(scores, 0, 1), strict=True))
            found |= dict(zip(("gap", "gap_low", "gap_high"), gaps, strict=True))
        counts = {"n_records": int(inside.sum()), "n_patients": len(np.unique(run.patients[inside]))}
        rows.append({**start, "attribute": attribute, "group": group, "metric": METRIC, **counts, **found})
    return sorted_table(rows, SUBGROUP_COLUMNS, [*KEY_COLUMNS, "attribute"])


def _groups(run: Tested, records: pd.DataFrame) -> Iterator[tuple[str, str, Array, Array]]:
    """Yield attribute, group, which test records are in it, and which are in another; bool, (N,)."""
    people = records.assign(record_id=records["record_id"].astype(str)).set_index("record_id")
    absent = sorted(set(run.record_id) - set(people.index))
    if absent:
        raise InputError(f"records table: record {absent[0]} missing ({len(absent)} in all); index the records again")
    people = people.loc[run.record_id]
    sex, age = people["sex"].to_numpy(dtype=object), people["age_years"].to_numpy(dtype=np.float64, na_value=np.nan)
    members = {
        "sex": {each: sex == each for each in SEXES},
        "age": {group: (age >= low) & (age < high) for group, (low, high) in AGES.items()},
    }
    for attribute, groups in members.items():
        known = np.any(list(groups.values()), axis=0)
        for group, inside in groups.items():
            yield attribute, group, inside, known & ~inside


def _columns_to_compare(run: Tested, inside: Array, outside: Array, least: int) -> tuple[int, ...]:
    """Return the labels that enough patients have, and enough lack, on both sides."""
    enough = np.ones(len(run.labels), dtype=bool)
    for side in (inside, outside):
        enough &= patients_of_rarer_class(run.positive[side], run.known[side], run.patients[side]) >= least
    return tuple(np.flatnonzero(enough).tolist())


_GROUP_NAMES = {"F": "women", "M": "men"}  # others are called as in the table
_PAIRS_PER_ROW = 2
_TITLE_LENGTH = 42  # characters in a line
_SERIES_HEIGHT, _BETWEEN_GROUP_NAMES = 0.08, 0.11  # inches


def draw(subgroups: pd.DataFrame) -> Figure:
    """Return the figure from the table of `subgroups`."""
    table = answered(subgroups)
    table = table[table["score"].notna()]
    if table.empty:
        return nothing_to_show("No scores of subgroups: age and sex are not known, or no group has enough patients.")
    fraction = table["fraction"].max()
    rows = table[table["fraction"] == fraction]
    groups = _in_order(rows)
    styles = arm_styles(rows["arm"])
    step = _SERIES_HEIGHT / (len(styles) * _SERIES_HEIGHT + _BETWEEN_GROUP_NAMES)
    cells = list(rows[["target", "model"]].drop_duplicates().sort_values(["target", "model"]).itertuples(index=False))
    n_columns = min(len(cells), _PAIRS_PER_ROW)
    n_bands = -(-len(cells) // n_columns)
    panel_height = len(groups) * (len(styles) * _SERIES_HEIGHT + _BETWEEN_GROUP_NAMES)
    figure = new_figure(n_bands * (panel_height + 0.85))
    grid = figure.add_gridspec(n_bands, 2 * n_columns)
    for place, (target, model) in enumerate(cells):
        band, column = divmod(place, n_columns)
        scores = figure.add_subplot(grid[band, 2 * column])
        gaps = figure.add_subplot(grid[band, 2 * column + 1], sharey=scores)
        of_cell = rows[(rows["target"] == target) & (rows["model"] == model)]
        for order, (arm, style) in enumerate(styles.items()):
            of_arm = of_cell[of_cell["arm"] == arm]
            places = of_arm["group"].map(groups.index) + step * (order - (len(styles) - 1) / 2)
            _draw_side(scores, of_arm, places, ("score", "ci_low", "ci_high"), style)
            _draw_side(gaps, of_arm, places, ("gap", "gap_low", "gap_high"), style)
        gaps.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        scores.set_yticks(range(len(groups)), [_GROUP_NAMES.get(group, group) for group in groups])
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
    others = [group for group in found if group not in (*_GROUP_NAMES, *young)]
    return [*(group for group in _GROUP_NAMES if group in found), *young, *others]


def _draw_side(axes: Axes, rows: pd.DataFrame, places: pd.Series, columns: tuple[str, str, str], style: Style) -> None:
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


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "group": lambda row: f"{row.attribute} {row.group}",
        "recordings": count("n_records"),
        "patients": count("n_patients"),
        "labels": count("n_labels"),
        "score": value("score"),
        "interval": interval,
        "gap": value("gap"),
        "interval of the gap": lambda row: f"[{number(row.gap_low)}, {number(row.gap_high)}]",
    }
    return exhibit(tables["subgroups"], "subgroups", "Macro AUROC by sex and age.", columns, n_words=5)
