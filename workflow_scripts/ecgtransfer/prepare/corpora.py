"""What a source or target is called, and how several data sets become one corpus.

A corpus is one data set (``georgia``), several joined (``georgia+ningbo``), or either with its labels dealt out anew at
random (``georgia-shuffled``): the negative control, from which nothing about the labels can be learnt. The name of a
source can end in what is learnt from it in place of labels: ``-age`` or ``-intervals`` (regression), or ``-masked``
(self-supervised). The config section ``corpora`` can give a name to what is joined (``hospitals``), which stands for it
everywhere; only the config knows what it joins.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

JOINED_BY = "+"
SHUFFLED_SUFFIX = "-shuffled"
LABELS = "labels"
"""The task of a corpus whose name says none."""
OTHER_TASKS = ("age", "intervals", "masked")
SUFFIXES = (SHUFFLED_SUFFIX, *(f"-{task}" for task in OTHER_TASKS))
"""What the names of data sets must not end in, as it says something of a corpus."""
OF = ":"
"""Between a data set and an id of it, in a corpus of several."""
ID_COLUMNS = ("record_id", "patient_id")

_PAIR_COLUMNS = ("dataset_a", "record_a", "dataset_b", "record_b")
_WORDS = dict.fromkeys((*ID_COLUMNS, "path", "codes", "reason"), str)


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


def datasets_of(corpus: str, named: Mapping[str, str]) -> list[str]:
    """Return the names of the data sets of a corpus, in their order; `named` is the config section ``corpora``."""
    parts = without_shuffling(corpus).split(JOINED_BY)
    return [dataset for part in parts for dataset in named.get(part, part).split(JOINED_BY)]


def read_tables(names: Sequence[str], paths: Sequence[str | Path]) -> dict[str, pd.DataFrame]:
    """Return tables of records, labels or splits by the name of their data set or corpus."""
    return {name: read_table(path) for name, path in zip(names, paths, strict=True)}


def read_table(path: str | Path) -> pd.DataFrame:
    """Return a table of records, labels or splits, ids and codes as text."""
    return pd.read_csv(path, dtype=_WORDS)


def read_pairs(path: str | Path) -> pd.DataFrame:
    """Return pairs of recordings that are the same, as the audit found them; data sets and ids as text, even ``NA``."""
    return pd.read_csv(path, dtype=dict.fromkeys(_PAIR_COLUMNS, str), keep_default_na=False, na_values=[""])


def join_records(joined: Sequence[str], paths: Sequence[str | Path]) -> pd.DataFrame:
    """Return the tables of a corpus's data sets below one another, rows numbered from 0.

    Parameters
    ----------
    joined
        The data sets of the corpus.
    paths
        One CSV table with a column ``record_id`` for each of them, in their order, or one of the whole corpus. Where
        several join, ``record_id`` and ``patient_id`` are made unique by ``dataset:`` in front.
    """
    tables = list(map(read_table, paths))
    if len(tables) == 1:
        return tables[0]
    named = [
        table.assign(**{column: f"{name}{OF}" + table[column] for column in ID_COLUMNS if column in table})
        for name, table in zip(joined, tables, strict=True)
    ]
    return pd.concat(named, ignore_index=True)


def ids_in_corpus(joined: Sequence[str], datasets: pd.Series, record_ids: pd.Series) -> pd.Series:
    """Return the ids that records have where some data sets are joined, each named by data set and id there."""
    return record_ids if len(joined) == 1 else datasets + OF + record_ids


def datasets_of_records(joined: Sequence[str], record_ids: pd.Series) -> pd.Series:
    """Return the data set of each record of a corpus that joins some, by the record ids that `join_records` gave."""
    if len(joined) == 1:
        return pd.Series(joined[0], index=record_ids.index)
    return record_ids.str.partition(OF)[0]
