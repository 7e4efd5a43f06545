"""The tables of findings: what they look like, how they are ordered and rounded, and how they are read back."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import pandas as pd

from ecgtransfer.arms import Cell
from ecgtransfer.csv_tables import read_table

KEY_COLUMNS = ["target", "source", "model", "arm", "fraction"]
CELL_COLUMNS = [*KEY_COLUMNS, "n_train"]

_ORDER = [*KEY_COLUMNS, "metric"]
_DECIMALS = 6


@dataclass(frozen=True)
class TableForm:
    """What a table of a finding holds, for its readers.

    Attributes
    ----------
    columns
        In their order.
    about
        What it is, in a line of the list of all files.
    rows
        What a row is, in sentences.
    meaning
        What columns mean: names, several joined by ``, ``, and their meaning in Markdown. All columns are named once.
    """

    columns: Sequence[str]
    about: str
    rows: str
    meaning: Mapping[str, str]


KEY_MEANING = {", ".join(KEY_COLUMNS): "what was compared with its partner from scratch"}
CELL_MEANING = {**KEY_MEANING, "n_train": "training recordings, mean over replicates"}
RUN_KEY_MEANING = {", ".join(KEY_COLUMNS): "what was trained and tested; `source` is empty for `scratch`"}
RUN_MEANING = {**RUN_KEY_MEANING, "n_train": CELL_MEANING["n_train"]}


def read_findings(path: str | os.PathLike[str] | TextIO) -> pd.DataFrame:
    """Return a table of findings; scratch has an empty source, and a pre-training an empty target and arm."""
    return read_table(path).fillna({"target": "", "source": "", "arm": ""})


def key_of(cell: Cell) -> dict[str, object]:
    """Return the `KEY_COLUMNS` of a row on a cell."""
    return {name: getattr(cell, name) for name in KEY_COLUMNS}


def sorted_table(rows: list[dict[str, object]], columns: list[str], order: list[str] = _ORDER) -> pd.DataFrame:
    """Return the rows in a fixed order, numbers rounded for a table that is the same on every machine."""
    table = pd.DataFrame(rows, columns=columns).sort_values(order, kind="stable", ignore_index=True)
    numbers = table.select_dtypes("float").columns.drop("fraction", errors="ignore")
    table[numbers] = table[numbers].round(_DECIMALS) + 0.0  # + 0.0: no "-0.0" in the file
    return table
