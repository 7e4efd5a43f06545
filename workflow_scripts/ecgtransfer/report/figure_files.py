"""Figures as files: SVG for print, PNG for screens, the same bytes for the same figure."""

import os

import matplotlib as mpl
from matplotlib.figure import Figure

from ecgtransfer.files import written_whole

_PNG_DOTS_PER_INCH = 200
_STAMP_HEIGHT = 0.3  # inches


def stamped(figure: Figure, words: str) -> Figure:
    """Return the figure with words above it that nobody who copies it can miss; empty words change nothing."""
    if words:
        figure.set_figheight(figure.get_figheight() + _STAMP_HEIGHT)
        figure.suptitle(words, x=0.995, ha="right", fontsize=9, fontweight="bold", color="#8c1d17")
    return figure


def save_figure(figure: Figure, svg_path: str | os.PathLike[str], png_path: str | os.PathLike[str]) -> None:
    """Write `figure` as SVG and as PNG, each whole or not at all, without dates or random ids."""
    with mpl.rc_context({"svg.hashsalt": "ecg-transfer"}), written_whole(svg_path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    with written_whole(png_path) as temporary:
        figure.savefig(temporary, format="png", dpi=_PNG_DOTS_PER_INCH)
