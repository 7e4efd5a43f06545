"""A source as pre-training sees it: what is learnt from it, and without the patients who are in a target, too."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.prepare.corpora import ids_in_corpus, join_records
from ecgtransfer.source import UNTRAINED
from ecgtransfer.train.corpus import Corpus, open_corpus, read_splits

INTERVALS = ["heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms"]
"""What a source is measured for, see `ecgtransfer.prepare.measurements`."""


def values_to_learn(task: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return ``record_id`` and the columns of a source's table that a task predicts."""
    columns = {"age": ["age_years"], "intervals": INTERVALS, "masked": [], UNTRAINED: []}.get(task)
    return table if columns is None else table[["record_id", *columns]]


def read_source(
    task: str,
    joined: Sequence[str],
    signals: Sequence[str | Path],
    values: Sequence[str | Path],
    splits: str | Path,
    overlaps: str | Path,
    sampling_rate_hz: int,
    records: Sequence[str | Path] = (),
) -> tuple[Corpus, int]:
    """Return a source from its files, and how many of its records are left out because a target has their patients.

    Parameters
    ----------
    task
        What is learnt from it, see `ecgtransfer.prepare.corpora.task_of`.
    joined
        Its data sets.
    signals
        One array file per data set.
    values
        One table with what is learnt per data set, or one of the whole source.
    splits, sampling_rate_hz
        As for `open_corpus`.
    overlaps
        Its records that are in a target, too, as from `find_overlaps`.
    records
        The tables of its data sets, for models that take age and sex.

    Raises
    ------
    InputError
        As `open_corpus`.
    """
    whole = open_corpus(
        signals,
        values_to_learn(task, join_records(joined, values, read_labels)),
        read_splits(splits),
        sampling_rate_hz,
        join_records(joined, records) if records else None,
    )
    shared = read_table(overlaps)
    source = whole.without_patients_of(ids_in_corpus(joined, shared["dataset_a"], shared["record_a"]))
    return source, len(whole.splits) - len(source.splits)
