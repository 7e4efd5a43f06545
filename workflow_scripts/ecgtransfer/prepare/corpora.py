"""How several data sets become one corpus: which those are, and what their tables and ids become."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ecgtransfer.csv_tables import IDS, read_table
from ecgtransfer.source import Source

JOINED_BY = "+"
OF = ":"
"""Between a data set and an id of it, in a corpus of several."""


def datasets_of(corpus: str, named: Mapping[str, str]) -> list[str]:
    """Return the names of the data sets of a corpus, in their order; `named` is the config section ``corpora``."""
    parts = Source.of(corpus).joined.split(JOINED_BY)
    return [dataset for part in parts for dataset in named.get(part, part).split(JOINED_BY)]


def read_tables(
    names: Sequence[str], paths: Sequence[str | Path], read: Callable[[str | Path], pd.DataFrame] = read_table
) -> dict[str, pd.DataFrame]:
    """Return tables by the name of their data set or corpus; those of labels by `read_labels`."""
    return {name: read(path) for name, path in zip(names, paths, strict=True)}


def join_records(
    joined: Sequence[str], paths: Sequence[str | Path], read: Callable[[str | Path], pd.DataFrame] = read_table
) -> pd.DataFrame:
    """Return the tables of a corpus's data sets below one another, rows numbered from 0.

    Parameters
    ----------
    joined
        The data sets of the corpus.
    paths
        One CSV table with a column ``record_id`` for each of them, in their order, or one of the whole corpus. Where
        several join, ``record_id`` and ``patient_id`` are made unique by ``dataset:`` in front.
    read
        What reads one; `read_labels` those of labels.
    """
    tables = list(map(read, paths))
    if len(tables) == 1:
        return tables[0]
    named = [
        table.assign(**{column: f"{name}{OF}" + table[column] for column in IDS if column in table})
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
