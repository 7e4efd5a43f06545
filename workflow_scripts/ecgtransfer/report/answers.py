"""The verdicts in words: what pre-training brings at the fewest labels, where that ends, and what controls show.

The word of a verdict (helps, hurts, equivalent, undecided) is in every sentence that is based on it.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from ecgtransfer.arms import FINETUNE, method_name_of
from ecgtransfer.compare.runs import ALL_MODELS
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES, method_words, series_name
from ecgtransfer.exhibits.tables import interval, number
from ecgtransfer.source import UNTRAINED, Source
from ecgtransfer.statistics.inference import Verdict


@dataclass(frozen=True)
class Answer:
    """What one pre-training does for one target and model, at the smallest fraction and beyond."""

    target: str
    verdict: Verdict  # at the smallest fraction
    text: str


@dataclass(frozen=True)
class Control:
    """What a control came out as; a null has failed where it helps or hurts, others cannot."""

    target: str
    passed: bool
    text: str


def answers(verdicts: pd.DataFrame, savings: pd.DataFrame, margin: float) -> list[Answer]:
    """Return one answer per target, source, model and arm of a verdicts table; controls are left out.

    `savings` is the table of `ecgtransfer.compare.label_saving` on the same cells.
    """
    worth = {_cell(row): row for row in savings[savings["metric"] == ANSWERED_METRIC].itertuples()}
    found = []
    for rows in _rows_by_comparison(verdicts):
        first = rows[0]
        if not Source.of(first.source).is_control:
            text = f"{_at_first(first, margin)} {_in_labels(first, worth)} {_beyond(rows, margin)}"
            found.append(Answer(first.target, first.verdict, " ".join(text.split())))
    return found


def controls(verdicts: pd.DataFrame) -> list[Control]:
    """Return what each control came out as: the null, fine-tuned untrained weights, at every fraction."""
    found = []
    for rows in _rows_by_comparison(verdicts):
        source = Source.of(rows[0].source)
        if source.is_control:
            is_null = source.task == UNTRAINED and method_name_of(rows[0].arm) == FINETUNE
            found.append(_null(rows) if is_null else _baseline(rows[0], source))
    return found


def _null(rows: list[Any]) -> Control:
    """Return whether weights that were never trained are as good as others that were not."""
    subject, target = f"{rows[0].model} from untrained weights", rows[0].target
    differing = [row for row in rows if row.verdict in ("helps", "hurts")]
    if not differing:
        text = f"Control: {subject} is as good on {target} as from scratch, at any number of recordings, as expected."
        return Control(target, True, text)
    where = ", ".join(f"{row.n_train:,} ({row.verdict}, {signed_interval(row)})" for row in differing)
    text = (
        f"WARNING, control: {subject} differs from scratch on {target} at {where} recordings. Nothing was learnt"
        " before, so this is chance, or the intervals are too narrow; do not trust differences of this size for this"
        " target and model."
    )
    return Control(target, False, text)


def _baseline(row: Any, source: Source) -> Control:
    """Return what comes without labels, or without any pre-training, at the smallest fraction."""
    started = f"pre-trained on shuffled labels of {source.joined}" if source.shuffled else "from untrained weights"
    owed = (
        "what the signals of a source bring without its labels" if source.shuffled else "what this method reaches alone"
    )
    text = (
        f"Control: {row.model} {started}{method_words(row.arm)} differs from scratch on {row.target} by"
        f" {signed_interval(row)} {METRIC_NAMES[ANSWERED_METRIC]} with {row.n_train:,} recordings ({row.verdict}):"
        f" {owed}."
    )
    return Control(row.target, True, text)


def signed_interval(row: Any) -> str:
    """Return difference and interval of a row of a verdicts table."""
    return f"{number(row.delta)} {interval(row)}"


def _rows_by_comparison(verdicts: pd.DataFrame) -> list[list[Any]]:
    """Return the rows of each target, model and arm in the order of their fractions."""
    rows = verdicts[verdicts["metric"] == ANSWERED_METRIC].sort_values(["target", "model", "arm", "fraction"])
    return [list(group.itertuples()) for _, group in rows.groupby(["target", "model", "arm"], sort=False)]


def _at_first(row: Any, margin: float) -> str:
    """Return the sentence on the smallest fraction."""
    metric = METRIC_NAMES[ANSWERED_METRIC]
    by_all = row.model == ALL_MODELS
    trained = "pre-training (mean over all models and sources)" if by_all else f"{row.model} {series_name(row.arm)}"
    opening = f"With {row.n_train:,} labelled recordings of {row.target}, {trained}"
    match row.verdict:
        case "helps":
            return f"{opening} gains {signed_interval(row)} {metric} over training from scratch (helps)."
        case "hurts":
            return f"{opening} changes {metric} by {signed_interval(row)} against training from scratch (hurts)."
        case "equivalent":
            return (
                f"{opening} does as well as training from scratch: the difference of {signed_interval(row)} {metric}"
                f" lies within ±{margin:g} (equivalent)."
            )
    if pd.isna(row.delta):
        return f"{opening} has no {metric}: no label is both present and absent among the test recordings (undecided)."
    return f"{opening} differs by {signed_interval(row)} {metric}: the interval does not decide (undecided)."


def _cell(row: Any) -> tuple[str, str, str, float]:
    return row.target, row.model, row.arm, row.fraction


def _in_labels(row: Any, worth: dict[tuple[str, str, str, float], Any]) -> str:
    """Return how many times the labels a gain takes from scratch; empty without a gain, or a curve of one point."""
    if row.verdict != "helps":
        return ""
    saving = worth[_cell(row)]
    if saving.least == saving.most:
        return ""
    times = _times(saving.saving, saving.relation, saving)
    low, high = (
        _times(saving.ci_low, saving.ci_low_relation, saving),
        _times(saving.ci_high, saving.ci_high_relation, saving),
    )
    return f"From scratch that takes {times} [{low}, {high}] times the labels."


def _times(value: float, relation: str, saving: Any) -> str:
    match relation:
        case "more_than":
            return f"more than {saving.most:.1f}"
        case "less_than":
            return f"less than {saving.least:.1f}"
    return f"{value:.1f}"


def _beyond(rows: list[Any], margin: float) -> str:
    """Return what larger fractions show, runs of the same verdict together; empty where there is one fraction."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.verdict)]
    sentences = []
    for position, group in enumerate(groups):
        first, last = group[0].n_train, group[-1].n_train
        if position == 0:
            if len(group) > 1:
                sentences.append(f"The same holds up to {last:,}.")
            continue
        is_end = group[-1] is rows[-1]
        where = f"At {last:,}" if len(group) == 1 else f"From {first:,} to {last:,}"
        where = f"From {first:,} on" if is_end and len(group) > 1 else where
        sentences.append(f"{where} {_later(group, margin)}.")
    return " ".join(sentences)


def _later(group: list[Any], margin: float) -> str:
    numbers = f", {signed_interval(group[0])}" if len(group) == 1 else ""
    match group[0].verdict:
        case "helps":
            return f"it helps{numbers}"
        case "hurts":
            return f"it hurts{numbers}"
        case "equivalent":
            return f"the two are equivalent (within ±{margin:g})"
    return "no difference is shown (undecided)"
