"""Figures as files: every name is drawn as it is, whatever it holds."""

import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_figures import ONE, TABLES, draw, shown_texts
from finding_tables import Study
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from ecgtransfer.exhibits.figure_files import save_figure, stamped
from ecgtransfer.exhibits.names import short_id
from ecgtransfer.report.ecg_page import draw_ecg_page
from ecgtransfer.report.quality_figure import FLAGS, draw_quality, quality_summary
from ecgtransfer.report.recordings import recording_title

DOLLAR = f'"DejaVuSans-{FT2Font(findfont("DejaVu Sans")).get_char_index(ord("$")):x}"'
"""How an SVG names the glyph."""
ODD_IDS = (
    *("a$b$c", "$\\frac{$", "$", "\\alpha", "a_b^c", "100%", "<b>&amp;</b>", "a--b", "-->", "]]>", '"quoted"', "it's"),
    *("a|b,c;d", "=SUM(A1)", "two\nlines", "a\tb", "\x00", "\x01\x1b[31m", "\u202eabc", "\u200f", "\ufffe", "\udc80"),
    *("😀", "心电图", "1.2.840." * 8, "x" * 300),
)


def saved(figure: Figure, folder: Path) -> str:
    """Return a figure as SVG, after both of its files were written without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, folder / "figure.svg", folder / "figure.png", dots_per_inch=30)
    drawn = (folder / "figure.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(drawn)
    return drawn


def record(record_id: str) -> dict[str, object]:
    return {"record_id": record_id, "age_years": 70, "sex": "F", "codes": ""}


@pytest.mark.parametrize("record_id", ODD_IDS)
def test_a_record_is_drawn_whatever_its_id_holds(record_id: str, tmp_path: Path) -> None:
    title = recording_title("ward", record(record_id), {})
    assert title.endswith(": 70 years, female, no diagnosis")
    figure = draw_ecg_page(np.zeros((12, 500)), 100, title)
    drawn = saved(figure, tmp_path)
    assert (DOLLAR in drawn) == ("$" in record_id)
    assert title in [text.get_text() for text in shown_texts(figure)]


@pytest.mark.parametrize("record_id", ["$\\frac{$", "a\x00\udc80b", "1.2.840." * 8])
def test_the_quality_of_a_record_is_drawn_whatever_its_id_holds(record_id: str, tmp_path: Path) -> None:
    reasons = [f"{record_id} is flat", "7 leads are flat"]
    quality = pd.DataFrame(
        {
            **{"record_id": [record_id, "plain"], "usable": 0, "reason": reasons},
            **dict.fromkeys(FLAGS, 0.0),
            **{"amplitude_mv": 1.0, "gain_ratio": 1.0, "duration_s": 10.0},
        }
    )
    rejected = pd.DataFrame({"reason": [reasons[0], "$x$ of $y"]})
    summary = quality_summary(rejected, quality)
    figure = draw_quality("ward", summary, quality, np.zeros((2, 12, 500), np.int16).__getitem__, 100, (0.25, 4))
    assert DOLLAR in saved(figure, tmp_path)
    titles = [text.get_text() for text in shown_texts(figure)]
    assert "plain: 7 leads are flat" in titles
    assert any(title.startswith(short_id(record_id)[:8]) and ": " in title for title in titles)


@pytest.mark.parametrize("finding", TABLES)
def test_names_of_data_sets_and_models_are_drawn_as_they_are(finding: str, tmp_path: Path) -> None:
    study = Study(("a$b$c", "<&>_%"), ("gru$\\x$", "m_1^2"), ("x$_y$z",), (0.1, 1.0))
    tables = [getattr(study, table)() for table in TABLES[finding]]
    assert DOLLAR in saved(stamped(draw(finding, *tables), "$stamp$"), tmp_path)


@pytest.mark.parametrize("finding", TABLES)
def test_no_figure_writes_a_formula_of_its_own(finding: str, tmp_path: Path) -> None:
    tables = [getattr(ONE, table)() for table in TABLES[finding]]
    assert DOLLAR not in saved(draw(finding, *tables), tmp_path)
