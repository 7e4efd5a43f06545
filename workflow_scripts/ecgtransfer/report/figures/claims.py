"""What earlier studies said, and what this one finds: an estimate with interval and a word for each claim."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtransfer.report.figures.style import (
    BLUE,
    CHARACTER,
    LINE_HEIGHT,
    RED,
    SMALL,
    WIDTH,
    Style,
    bars,
    draw_points,
    named_rows,
    nothing_to_show,
    set_ratio_axis,
)

AGREES, CONTRADICTS, UNDECIDED, NOT_EXAMINED = "agrees", "contradicts", "undecided", "not examined"
STYLES: dict[str, Style] = {
    AGREES: {"color": BLUE, "marker": "o"},
    CONTRADICTS: {"color": RED, "marker": "X"},
    UNDECIDED: {"color": "0.35", "marker": "o", "markerfacecolor": "white"},
}

_SAID_WIDTH, _SCALE_WIDTH, _BETWEEN, _EDGE = 3.1, 3.0, 0.2, 0.1  # inches
_TOP = 0.3  # inches, also for a stamp
_SCALE_HEIGHT, _TICKS_HEIGHT = 0.36, 0.3  # inches


class ClaimRow(NamedTuple):
    """A row of the figure: its scale, and where the words of the finding begin."""

    axes: Axes
    found: tuple[float, float]  # in the figure, from 0 to 1


def draw(claims: pd.DataFrame) -> Figure:
    """Return the figure from the table ``claims.csv``; a claim on a ratio stands on a logarithmic scale about 1."""
    if claims.empty:
        return nothing_to_show("No claims to compare with.")
    said = [f"{row.study}: {row.said}" for row in named_rows(claims)]
    figure, rows = claim_rows(said, list(claims["measure"]))
    for row, claim in zip(rows, named_rows(claims), strict=True):
        if claim.finding in STYLES:
            of_claim = claims.loc[[claim.Index]]
            reach = bars(of_claim["estimate"], of_claim["ci_low"], of_claim["ci_high"])
            draw_points(row.axes, of_claim["estimate"], [0], STYLES[claim.finding], xerr=reach, markersize=6)
            set_scale(row.axes, claim.measure, of_claim[["estimate", "ci_low", "ci_high"]])
            figure.text(*row.found, f"{claim.finding}\n({claim.n_cells:.0f} cells)", fontsize=SMALL, va="center")
        else:
            say_nothing(row.axes)
            figure.text(*row.found, NOT_EXAMINED, fontsize=SMALL, va="center")
    return figure


def claim_rows(said: Sequence[str], measures: Sequence[str], below: float = 0.0) -> tuple[Figure, list[ClaimRow]]:
    """Return a figure with a row per claim: what was said on the left, an empty scale, room for the finding.

    Nothing is laid out later, so that all scales begin and end at the same place; `below`, in inches, is left free.
    """
    texts = [textwrap.fill(text, int(_SAID_WIDTH / CHARACTER)) for text in said]
    labels = [textwrap.fill(measure, int(_SCALE_WIDTH / CHARACTER)) for measure in measures]
    rooms = [_TICKS_HEIGHT + (label.count("\n") + 1) * LINE_HEIGHT for label in labels]
    heights = [
        room + max(_SCALE_HEIGHT, (text.count("\n") + 1) * LINE_HEIGHT) for text, room in zip(texts, rooms, strict=True)
    ]
    height = _TOP + sum(heights) + _EDGE + below
    figure = Figure((WIDTH, height))
    rows, top = [], height - _TOP
    left = _EDGE + _SAID_WIDTH + _BETWEEN
    for text, label, room, of_row in zip(texts, labels, rooms, heights, strict=True):
        middle = (top - (of_row - room) / 2) / height
        figure.text(_EDGE / WIDTH, middle, text, fontsize=SMALL, va="center")
        bottom, size = (top - of_row + room) / height, (of_row - room) / height
        axes = figure.add_axes((left / WIDTH, bottom, _SCALE_WIDTH / WIDTH, size))
        axes.set_xlabel(label, fontsize=SMALL)
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.tick_params(labelsize=SMALL)
        axes.spines[["top", "right", "left"]].set_visible(False)
        rows.append(ClaimRow(axes, ((left + _SCALE_WIDTH + _BETWEEN) / WIDTH, middle)))
        top -= of_row
    return figure, rows


def is_ratio(measure: str) -> bool:
    """Tell whether a claim is on a ratio, which is compared with 1, and not on a difference."""
    return measure.startswith("ratio")


def set_scale(axes: Axes, measure: str, values: pd.DataFrame) -> None:
    """Set the scale of a row, with the line on which nothing differs: at 1 for a ratio, else at 0."""
    if is_ratio(measure):
        points = [name for name in values if not str(name).endswith(("_low", "_high"))]
        set_ratio_axis(axes, "x", values[points], values)
    else:
        known = [0.0, *values.to_numpy(dtype=float).ravel()]
        low, high = min(value for value in known if value == value), max(value for value in known if value == value)
        room = max(0.08 * (high - low), 0.002)
        axes.set_xlim(low - room, high + room)
        axes.locator_params(axis="x", nbins=5)
    axes.axvline(float(is_ratio(measure)), color="0.3", linewidth=0.8, zorder=1)


def say_nothing(axes: Axes) -> None:
    """Say in place of a scale that the study has nothing on this claim."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no such cells in this study", transform=axes.transAxes, ha="center", va="center",
              fontsize=SMALL, color="0.35")  # fmt: skip
