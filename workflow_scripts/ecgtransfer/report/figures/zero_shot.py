"""The source's own model on the target, unchanged: a heat map of source and target for each model."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ecgtransfer.report.figures.style import (
    LINE_HEIGHT,
    SMALL,
    WIDTH,
    answered,
    legend_below,
    named_rows,
    new_figure,
    nothing_to_show,
    title_panel,
)

_CELL_WIDTH, _CELL_HEIGHT = 0.82, 0.52  # inches
_COLOURS = "cividis"  # from dark to light, also in grey
_SCALE = Normalize(0.5, 1, clip=True)
_NAME_LENGTH = 12  # characters in a line
_NOTE = (
    "Macro AUROC on the target's test recordings over the labels that both have, without any training on the target;"
    " below it the same labels from scratch at the largest fraction."
)


def draw(zero_shot: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.zero_shot`; every cell holds its numbers."""
    table = answered(zero_shot)
    table = table[table["score"].notna()]
    if table.empty:
        return nothing_to_show("No scores without training: no source and target have labels in common.")
    targets, sources = sorted(table["target"].unique()), sorted(table["source"].unique())
    models = sorted(table["model"].unique())
    panel_width = 1.1 + _CELL_WIDTH * len(targets)
    n_columns = min(len(models), max(1, int((WIDTH - 0.7) / panel_width)))
    n_bands = -(-len(models) // n_columns)
    width = min(WIDTH, max(n_columns * panel_width + 0.7, 4.5))
    row_height = max(_CELL_HEIGHT, _most_lines(sources) * LINE_HEIGHT)
    figure = new_figure(width, n_bands * (len(sources) * row_height + _most_lines(targets) * LINE_HEIGHT + 0.9))
    grid = figure.add_gridspec(n_bands, n_columns)
    colours = ScalarMappable(_SCALE, _COLOURS)
    panels = []
    for number, model in enumerate(models):
        axes = figure.add_subplot(grid[divmod(number, n_columns)])
        title_panel(axes, [model], panel_width)
        _draw_model(axes, table[table["model"] == model], targets, sources, colours)
        panels.append(axes)
    bar = figure.colorbar(colours, ax=panels, fraction=0.03, aspect=12 * n_bands, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
    legend_below(figure, [], [], _NOTE)
    return figure


def _draw_model(
    axes: Axes, table: pd.DataFrame, targets: list[str], sources: list[str], colours: ScalarMappable
) -> None:
    cells = {(row.source, row.target): row for row in named_rows(table)}
    scores = table.pivot(index="source", columns="target", values="score").reindex(index=sources, columns=targets)
    axes.imshow(np.ma.masked_invalid(scores.to_numpy(dtype=float)), cmap=colours.cmap, norm=_SCALE, aspect="auto")
    for row, source in enumerate(sources):
        for column, target in enumerate(targets):
            ink, text = "0.3", "no label\nin common"
            if cell := cells.get((source, target)):
                red, green, blue, _ = colours.to_rgba(cell.score)
                ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
                scratch = "–" if pd.isna(cell.scratch) else f"{cell.scratch:.3f}"
                text = f"{cell.score:.3f}\nscratch {scratch}\n{cell.n_labels:.0f} labels"
            axes.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=ink, linespacing=1.05)
    axes.set_xticks(range(len(targets)), list(map(_lines, targets)), fontsize=SMALL)
    axes.set_yticks(range(len(sources)), list(map(_lines, sources)), fontsize=SMALL)
    axes.tick_params(length=0)
    axes.set_xlabel("target", fontsize=SMALL)
    axes.set_ylabel("source", fontsize=SMALL)
    axes.spines[:].set_visible(False)


def _most_lines(names: list[str]) -> int:
    return max(_lines(name).count("\n") + 1 for name in names)


def _lines(name: str, length: int = _NAME_LENGTH) -> str:
    """Return a name in lines of a length: broken behind ``-``, ``+`` and ``_`` where possible."""
    lines = [""]
    for part in name.replace("-", "-\0").replace("+", "+\0").replace("_", "_\0").split("\0"):
        if lines[-1] and len(lines[-1] + part) > length:
            lines.append("")
        lines[-1] += part
    pieces = [line[start : start + length] for line in lines for start in range(0, len(line), length)]
    return "\n".join(pieces)
