"""Rows of published claims: the claim on the left, a scale with the line of no difference, the finding."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtransfer.exhibits.style import CHARACTER, LINE_HEIGHT, SMALL, WIDTH, set_ratio_axis

NOT_EXAMINED = "not examined"
"""Shown for a finding for which the study has no cells."""

_CLAIM_WIDTH, _SCALE_WIDTH, _BETWEEN, _EDGE = 3.9, 3.9, 0.22, 0.1  # inches
_TOP = 0.33  # inches, also for a stamp
_SCALE_HEIGHT, _TICKS_HEIGHT = 0.4, 0.34  # inches


class ClaimRow(NamedTuple):
    """A row of the figure: its scale, and where the words of the finding begin."""

    axes: Axes
    found: tuple[float, float]  # in the figure, from 0 to 1


def claim_rows(claims: Sequence[str], measures: Sequence[str], below: float = 0.0) -> tuple[Figure, list[ClaimRow]]:
    """Return a figure with a row per claim: the claim on the left, an empty scale, room for the finding.

    Nothing is laid out later, so that all scales begin and end at the same place; `below`, in inches, is left free.
    """
    texts = [textwrap.fill(text, int(_CLAIM_WIDTH / CHARACTER), break_on_hyphens=False) for text in claims]
    labels = [textwrap.fill(measure, int(_SCALE_WIDTH / CHARACTER), break_on_hyphens=False) for measure in measures]
    rooms = [_TICKS_HEIGHT + (label.count("\n") + 1) * LINE_HEIGHT for label in labels]
    heights = [
        room + max(_SCALE_HEIGHT, (text.count("\n") + 1) * LINE_HEIGHT) for text, room in zip(texts, rooms, strict=True)
    ]
    height = _TOP + sum(heights) + _EDGE + below
    figure = Figure((WIDTH, height))
    rows, top = [], height - _TOP
    left = _EDGE + _CLAIM_WIDTH + _BETWEEN
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
    """Return whether a claim is on a ratio, which is compared with 1, and not on a difference."""
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
    """Write in place of a scale that the study has nothing on this claim."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no such cells in this study", transform=axes.transAxes, ha="center", va="center",
              fontsize=SMALL, color="0.35")  # fmt: skip
