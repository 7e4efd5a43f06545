"""Figures as files: SVG for print, PNG for screens, the same bytes for the same figure."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

from ecgtransfer.files import written_whole

DOTS_PER_INCH = 200  # of PNG files
FEWER_DOTS_PER_INCH = 127
"""Five per mm: lines of ECG paper fall on whole dots, and a page with many recordings stays small."""
_STAMP_HEIGHT = 0.3  # inches


def stamped(figure: Figure, words: str) -> Figure:
    """Return the figure with words above it that nobody who copies it can miss; empty words change nothing."""
    if words:
        figure.set_figheight(figure.get_figheight() + _STAMP_HEIGHT)
        figure.suptitle(words, x=0.995, ha="right", fontsize=9, fontweight="bold", color="#8c1d17")
    return figure


def save_figure(
    figure: Figure,
    svg_path: str | os.PathLike[str],
    png_path: str | os.PathLike[str],
    dots_per_inch: float = DOTS_PER_INCH,
) -> None:
    """Write `figure` as SVG and as PNG, each whole or not at all, without dates or random ids.

    All text in it is drawn as it is: text between two ``$`` is no formula.
    """
    with _text_is_text(figure):
        with mpl.rc_context({"svg.hashsalt": "ecg-transfer"}), written_whole(svg_path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        with written_whole(png_path) as temporary:
            figure.savefig(temporary, format="png", dpi=dots_per_inch)


@contextmanager
def _text_is_text(figure: Figure) -> Iterator[None]:
    """Draw names as they are; a letter that the font lacks is drawn as a box, which needs no warning."""
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():  # labels of ticks come when it is drawn
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        for text in figure.findobj(Text):
            text.set_parse_math(False)
        yield
