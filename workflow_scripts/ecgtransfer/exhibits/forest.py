"""Rows of cells next to panels of targets: what verdicts and convergence are drawn on.

A row is a source with a method of transfer, a model and a fraction. Where there are many, only the smallest and the
largest fraction have rows, or only the smallest, and `Forest.left_out` reports it.
"""

import textwrap
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtransfer.exhibits.names import series_name
from ecgtransfer.exhibits.style import (
    CHARACTER,
    NORMAL,
    SMALL,
    WIDTH,
    new_figure,
    percent,
    title_panel,
)

MOST_ROWS = 40
"""In a panel, before fractions are left out."""

_ROW_HEIGHT, _AROUND = 0.19, 1.1  # inches, of a row, and of title and axis of a panel
_NAMES_WIDTH, _PANELS_PER_ROW = 2.35, 3
_HEADER_LENGTH = 30  # characters in a line


class Forest(NamedTuple):
    """A figure with a panel per target, in which each cell has a place."""

    figure: Figure
    panels: dict[str, Axes]  # by target
    rows: pd.DataFrame  # those shown, with their place as column ``place``
    left_out: str  # what is not shown, as a sentence; empty where all is


def forest(table: pd.DataFrame, x_label: str) -> Forest:
    """Return empty panels with named rows for a table with columns ``target, arm, model, fraction``."""
    rows, left_out = _shown(table)
    places, names, headers = _places(rows)
    rows = rows.assign(place=[places[key] for key in zip(rows["arm"], rows["model"], rows["fraction"], strict=True)])
    targets = sorted(rows["target"].unique())
    n_columns = min(len(targets), _PANELS_PER_ROW)
    panel_width = (WIDTH - _NAMES_WIDTH) / n_columns
    n_bands = -(-len(targets) // n_columns)
    lowest = max([*places.values(), *headers]) + 1
    figure = new_figure(n_bands * (lowest * _ROW_HEIGHT + _AROUND))
    grid = figure.add_gridspec(n_bands, n_columns)
    panels: dict[str, Axes] = {}
    for number, target in enumerate(targets):
        row, column = divmod(number, n_columns)
        axes = panels[target] = figure.add_subplot(grid[row, column])
        title_panel(axes, [target], panel_width)
        axes.set_ylim(lowest, -1)
        _name_rows(axes, names, headers, shown=column == 0)
        axes.set_xlabel(textwrap.fill(x_label, int(panel_width / CHARACTER)), fontsize=SMALL)
        axes.tick_params(axis="x", labelsize=SMALL)
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        axes.hlines(list(places.values()), 0, 1, transform=axes.get_yaxis_transform(), color="0.93", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
    return Forest(figure, panels, rows, left_out)


def _shown(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows of as many fractions as there is room for, and a sentence on the others."""
    fractions = sorted(table["fraction"].unique())
    n_pairs = len(table[["arm", "model"]].drop_duplicates())
    kept = fractions
    for fewer in ({fractions[0], fractions[-1]}, {fractions[0]}):
        if n_pairs * len(kept) > MOST_ROWS:
            kept = sorted(fewer)
    words = " and ".join(map(percent, kept))
    left_out = f" Only {words} of the training patients; the other fractions are in the table."
    return table[table["fraction"].isin(kept)], left_out if len(kept) < len(fractions) else ""


def _places(rows: pd.DataFrame) -> tuple[dict[tuple[str, str, float], float], dict[float, str], dict[float, str]]:
    """Return the place of each cell from the top, and the names of places: of cells, and of the arms above them."""
    several = rows["fraction"].nunique() > 1
    places: dict[tuple[str, str, float], float] = {}
    names: dict[float, str] = {}
    headers: dict[float, str] = {}
    top = 0.0
    for arm in sorted(rows["arm"].unique()):
        header = textwrap.fill(series_name(arm), _HEADER_LENGTH)
        n_lines = header.count("\n") + 1
        headers[top + (n_lines - 1) / 2] = header
        top += n_lines + (0.2 if n_lines > 1 else 0)
        cells = rows.loc[rows["arm"] == arm, ["model", "fraction"]].drop_duplicates().sort_values(["model", "fraction"])
        for model, fraction in zip(cells["model"], cells["fraction"], strict=True):
            places[arm, model, fraction] = top
            names[top] = f"{model}, {percent(fraction)}" if several else model
            top += 1
        top += 0.4
    return places, names, headers


def _name_rows(axes: Axes, names: dict[float, str], headers: dict[float, str], shown: bool) -> None:
    axes.set_yticks([*names, *headers], [*names.values(), *headers.values()] if shown else [], fontsize=SMALL)
    axes.tick_params(axis="y", length=0, labelleft=shown)
    if shown:
        for label in axes.get_yticklabels()[len(names) :]:
            label.set(fontweight="bold", va="center", linespacing=1.0)
    axes.title.set_fontsize(NORMAL)
