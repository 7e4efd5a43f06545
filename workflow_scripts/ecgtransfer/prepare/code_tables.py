"""The workflow's own tables under config/labels, which users may edit: a broken one is one clear line."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecgtransfer.csv_rows import columns_of, read_rows
from ecgtransfer.errors import InputError

REMEDY = "fix the table, or bring it back with `git checkout`"


def read_code_table(
    path: str | Path, filled: Sequence[str], others: Sequence[str] = (), *, may_be_empty: bool = False
) -> pd.DataFrame:
    """Return columns of a table as text, rows in its order.

    Parameters
    ----------
    path
        The table.
    filled
        Columns without an empty cell; the first of them names a row.
    others
        More columns.
    may_be_empty
        Whether a table without rows is one, too.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column or a cell, has no row, or two of one name.
    """
    rows = list(read_rows(Path(path), [*filled, *others], remedy=REMEDY))
    if not rows and not may_be_empty:
        raise InputError(f"{path}: has no rows; {REMEDY}")
    table = pd.DataFrame(rows, columns=[*filled, *others], dtype=str)
    for number, row in enumerate(rows, start=2):
        for column in filled:
            if not row[column]:
                raise InputError(f"{path}: row {number} has no {column}; {REMEDY}")
    twice = table[filled[0]][table[filled[0]].duplicated()]
    if len(twice):
        raise InputError(f"{path}: {twice.iloc[0]!r} occurs twice in column {filled[0]}; {REMEDY}")
    return table


def read_translation(path: str | Path, of: str, into: str, *, may_be_empty: bool = False) -> dict[str, str]:
    """Return one column of a table by another, `into` by `of`; parameters and errors otherwise as `read_code_table`."""
    table = read_code_table(path, [of, into], may_be_empty=may_be_empty)
    return dict(zip(table[of], table[into], strict=True))


def read_rewards(path: str | Path) -> pd.DataFrame:
    """Return the table of the Challenge's score: what it gives for answering a column's label where a row's is true.

    Raises
    ------
    InputError
        As `read_code_table`, or if a cell is no number.
    """
    columns = [column for column in columns_of(Path(path), REMEDY) if column != "label"]
    table = read_code_table(path, ["label", *columns]).set_index("label")
    try:
        return table.astype(float)
    except ValueError as error:
        raise InputError(f"{path}: contains something that is not a number ({error}); {REMEDY}") from error
