"""Your own data: recordings in a folder, described by a table with one row for each.

What the table states for a recording takes precedence over what the entry states for all; what neither states is an
error that names the key. WFDB headers state unit, rate and leads themselves.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.acquire.own_files import OwnFiles, among, linked_out
from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field
from ecgtransfer.errors import InputError
from ecgtransfer.file_names import is_header
from ecgtransfer.prepare.layouts import (
    Described,
    Notice,
    Recordings,
    Rejected,
    month_of,
    reason,
    unique,
    whole_number,
)
from ecgtransfer.prepare.own_signals import OwnSignals, array_and_row
from ecgtransfer.prepare.people import person
from ecgtransfer.prepare.separators import BETWEEN_LABELS, separator_of
from ecgtransfer.prepare.snomed_ct import is_snomed_ct
from ecgtransfer.prepare.table_notices import table_notices
from ecgtransfer.prepare.table_rows import Row, rows_by_recording

_ARRAY = re.compile(r"[^\[\]#]*")
_NUMBER = re.compile(r"[0-9]{0,9}")
_LIST = re.compile(r"""\[\s*(['"].*['"])?\s*\]|[{(]\s*['"].*[)}]""", re.DOTALL)
"""A list, a set or a dictionary of text."""


def layout(entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Yield a recording per row of the table; of a table with a row per label, one per recording.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``: `table`, and where they are needed `columns`, `sampling_rate_hz`,
        `unit`, `leads`, `label_separator`, `label_table` and `empty_labels`.
    folder
        Where the files are.
    paths
        The files that are there, relative to `folder`.

    Raises
    ------
    InputError
        If the table is broken, if neither table nor entry states rate, unit or leads of a file that does not state
        them itself, if labels are not separated as the entry states or are empty while it is not stated what that
        means, if a fold is 0, or if the entry's own values are wrong.
    """
    rows, n_joined = rows_by_recording(entry, entry.get("label_separator", BETWEEN_LABELS))
    own = _Own(entry, rows, folder, paths)
    yield from table_notices(entry, rows)
    if n_joined:
        yield Notice(f"{n_joined} rows of the table repeat a recording and add their labels to it")
    for number, row in enumerate(rows, start=1):
        record_id = row["record"] or f"row {number}"
        path = row["file"]
        try:
            path = path_of(row, own.files)
            yield own.described(row, path)
        except WrongEntry:
            raise
        except InputError as error:
            yield Rejected(record_id, path, reason(error, folder, path))
    yield from own.signals.notices()
    n_outside = linked_out(folder, paths)
    if n_outside:
        yield Notice(
            f"{n_outside} of {len(paths)} files are links that leave the folder of the data set, or lie behind one;"
            " they are read where the links point to"
        )


class _Own:
    """What stays the same from row to row, and what was read of arrays that hold several recordings."""

    def __init__(self, entry: Mapping[str, Any], rows: Sequence[Row], folder: Path, paths: Sequence[str]) -> None:
        self.entry, self.there = entry, frozenset(paths)
        self.columns = columns_by_field(entry)
        self.separator: str = entry.get("label_separator", BETWEEN_LABELS)
        self.sexes = frozenset(row["sex"] for row in rows)
        self.files = OwnFiles(folder, among(paths))
        self.signals = OwnSignals(entry, folder, self.columns, _rows_named(rows, self.files))

    def described(self, row: Row, path: str) -> Described:
        """Return a row's recording."""
        file = path.partition("#")[0]
        if file not in self.there:
            raise InputError(f"file {file[:200]} is missing")
        if not row["record"]:
            raise InputError("the column of records is empty")
        rate, n_samples, unit, leads = self.signals.of(row, path)
        return Described(
            record_id=row["record"],
            patient_id=row["patient"] or row["record"],
            path=path,
            sampling_rate_hz=rate,
            n_samples=n_samples,
            **person(row["age"], row["sex"], self.sexes),
            statements=self._statements(row["labels"]),
            labelled=bool(row["labels"]) or self.entry.get("empty_labels") == "negative",
            fold=self._fold(row["fold"]),
            site=row["site"],
            month=_month(row["month"]),
            unit=unit,
            leads=leads,
        )

    def _statements(self, cell: str) -> tuple[str, ...]:
        if _LIST.fullmatch(cell):
            raise WrongEntry(
                f"{self.entry['table']}: labels {cell[:60]!r} are a list as Python or JSON writes it; write them with"
                f" {self.separator!r} between them (`label_separator`)"
            )
        labels = list(filter(None, map(str.strip, cell.split(self.separator))))
        if self.entry.get("label_table"):
            return unique(labels)
        labels = list(map(whole_number, labels))
        wrong = next((label for label in labels if not is_snomed_ct(label)), None)
        if wrong is None:
            return unique(labels)
        between = separator_of(wrong, lambda label: is_snomed_ct(whole_number(label)))
        if between:
            raise WrongEntry(
                f"{self.entry['table']}: labels '{wrong[:60]}' are separated by {between!r}, the entry in the section"
                f" `own` says {self.separator!r}; set `label_separator: {between!r}`"
            )
        if wrong.isdecimal():
            raise InputError(f"label '{wrong[:60]}' is not a SNOMED CT code, its check digit is wrong")
        raise InputError(f"label '{wrong[:60]}' is not a SNOMED CT code and the entry has no `label_table`")

    def _fold(self, cell: str) -> int | None:
        number = _checked_number(cell, "fold")
        if number and int(number) == 0:
            raise WrongEntry(
                f"{self.entry['table']}: column '{self.columns['fold']}' has a fold 0, folds count from 1; add 1 to all"
            )
        return int(number) if number else None


def path_of(row: Row, files: OwnFiles) -> str:
    """Return ``file#array[row]`` of a row.

    Raises
    ------
    InputError
        If the file is not within the folder or cannot be read, or the row is no number.
    """
    path = files.meant(row["file"])
    if is_header(path) and (row["array"] or row["row"]):
        raise InputError("a WFDB record has no arrays and rows; leave these cells empty")
    number = _checked_number(row["row"], "row")
    if not _ARRAY.fullmatch(row["array"]):
        raise InputError(f"array '{row['array'][:40]}' is no name of an array")
    inside = row["array"] + (f"[{number}]" if number else "")
    return f"{path}#{inside}" if inside else path


def _rows_named(rows: Iterable[Row], files: OwnFiles) -> dict[str, tuple[int, int]]:
    """Return the smallest and the largest row that the table names of each array, ``file#array``."""
    named: dict[str, tuple[int, int]] = {}
    for row in rows:
        try:
            array, number = array_and_row(path_of(row, files))
        except InputError:
            continue  # rejected, with this reason, when its turn comes
        if number is not None:
            first, last = named.get(array, (number, number))
            named[array] = min(first, number), max(last, number)
    return named


def _checked_number(text: str, what: str) -> str:
    number = whole_number(text)
    if not _NUMBER.fullmatch(number):
        raise InputError(f"{what} '{text[:40]}' is no whole number")
    return number


def _month(cell: str) -> str:
    month = month_of(cell)
    if cell and not month:
        raise InputError(f"month '{cell[:40]}' does not start with year and month, as in 2020-03 or 2020-03-31")
    return month
