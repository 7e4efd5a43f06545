"""Reading the CSV tables of data sets and of users row by row; a mistake is one clear line."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from ecgtransfer.errors import InputError, did_you_mean

MEND_PUBLISHED = "download the data set again"
"""What to do about a broken table of a published data set."""


def read_rows(
    path: Path, required: Collection[str], optional: Collection[str] = (), mend: str = MEND_PUBLISHED
) -> Iterator[dict[str, str]]:
    """Return the rows of a CSV table with a header as text by column, blanks at both ends of a cell taken off.

    A row that ends early has empty cells; an optional column that the table lacks is empty. Rows are read as they are
    asked for, quoted cells may hold line breaks, and a byte order mark is skipped.

    Parameters
    ----------
    path
        The table.
    required, optional
        The columns wanted; others are left out.
    mend
        What the user can do if the table is broken, the end of the messages.

    Raises
    ------
    InputError
        If the table cannot be read or a required column is missing. The header is read at once, rows later.
    """
    rows = _cells(path, mend)
    header = _names(rows)
    missing = [column for column in required if column not in header]
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} missing{_hint(missing, header)}; {mend}")
    places = {column: header.index(column) for column in [*required, *optional] if column in header}
    blank = dict.fromkeys([*required, *optional], "")
    return (
        blank | {column: row[place].strip() for column, place in places.items() if place < len(row)}
        for row in rows
        if row
    )


def columns_of(path: Path, mend: str = MEND_PUBLISHED) -> list[str]:
    """Return the names in a table's header.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    return _names(_cells(path, mend))


def _names(rows: Iterator[list[str]]) -> list[str]:
    """Return the names in the first row, each on one line."""
    return [" ".join(cell.strip().splitlines()) for cell in next(rows, [])]


def _cells(path: Path, mend: str) -> Iterator[list[str]]:
    n_read = 0
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.reader(file):
                n_read += 1
                yield row
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {mend}") from error
    except csv.Error as error:
        raise InputError(f"{path}: row {n_read + 1} is not CSV ({error}); {mend}") from error


def _hint(missing: list[str], header: list[str]) -> str:
    if len(header) == 1:
        found = next((mark for mark in ";\t" if mark in header[0]), None)
        if found:
            return f", cells are separated by {found!r} where ',' is expected"
    return (
        "".join(did_you_mean(column, header) for column in missing[:1]) or f", found {', '.join(header)[:80] or 'none'}"
    )
