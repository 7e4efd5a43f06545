"""What a source or target is called, and how several data sets become one corpus.

A corpus is one data set (``georgia``), several joined (``georgia+ningbo``), or either with its labels dealt out anew at
random (``georgia-shuffled``): the negative control, from which nothing about the labels can be learnt. The name of a
source can end in what is learnt from it in place of labels: ``-age`` or ``-intervals`` (regression), or ``-masked``
(self-supervised).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ecgtransfer.csv_tables import IDS, read_table

JOINED_BY = "+"
SHUFFLED_SUFFIX = "-shuffled"
LABELS = "labels"
"""The task of a corpus whose name says none."""
OTHER_TASKS = ("age", "intervals", "masked")
SUFFIXES = (SHUFFLED_SUFFIX, *(f"-{task}" for task in OTHER_TASKS))
"""What the names of data sets must not end in, as it says something of a corpus."""
OF = ":"
"""Between a data set and an id of it, in a corpus of several."""


def is_shuffled(corpus: str) -> bool:
    """Tell whether a corpus is a negative control."""
    return corpus.endswith(SHUFFLED_SUFFIX)


def task_of(corpus: str) -> str:
    """Return what is learnt from a corpus: ``labels``, ``age``, ``intervals`` or ``masked``."""
    return next((task for task in OTHER_TASKS if corpus.endswith(f"-{task}")), LABELS)


def without_task(corpus: str) -> str:
    """Return the corpus whose labels and splits a source has: its name without the task, if it says one."""
    task = task_of(corpus)
    return corpus if task == LABELS else corpus.removesuffix(f"-{task}")


def without_shuffling(corpus: str) -> str:
    """Return the corpus whose signals a corpus has: its name without the task and without the shuffling of labels."""
    return without_task(corpus).removesuffix(SHUFFLED_SUFFIX)


def datasets_of(corpus: str) -> list[str]:
    """Return the names of the data sets of a corpus, in their order."""
    return without_shuffling(corpus).split(JOINED_BY)


def read_tables(
    names: Sequence[str], paths: Sequence[str | Path], read: Callable[[str | Path], pd.DataFrame] = read_table
) -> dict[str, pd.DataFrame]:
    """Return tables by the name of their data set or corpus; those of labels by `read_labels`."""
    return {name: read(path) for name, path in zip(names, paths, strict=True)}


def join_records(
    corpus: str, paths: Sequence[str | Path], read: Callable[[str | Path], pd.DataFrame] = read_table
) -> pd.DataFrame:
    """Return the tables of a corpus's data sets below one another, rows numbered from 0.

    Parameters
    ----------
    corpus
        Its name.
    paths
        One CSV table with a column ``record_id`` per data set, in the corpus's order. Where several join,
        ``record_id`` and ``patient_id`` are made unique by ``dataset:`` in front.
    read
        What reads one; `read_labels` those of labels.
    """
    tables = list(map(read, paths))
    if len(tables) == 1:
        return tables[0]
    named = [
        table.assign(**{column: f"{name}{OF}" + table[column] for column in IDS if column in table})
        for name, table in zip(datasets_of(corpus), tables, strict=True)
    ]
    return pd.concat(named, ignore_index=True)


def ids_in_corpus(corpus: str, datasets: pd.Series, record_ids: pd.Series) -> pd.Series:
    """Return the record ids that a corpus gives to records, each named by its data set and its id there."""
    return record_ids if len(datasets_of(corpus)) == 1 else datasets + OF + record_ids


def datasets_of_records(corpus: str, record_ids: pd.Series) -> pd.Series:
    """Return the data set of each record of a corpus, by the record ids that `join_records` gave it."""
    datasets = datasets_of(corpus)
    if len(datasets) == 1:
        return pd.Series(datasets[0], index=record_ids.index)
    return record_ids.str.partition(OF)[0]
