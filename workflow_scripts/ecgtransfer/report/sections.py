"""The sections of the page that show one finding each: what was asked, the figure, the table, the file.

Learning curves and verdicts, which every reader needs, stand in the template `page.html.j2` itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ecgtransfer.report.answers import interval, number
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES, series_name
from ecgtransfer.report.tables import Table

MOST_ROWS = 500
"""Of a table on the page: more make it slow, and nobody reads them there."""

Findings = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Exhibit:
    """A figure with what it shows, the numbers behind it, and the files that hold them all."""

    finding: str  # the figure and its table are named after it
    alt: str
    caption: str
    table: Table
    files: Sequence[str]
    note: str  # on the table


@dataclass(frozen=True)
class Section:
    """A question, and the exhibits that answer it."""

    anchor: str
    short: str  # in the list of sections
    title: str
    text: str
    exhibits: Sequence[Exhibit]


def sections(findings: Findings) -> list[Section]:
    """Return the sections of all findings that have something to show, in the order of the page."""
    made = [make(findings) for make in (_label_saving, _convergence, _architectures, _labels, _sources, _patients)]
    return [section for section in made if section.exhibits]


def _section(anchor: str, short: str, title: str, text: str, *exhibits: Exhibit | None) -> Section:
    return Section(anchor, short, title, text, [exhibit for exhibit in exhibits if exhibit is not None])


def _exhibit(
    findings: Findings, finding: str, caption: str, columns: "Columns", *more_files: str, n_words: int = 3
) -> Exhibit | None:
    """Return the figure and the table of a finding; None where it has no row."""
    rows = findings[finding]
    if "metric" in rows and ANSWERED_METRIC in set(rows["metric"]):
        rows = rows[rows["metric"] == ANSWERED_METRIC]
    if rows.empty:
        return None
    shown = rows[:MOST_ROWS]
    left_out = len(rows) - len(shown)
    return Exhibit(
        finding, f"{caption} The table below holds the numbers.", caption, table_of(shown, columns, n_words),
        [f"findings/{name}.csv" for name in (finding, *more_files)],
        f"The other {left_out:,} rows are in the file." if left_out else "",
    )  # fmt: skip


Columns = Mapping[str, Callable[[Any], str]]
"""Heads, each with how the text of its cells is made from a row."""


def table_of(rows: pd.DataFrame, columns: Columns, n_words: int) -> Table:
    """Return rows of a findings table as text."""
    return Table(list(columns), [[cell(row) for cell in columns.values()] for row in rows.itertuples()], n_words)


def _value(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a score or a ratio."""
    return lambda row: number(getattr(row, name))


def _count(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a number of things."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else f"{getattr(row, name):,.0f}"


def _word(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a name."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else str(getattr(row, name))


def _trained(row: Any) -> str:
    return series_name(row.arm)


def _fraction(row: Any) -> str:
    return f"{row.fraction:g}"


def _times(row: Any, name: str, relation: str) -> str:
    """Return an end of a label saving, which may lie beyond the curve from scratch."""
    match getattr(row, relation):
        case "more_than":
            return f"> {row.most:.1f}"
        case "less_than":
            return f"< {row.least:.1f}"
    value = getattr(row, name)
    return "–" if pd.isna(value) else f"{value:.1f}"


_CELL: Columns = {"target": _word("target"), "model": _word("model"), "trained": _trained, "fraction": _fraction}


def _label_saving(findings: Findings) -> Section:
    columns: Columns = {
        **_CELL,
        "recordings": _count("n_train"),
        "from scratch": _count("n_scratch"),
        "times": lambda row: _times(row, "saving", "relation"),
        "interval": lambda row: (
            f"[{_times(row, 'ci_low', 'ci_low_relation')}, {_times(row, 'ci_high', 'ci_high_relation')}]"
        ),
    }
    return _section(
        "label-saving",
        "Labels saved",
        "How many labels does it save?",
        "How many times the labelled recordings training from scratch needs to reach the same score, read off its"
        " learning curve. Beyond the ends of that curve nothing is known: there it says more than (>) or less than (<)"
        " the end.",
        _exhibit(
            findings, "label_saving", "Labelled recordings that scratch needs, in multiples of those of transfer.",
            columns,
        ),
    )  # fmt: skip


def _convergence(findings: Findings) -> Section:
    convergence: Columns = {
        **_CELL,
        "until": _word("measure"),
        "scratch": _value("scratch"),
        "transfer": _value("transfer"),
        "ratio": _value("ratio"),
        "interval": interval,
        "reached": lambda row: f"{row.n_reached:.0f} of {row.n_replicates:.0f}",
    }
    costs: Columns = {
        "stage": _word("stage"),
        "target": _word("target"),
        "model": _word("model"),
        "trained": lambda row: series_name(row.arm) if row.arm else f"on {row.source}",
        "fraction": lambda row: "–" if pd.isna(row.fraction) else _fraction(row),
        "trainings": _count("n_trainings"),
        "wall seconds": _count("wall_seconds"),
        "device seconds": _count("device_seconds"),
        "joules": _count("joules"),
    }
    return _section(
        "convergence",
        "Speed and cost",
        "Is it faster, and what does it cost?",
        "Time until a training first reaches 99 % of the best validation score of its partner from scratch; a ratio"
        " below 1 means that transfer is faster. catch_up: the epoch in which scratch reached the best score of"
        " transfer. Pre-training has paid for itself after as many targets as its cost is of what each of them saves.",
        _exhibit(
            findings,
            "convergence",
            "Epochs and seconds to the same validation score, transfer to scratch.",
            convergence,
        ),
        _exhibit(findings, "costs", "What training took, pre-training included.", costs, "break_even", n_words=4),
    )


def _architectures(findings: Findings) -> Section:
    columns: Columns = {
        "target": _word("target"),
        "convolutional": _word("convolutional_models"),
        "recurrent": _word("recurrent_models"),
        "head": _word("recurrent_head"),
        "trained": _trained,
        "fraction": _fraction,
        "convolutional gain": _value("convolutional_delta"),
        "recurrent gain": _value("recurrent_delta"),
        "difference": _value("difference"),
        "interval": interval,
        "share taken over": lambda row: f"{100 * row.convolutional_share:.0f} % and {100 * row.recurrent_share:.0f} %",
    }
    return _section(
        "architectures",
        "Kinds of models",
        "Do convolutional models gain more than recurrent ones?",
        "The gain of the one family minus that of the other. A recurrent model whose head reads every time step takes"
        " over but a small share of its weights, which can be the reason: the share stands beside.",
        _exhibit(
            findings, "architectures", "Gain by transfer of convolutional and of recurrent models, and the difference.",
            columns, "transferred_shares", n_words=5,
        ),
    )  # fmt: skip


def _labels(findings: Findings) -> Section:
    rows = findings["per_label"]
    rows = rows[(rows["metric"] == "auroc") & (rows["fraction"] == rows["fraction"].min())]
    columns: Columns = {
        **_CELL,
        "label": _word("label"),
        "in training": _count("n_positive_train"),
        "in test": _count("n_positive_test"),
        "scratch": _value("scratch"),
        "transfer": _value("transfer"),
        "difference": _value("delta"),
        "sd": _value("delta_sd"),
    }
    caption = "Gain in AUROC of every label against its share of the training recordings, at the smallest fraction."
    return _section(
        "labels",
        "Single labels",
        "Which labels gain?",
        "AUROC of single labels with the fewest labelled recordings. Whether rare labels gain more than frequent ones"
        " says Spearman's correlation, which is in the file prevalence.csv. Single labels have few test recordings: see"
        " how many before you believe one.",
        _exhibit({"per_label": rows}, "per_label", caption, columns, "prevalence", n_words=5),
    )


def _sources(findings: Findings) -> Section:
    zero_shot: Columns = {
        "target": _word("target"),
        "model": _word("model"),
        "source": _word("source"),
        "labels": _count("n_labels"),
        "unchanged": _value("score"),
        "interval": interval,
        "from scratch": _value("scratch"),
        "fine-tuned": _value("finetune"),
    }
    transferability: Columns = {
        **_CELL,
        "MELEP": _value("melep"),
        "gain": _value("delta"),
        "macro AUROC": _value("transfer_auroc"),
    }
    return _section(
        "sources",
        "Sources",
        "Which source fits which target?",
        "The model of a source on a target without any training there, on the labels that both have; and a score that"
        " should tell before fine-tuning how well it will go (MELEP, arXiv 2311.04224; lower is better).",
        _exhibit(
            findings, "zero_shot", "Macro AUROC of the models of the sources, unchanged, on the targets.", zero_shot
        ),
        _exhibit(
            findings, "transferability", "Gain by transfer against MELEP.", transferability,
            "transferability_correlation",
        ),
    )  # fmt: skip


def _patients(findings: Findings) -> Section:
    subgroups: Columns = {
        **_CELL,
        "group": lambda row: f"{row.attribute} {row.group}",
        "recordings": _count("n_records"),
        "patients": _count("n_patients"),
        "labels": _count("n_labels"),
        "score": _value("score"),
        "interval": interval,
        "gap": _value("gap"),
        "interval of the gap": lambda row: f"[{number(row.gap_low)}, {number(row.gap_high)}]",
    }
    calibration: Columns = {
        **_CELL,
        "measure": lambda row: METRIC_NAMES.get(row.metric, row.metric),
        "value": _value("score"),
        "interval": interval,
    }
    return _section(
        "patients",
        "Patients",
        "Does it hold for everybody, and can the probabilities be believed?",
        "Macro AUROC by sex and by age; the gap is against all other test recordings, on the labels that are frequent"
        " enough in both. Calibration: how far predicted probabilities lie from the shares that were observed.",
        _exhibit(findings, "subgroups", "Macro AUROC by sex and age.", subgroups, n_words=5),
        _exhibit(
            findings, "calibration", "Observed shares against predicted probabilities.", calibration, "reliability",
            n_words=5,
        ),
    )  # fmt: skip
