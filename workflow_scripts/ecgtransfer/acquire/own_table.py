"""The table of your own data: one row per recording, columns named by the config.

A data set of your own is an entry of the config's section ``own``: a folder, a table and, where the table calls its
columns otherwise, their names. The files stay where they are and are never changed.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgtransfer.csv_rows import columns_of, read_rows
from ecgtransfer.errors import InputError, did_you_mean

REQUIRED = ("record", "file")
FIELDS = (
    *REQUIRED,
    "labels",
    "patient",
    "array",
    "row",
    "age",
    "sex",
    "unit",
    "rate",
    "leads",
    "site",
    "month",
    "fold",
)
"""What a row can state about a recording."""

_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
REMEDY = "fix the table or the entry in the section `own`"


class WrongEntry(InputError):
    """A mistake of an entry or of a column, not of one recording: nothing states the unit of a file, for instance."""


def rows_of(entry: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Return the rows of a table of your own as text by field (`FIELDS`); what the table lacks is empty.

    A row of nothing but empty cells is passed over. A cell that is a formula for text, ``="007"``, as tables keep a
    spreadsheet from taking an id for a number, is that text.

    Parameters
    ----------
    entry
        An entry of the section ``own``: `table` and, if need be, `columns` (field -> name of the column).

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column that is required or named, or `columns` has an unknown field.
    """
    columns = columns_by_field(entry)
    rows = read_rows(Path(entry["table"]), list(columns.values()), remedy=REMEDY)
    blank = dict.fromkeys(FIELDS, "")
    return (
        blank | {field: _as_text(row[column]) for field, column in columns.items()} for row in rows if any(row.values())
    )


def _as_text(cell: str) -> str:
    cell = cell.replace("\r\n", "\n").replace("\r", "\n") if "\r" in cell else cell
    found = _FORMULA.fullmatch(cell) if cell.startswith("=") else None
    return found[1].strip() if found else cell


def columns_by_field(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return which column of the table holds which field, for the fields that have one.

    A column that `columns` does not name is found by the word for its field, in capitals or not.

    Raises
    ------
    InputError
        As `rows_of`.
    """
    table, named = Path(entry["table"]), entry.get("columns", {})
    for field in named:
        if field not in FIELDS:
            hint = did_you_mean(field, FIELDS) or f"; known are {', '.join(FIELDS)}"
            raise InputError(f"`own`, `columns` of {table}: '{field}' is not a field{hint}")
    header = columns_of(table, REMEDY)
    by_lower_case = {name.lower(): name for name in reversed(header) if name not in named.values()}
    found = {field: named.get(field, by_lower_case.get(field)) for field in FIELDS}
    missing = [
        str(column or field) for field, column in found.items() if column not in header and field in (*REQUIRED, *named)
    ]
    if missing:
        hint = "".join(did_you_mean(column, header) for column in missing[:1])
        hint_or_found = hint or f", found {', '.join(header)[:80] or 'none'}"
        raise InputError(f"{table}: column {', '.join(missing)} missing{hint_or_found}; {REMEDY}")
    return {field: column for field, column in found.items() if column in header}


def unused_columns(entry: Mapping[str, Any]) -> list[str]:
    """Return the columns of the table that no field takes.

    Raises
    ------
    InputError
        As `rows_of`.
    """
    used = columns_by_field(entry).values()
    return [column for column in columns_of(Path(entry["table"]), REMEDY) if column and column not in used]
