"""Reading the CSV tables of data sets and of users row by row; a mistake is one clear line."""

import codecs
import csv
import io
import re
import string
from collections.abc import Collection, Iterator
from pathlib import Path

from ecgtransfer.errors import InputError, did_you_mean
from ecgtransfer.placeholders import placeholder_of
from ecgtransfer.system_errors import stop_if_it_may_pass

REMEDY_PUBLISHED = "download the data set again"
"""What to do about a broken table of a published data set."""

SEPARATORS = ",;\t|"
"""Possible separators of cells; the header of a table shows which one it has."""

_BLANK = string.whitespace + "\x1a\x1c\x1d\x1e\x1f\x85\xa0\u2007\u202f\u3000\u200b\u200c\u200d\u2060\ufeff"
"""What is stripped from both ends of a cell: blanks, and invisible characters."""
_SEPARATOR_LINE = re.compile(r"\ufeff?sep=(.)[\r\n]+")
"""A line before the header, for spreadsheets."""
_BLOCK_BYTES = 1 << 20


def read_rows(
    path: Path, required: Collection[str], optional: Collection[str] = (), remedy: str = REMEDY_PUBLISHED
) -> Iterator[dict[str, str]]:
    """Return the rows of a CSV table with a header as text by column, blanks at both ends of a cell taken off.

    A row that ends early has empty cells; an optional column that the table lacks is empty. Rows are read when they are
    requested, and quoted cells may hold line breaks. Cells are separated by the one of `SEPARATORS` that makes most
    names of the header. The text is UTF-8 or, with a byte order mark, UTF-16; a table that is neither is read as
    Windows-1252, the Latin-1 of most programs.

    Parameters
    ----------
    path
        The table.
    required, optional
        The columns wanted; others are left out.
    remedy
        What the user can do if the table is broken, the end of the messages.

    Raises
    ------
    InputError
        If the table cannot be read, a required column is missing or a wanted one is there twice. The header is read at
        once, rows later.
    """
    rows = _cells(path, remedy)
    header = _names(rows)
    missing = [column for column in required if column not in header]
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} missing{_hint(missing, header)}; {remedy}")
    twice = [column for column in [*required, *optional] if header.count(column) > 1]
    if twice:
        raise InputError(f"{path}: column {twice[0]} is there {header.count(twice[0])} times; {remedy}")
    places = {column: header.index(column) for column in [*required, *optional] if column in header}
    blank = dict.fromkeys([*required, *optional], "")
    return (
        blank | {column: row[place].strip(_BLANK) for column, place in places.items() if place < len(row)}
        for row in _of_width(rows, len(header), path, remedy)
    )


def _of_width(rows: Iterator[list[str]], width: int, path: Path, remedy: str) -> Iterator[list[str]]:
    """Yield the rows that are not blank; one with more cells than the header has its cells in the wrong columns."""
    for number, row in enumerate(rows, start=2):
        if any(map(str.strip, row[width:])):
            raise InputError(
                f"{path}: row {number} has {len(row)} cells, the header {width}; put quotes around a cell that holds"
                f" the separator, or {remedy}"
            )
        if len(row) > 1 or (row and row[0].strip(_BLANK)):
            yield row


def columns_of(path: Path, remedy: str = REMEDY_PUBLISHED) -> list[str]:
    """Return the names in a table's header.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    return _names(_cells(path, remedy))


def _names(rows: Iterator[list[str]]) -> list[str]:
    """Return the names in the first row, each on one line."""
    return [" ".join(cell.strip().splitlines()) for cell in next(rows, [])]


def _cells(path: Path, remedy: str) -> Iterator[list[str]]:
    n_read = 0
    try:
        with path.open(encoding=_encoding(path), newline="") as file:
            declared = _SEPARATOR_LINE.fullmatch(file.readline())
            if not declared:
                file.seek(0)
                separator = _separator(file.read(_BLOCK_BYTES))
                file.seek(0)
            else:
                separator = declared[1]
            for row in csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True):
                n_read += 1
                yield row
    except OSError as error:
        stop_if_it_may_pass(error, path)
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}); {remedy}") from error
    except csv.Error as error:
        raise InputError(f"{path}: row {n_read + 1} is not CSV ({_in_words(error)}); {remedy}") from error


def _encoding(path: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else the first that fits all of it.

    Raises
    ------
    InputError
        If something else is in place of the table.
    ValueError
        If it is no text.
    """
    with path.open("rb") as file:
        first = file.read(_BLOCK_BYTES)
    instead = placeholder_of(first)
    if instead:
        raise InputError(f"{path}: {instead}")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if first.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if b"\0" in first:
        what = "an Excel workbook" if first.startswith(b"PK") else "no text, or UTF-16 without a byte order mark"
        raise ValueError(f"it is {what}, expected CSV in UTF-8")
    return next((encoding for encoding in ("utf-8", "cp1252") if _fits(path, encoding)), "latin-1")


def _fits(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _separator(start: str) -> str:
    """Return the separator that makes most cells of the header with which text starts, the first of equals."""

    def n_cells(separator: str) -> int:
        return len(next(csv.reader(io.StringIO(start, newline=""), delimiter=separator, skipinitialspace=True), []))

    return max(SEPARATORS, key=n_cells)


def _in_words(error: Exception) -> str:
    """Return what is wrong with a row, in the words of someone looking at the table."""
    return "a quote is opened and never closed" if "unexpected end of data" in str(error) else str(error)


def _hint(missing: list[str], header: list[str]) -> str:
    return (
        "".join(did_you_mean(column, header) for column in missing[:1]) or f", found {', '.join(header)[:80] or 'none'}"
    )
