"""Figures: what a reader must be able to read, in print and in grey."""

import io
import itertools
import re

import numpy as np
import pytest
from drawn_figures import LARGEST, ONE, SOME, STUDIES, TABLES, draw, drawn, shown_texts, tables_of
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from test_curves_figure import CASES
from tiny_page import TEMPLATE

from ecgtransfer.exhibits.figure_files import save_figure

REM, WINDOW = 16, 1280  # pixels
LEAST_TEXT = 9  # points, on the page
FIGURES = [*itertools.product(TABLES, STUDIES), ("claims", "one cell"), ("parity", "one cell")]


def page_width():
    """Return how many pixels wide the page is between its margins in a window of `WINDOW`."""
    (body,) = re.findall(r"\nbody \{(.*?)\}", TEMPLATE, re.DOTALL)
    (widest,) = re.findall(r"max-width: ([\d.]+)rem", body)
    (margin,) = re.findall(r"padding: \S+ ([\d.]+)rem", body)
    return min(float(widest) * REM, WINDOW) - 2 * float(margin) * REM


def size_in_file(figure):
    """Return how many pixels wide the figure's file is, and the size of the smallest text in it, in points."""
    file = io.StringIO()
    figure.savefig(file, format="svg")
    svg = file.getvalue()
    width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)[1]) * 96 / 72
    sizes = [100 * float(size) for size in re.findall(r" scale\(([\d.]+) -[\d.]+\)", svg)]  # of glyphs 100 points high
    return width, min(sizes)


@pytest.mark.parametrize(("finding", "study"), FIGURES)
def test_no_text_is_cut_or_on_another_or_too_small_on_the_page(finding, study):
    figure = drawn(finding, study)
    texts = shown_texts(figure)
    assert texts
    boxes = np.array([text.get_window_extent().extents for text in texts])
    outside = (boxes[:, :2] < -1).any(axis=1) | (boxes[:, 2:] > np.array(figure.bbox.size) + 1).any(axis=1)
    assert not outside.any(), [texts[place] for place in np.flatnonzero(outside)]
    low, high = boxes[:, :2] + 1, boxes[:, 2:] - 1
    overlap = ((low[:, None] < high) & (high[:, None] > low)).all(axis=2)
    slanted = np.array([text.get_rotation() == 45 for text in texts])  # boxes of these overlap, their letters do not
    overlap &= ~(slanted[:, None] & slanted)
    first, second = np.nonzero(np.triu(overlap, 1))
    assert not len(first), [(texts[a].get_text(), texts[b].get_text()) for a, b in zip(first, second, strict=True)]
    width, smallest = size_in_file(figure)
    assert "\n.curves { width: auto; }" in TEMPLATE  # the page shows a figure as it is, and scrolls what is wider
    assert width <= page_width()
    assert smallest >= LEAST_TEXT - 0.01


@pytest.mark.parametrize("case", CASES)
def test_learning_curves_are_large_enough_on_the_page(case):
    width, smallest = size_in_file(draw("curves", CASES[case]))
    assert width <= page_width()
    assert smallest >= LEAST_TEXT - 0.01


@pytest.mark.parametrize(
    ("finding", "study"), list(itertools.product(TABLES, ["some", "the largest", "several methods"]))
)
def test_series_differ_in_more_than_colour(finding, study):
    handles = [handle for legend in drawn(finding, study).legends for handle in legend.legend_handles]
    looks = []
    for handle in handles:
        if isinstance(handle, Patch):
            looks.append(("patch", handle.get_hatch(), round(grey(handle.get_facecolor()), 1)))
        else:
            filled = handle.get_markerfacecolor() == handle.get_color()
            looks.append((handle.get_marker(), filled, str(handle._unscaled_dash_pattern)))
    assert len(set(looks)) == len(looks)


def grey(colour):
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


@pytest.mark.parametrize("finding", [*TABLES, "claims", "parity"])
def test_a_table_without_rows_gives_a_figure_that_says_so(finding):
    figure = draw(finding, *(table.iloc[:0] for table in tables_of(ONE, finding)))
    figure.draw_without_rendering()
    (text,) = shown_texts(figure)
    assert text.get_text().startswith(("No ", "Nothing "))
    box = text.get_window_extent()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_very_wide_intervals_do_not_press_the_ratios_together():
    table = SOME.convergence()
    table["ci_high"] = 1e9
    low, high = draw("convergence", table).axes[0].get_xlim()
    assert high / low < 1e4


def test_ink_on_the_heat_map_can_be_read_in_grey():
    *panels, _bar = draw("zero_shot", LARGEST.zero_shot()).axes
    for axes in panels:
        image = axes.images[0]
        for text in axes.texts:
            column, row = text.get_position()
            score = image.get_array()[row, column]
            below = (1, 1, 1) if np.ma.is_masked(score) else image.cmap(image.norm(score))[:3]
            assert abs(grey(below) - grey(text.get_color())) > 0.4


def test_the_same_table_gives_the_same_bytes(tmp_path):
    tables = tables_of(ONE, "costs")
    for name in ("one", "two"):
        save_figure(draw("costs", *tables), tmp_path / f"{name}.svg", tmp_path / f"{name}.png")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
