"""Whether it can be told beforehand what transfers: the gain against MELEP, with their correlation.

One panel per way to transfer; a mark is a cell.
"""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.arms import way_of
from ecgtransfer.report.figures.style import (
    LEAST_WIDTH,
    WIDTH,
    dress,
    legend_below,
    mark,
    named_rows,
    new_figure,
    nothing_to_show,
    series_styles,
    title_panel,
)
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES

_MEASURE = "delta"
_PANELS_PER_ROW = 2
_PANEL_HEIGHT = 3.0  # inches


def draw(transferability: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """Return the figure from the tables ``transferability.csv`` and ``transferability_correlation.csv``."""
    rows = transferability[transferability["melep"].notna() & transferability["delta"].notna()]
    if rows.empty:
        return nothing_to_show("No MELEP to show: no source of the study has a model of labels that could be asked.")
    rows = rows.assign(way=rows["arm"].map(way_of))
    found = {row.way: row for row in named_rows(correlations) if row.measure == _MEASURE}
    ways = list(rows["way"].drop_duplicates())
    styles = series_styles(rows["target"])
    n_columns = min(len(ways), _PANELS_PER_ROW)
    width = WIDTH if n_columns > 1 else LEAST_WIDTH
    figure = new_figure(width, -(-len(ways) // n_columns) * _PANEL_HEIGHT)
    grid = figure.add_gridspec(-(-len(ways) // n_columns), n_columns)
    first = None
    for number, way in enumerate(ways):
        axes = figure.add_subplot(grid[divmod(number, n_columns)], sharex=first, sharey=first)
        first = first or axes
        axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
        of_way = rows[rows["way"] == way]
        for target, style in styles.items():
            of_target = of_way[of_way["target"] == target]
            hollow = {**style, "linestyle": "none", "markerfacecolor": "none"}
            axes.plot(of_target["melep"], of_target["delta"], **hollow, markersize=3.5, markeredgewidth=0.8)
        title_panel(axes, [way, _in_words(found.get(way))], width / n_columns)
        dress(
            axes, "MELEP of the source's model on the training recordings", f"gain in {METRIC_NAMES[ANSWERED_METRIC]}"
        )
    note = "One mark per source, model and fraction. MELEP: lower is said to transfer better."
    handles = [mark(style, linestyle="none", markerfacecolor="none") for style in styles.values()]
    legend_below(figure, handles, [f"target {target}" for target in styles], note)
    return figure


def _in_words(row: Any) -> str:
    """Return the correlation of a way over all its cells, as a title says it."""
    if row is None or pd.isna(row.spearman):
        return "no correlation"
    return f"Spearman {round(row.spearman, 2) + 0.0:.2f} over {row.n:.0f} cells"
