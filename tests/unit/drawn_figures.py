"""Findings of made studies, from one cell to the largest, and their figures."""

import importlib
from functools import cache

import pandas as pd
from finding_tables import CLAIMS, MARGIN, Study, parity
from matplotlib.text import Text

from ecgtransfer.findings.asked import ROOMS

ONE = Study(("ptb",), ("gru",), ("cpsc",), (0.1, 1.0))
SOME = Study(("chapman", "ptbxl"), ("gru", "xresnet1d101"), ("cpsc", "cpsc-shuffled"), (0.01, 0.1, 1.0))
LARGEST = Study(
    ("chapman", "cpsc", "ptb", "ptbxl", "ribeiro"),
    ("gru", "inception1d", "lstm", "patch_transformer", "resnet1d18", "xresnet1d101"),
    ("code15+sph", "georgia", "mimic-iv-ecg-shuffled"),
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
)
EVERY_METHOD = Study(
    ("ptb",), ("gru", "lstm"), ("georgia-intervals",), (0.1, 1.0), ("finetune", "probe", "partial:2", "svm")
)
LONG = Study(
    ("a-network-of-regional-hospitals-with-a-name-that-goes-on-and-on",),
    ("gru",),
    ("another-network-of-regional-hospitals-that-joined-later+georgia+ningbo",),
    (0.1, 1.0),
)
STUDIES = {"one cell": ONE, "some": SOME, "the largest": LARGEST, "several methods": EVERY_METHOD, "long names": LONG}

TABLES = {
    "verdicts": ("verdicts",),
    "controls": ("controls",),
    "label_saving": ("label_saving",),
    "more_labels": ("curves", "more_labels"),
    "convergence": ("convergence",),
    "architectures": ("architectures",),
    "per_label": ("per_label", "prevalence"),
    "zero_shot": ("zero_shot",),
    "subgroups": ("subgroups",),
    "calibration": ("calibration", "reliability"),
    "costs": ("costs", "break_even"),
    "transferability": ("transferability", "transferability_correlation"),
}


def tables_of(study, finding):
    if finding in ("claims", "parity"):
        return [CLAIMS if finding == "claims" else parity()]
    return [getattr(study, table)() for table in TABLES[finding]]


def draw(finding, *tables):
    options = {"margin": MARGIN} if finding == "verdicts" else {}
    return importlib.import_module(f"{ROOMS}.{finding}").draw(*tables, **options)


@cache
def drawn(finding, study):
    """Return the figure of a study, drawn, for tests that only look at it."""
    tables = tables_of(STUDIES[study], finding)
    before = [table.copy() for table in tables]
    figure = draw(finding, *tables)
    for table, unchanged in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, unchanged)
    figure.draw_without_rendering()
    return figure


def shown_texts(figure):
    """Return every text that is seen: ticks outside the view and axes that are off are not."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
            if not axes.axison:
                hidden |= set(axis.findobj(Text))
    return [
        text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible() and text not in hidden
    ]
