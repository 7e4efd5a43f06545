"""The table of your own data: one row per recording, columns named by the config.

A data set of your own is an entry of the config's section ``own``: a folder, a table and, where the table calls its
columns otherwise, their names. The files stay where they are and are never changed.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ecgtransfer.csv_rows import columns_of, read_rows
from ecgtransfer.errors import InputError, did_you_mean

logger = logging.getLogger(__name__)

REQUIRED = ("record", "file", "labels")
FIELDS = (*REQUIRED, "patient", "array", "row", "age", "sex", "unit", "rate", "leads", "site", "month", "fold")
"""What a row can say of a recording."""

SUFFIXES = {".hea", ".h5", ".hdf5", ".npy", ".npz", ".csv", ".mat"}
MEND = "mend the table or the entry in the section `own`"


def rows_of(entry: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Return the rows of a table of your own as text by field (`FIELDS`); what the table lacks is empty.

    Parameters
    ----------
    entry
        An entry of the section ``own``: `table` and, if need be, `columns` (field -> name of the column).

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column that is required or named, or `columns` has an unknown field.
    """
    table, named = Path(entry["table"]), entry.get("columns", {})
    for field in named:
        if field not in FIELDS:
            hint = did_you_mean(field, FIELDS) or f"; known are {', '.join(FIELDS)}"
            raise InputError(f"`own`, `columns` of {table}: '{field}' is not a field{hint}")
    column_of = {field: str(named.get(field, field)) for field in FIELDS}
    rows = read_rows(
        table,
        [column_of[field] for field in FIELDS if field in REQUIRED or field in named],
        list(column_of.values()),
        MEND,
    )
    return ({field: row[column] for field, column in column_of.items()} for row in rows)


def fields_of(entry: Mapping[str, Any]) -> set[str]:
    """Return which fields the table of an entry has a column for.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    header = columns_of(Path(entry["table"]), MEND)
    found = {field for field in FIELDS if entry.get("columns", {}).get(field, field) in header}
    if "patient" not in found:
        logger.warning(
            f"{entry['table']}: no column 'patient', every record counts as its own patient, so one patient can be on "
            f"both sides of a split{did_you_mean('patient', header)}"
        )
    return found


def file_in_folder(cell: str) -> str:
    """Return the file that a cell names, relative to the folder; a WFDB record may come without its suffix.

    Raises
    ------
    InputError
        If the cell is empty or leads out of the folder.
    """
    path = PurePosixPath(cell)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in cell or "#" in cell:
        raise InputError(f"file {cell[:80]!r} is not a path within the folder")
    if path.suffix.lower() in SUFFIXES:
        return str(path)
    return str(path).removesuffix(".dat") + ".hea"
