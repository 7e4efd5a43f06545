"""Your own data: recordings in a folder, described by a table with one row for each.

What the table says of a recording wins over what the entry says of all; what neither says is an error that names the
key. WFDB headers say unit, rate and leads themselves.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field, file_in_folder
from ecgtransfer.errors import InputError
from ecgtransfer.leads import lead_columns
from ecgtransfer.prepare.formats.csv_files import read_csv
from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_files import Header, check_record, read_header
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
from ecgtransfer.prepare.people import person
from ecgtransfer.prepare.recordings import RecordingFacts, recording_facts
from ecgtransfer.prepare.statements import BETWEEN_LABELS, is_snomed_ct, separator_of
from ecgtransfer.prepare.table_notices import table_notices
from ecgtransfer.prepare.table_rows import Row, rows_by_recording

KEY_OF = {"rate": "sampling_rate_hz", "unit": "unit", "leads": "leads"}
"""Field of a row -> key of the entry that says it of all."""

SLOWEST_HZ, FASTEST_HZ = 20.0, 50_000.0

_BETWEEN_LEADS = re.compile(r"[|,;\s]+")
_ARRAY = re.compile(r"[^\[\]#]*")
_NUMBER = re.compile(r"[0-9]{0,9}")


def layout(entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Yield a recording per row of the table; of a table with a row per label, one per recording.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``: `table`, and where they are needed `columns`, `sampling_rate_hz`,
        `unit`, `leads`, `label_separator`, `label_table` and `empty_labels`.
    folder
        Where the files lie.
    paths
        The files that are there, relative to `folder`.

    Raises
    ------
    InputError
        If the table is broken, if neither table nor entry says rate, unit or leads of a file that does not say them
        itself, if labels are not separated as the entry says or are empty without a word on what that means,
        if a fold is 0, or if the entry's own values are wrong.
    """
    rows, n_joined = rows_by_recording(entry, entry.get("label_separator", BETWEEN_LABELS))
    own = _Own(entry, rows, folder, frozenset(paths))
    yield from table_notices(entry, rows)
    if n_joined:
        yield Notice(f"{n_joined} rows of the table repeat a recording and add their labels to it")
    for number, row in enumerate(rows, start=1):
        record_id = row["record"] or f"row {number}"
        path = row["file"]
        try:
            path = path_of(row)
            yield own.described(row, path)
        except WrongEntry:
            raise
        except InputError as error:
            yield Rejected(record_id, path, reason(error, folder, path))


class _Own:
    """What stays the same from row to row, and what was read of arrays that hold several recordings."""

    def __init__(self, entry: Mapping[str, Any], rows: Sequence[Row], folder: Path, there: frozenset[str]) -> None:
        self.entry, self.folder, self.there = entry, folder, there
        self.columns = columns_by_field(entry)
        self.separator: str = entry.get("label_separator", BETWEEN_LABELS)
        self.sexes = {row["sex"] for row in rows}
        self.last_row = _last_rows(rows)
        self.facts: dict[tuple[str, str], RecordingFacts | None] = {}
        place = f"`own`, the entry of {entry['table']}: "
        if "unit" in entry:
            _checked_unit(entry["unit"], place)
        if "leads" in entry:
            _checked_leads("|".join(entry["leads"]), place)
        if "sampling_rate_hz" in entry:
            _checked_rate(str(entry["sampling_rate_hz"]), f"{place}sampling_rate_hz ")

    def described(self, row: Row, path: str) -> Described:
        """Return a row's recording."""
        file = path.partition("#")[0]
        if file not in self.there:
            raise InputError(f"file {file[:200]} is missing")
        if not row["record"]:
            raise InputError("the column of records is empty")
        rate, n_samples, unit, leads = self._signal(row, path)
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

    def _signal(self, row: Row, path: str) -> tuple[float, int, str, str]:
        """Return rate in Hz, samples per lead, unit and leads; the latter two empty where the file says them."""
        if path.endswith(".hea"):
            header = _checked_header(self.folder / path)
            _same_rate(row["rate"], header.sampling_rate_hz)
            return header.sampling_rate_hz, header.n_samples, "", ""
        unit = _checked_unit(self._said(row, "unit"))
        leads = self._leads(row, path)
        facts = self._facts(path, leads)
        if facts.sampling_rate_hz is None:
            return _checked_rate(self._said(row, "rate"), "rate "), facts.n_samples, unit, leads
        _same_rate(row["rate"], facts.sampling_rate_hz)
        return facts.sampling_rate_hz, facts.n_samples, unit, leads

    def _leads(self, row: Row, path: str) -> str:
        """Return the names of the leads; nothing where only the first line of a CSV file says them."""
        said = row["leads"] or "leads" in self.entry
        if not said and path.lower().endswith(".csv") and _names_its_columns(self.folder / path):
            return ""
        return "|".join(_checked_leads(self._said(row, "leads")))

    def _facts(self, path: str, leads: str) -> RecordingFacts:
        """Return the facts of a recording; an array whose last row named is there is opened once for all rows."""
        array, row = _array_and_row(path)
        if row is None:
            return recording_facts(self.folder, path, leads)
        known = (array, leads)
        if known not in self.facts:
            try:
                self.facts[known] = recording_facts(self.folder, f"{array}[{self.last_row[array]}]", leads)
            except InputError:
                self.facts[known] = None
        return self.facts[known] or recording_facts(self.folder, path, leads)

    def _said(self, row: Row, field: str) -> str:
        """Return what the row, else the entry says."""
        key = KEY_OF[field]
        if row[field]:
            return row[field]
        if key in self.entry:
            value = self.entry[key]
            return "|".join(value) if isinstance(value, list) else str(value)
        if field in self.columns:
            raise InputError(f"the cell of {field} is empty and the entry has no `{key}`")
        raise WrongEntry(
            f"{self.entry['table']}: nothing says the {key} of {row['file'][:80]!r}; add a column '{field}' to the "
            f"table or the key `{key}` to the entry in the section `own`"
        )

    def _statements(self, cell: str) -> tuple[str, ...]:
        labels = unique(label.strip() for label in cell.split(self.separator))
        if self.entry.get("label_table"):
            return labels
        labels = tuple(map(whole_number, labels))
        wrong = next((label for label in labels if not is_snomed_ct(label)), None)
        if wrong is None:
            return labels
        between = separator_of(wrong, lambda label: is_snomed_ct(whole_number(label)))
        if between:
            raise WrongEntry(
                f"{self.entry['table']}: labels '{wrong[:60]}' are separated by {between!r}, the entry in the section"
                f" `own` says {self.separator!r}; set `label_separator: {between!r}`"
            )
        if wrong.isdecimal():
            raise InputError(f"label '{wrong[:60]}' is no SNOMED CT code, its last digit does not check")
        raise InputError(f"label '{wrong[:60]}' is no SNOMED CT code and the entry has no `label_table`")

    def _fold(self, cell: str) -> int | None:
        number = _checked_number(cell, "fold")
        if number and int(number) == 0:
            raise WrongEntry(
                f"{self.entry['table']}: column '{self.columns['fold']}' has a fold 0, folds count from 1; add 1 to all"
            )
        return int(number) if number else None


def path_of(row: Row) -> str:
    """Return ``file#array[row]`` of a row.

    Raises
    ------
    InputError
        If the file is not within the folder or the row is no number.
    """
    path = file_in_folder(row["file"])
    number = _checked_number(row["row"], "row")
    if not _ARRAY.fullmatch(row["array"]):
        raise InputError(f"array '{row['array'][:40]}' is no name of an array")
    inside = row["array"] + (f"[{number}]" if number else "")
    return f"{path}#{inside}" if inside else path


def _array_and_row(path: str) -> tuple[str, int | None]:
    """Return ``file#array`` and the row."""
    file, _, inside = path.partition("#")
    array, bracket, number = inside.partition("[")
    return f"{file}#{array}", int(number.removesuffix("]")) if bracket else None


def _last_rows(rows: Iterable[Row]) -> dict[str, int]:
    """Return the largest row that the table names of each array."""
    last: dict[str, int] = {}
    for row in rows:
        try:
            array, number = _array_and_row(path_of(row))
        except InputError:
            continue  # rejected, with this reason, when its turn comes
        if number is not None:
            last[array] = max(last.get(array, 0), number)
    return last


def _checked_header(path: Path) -> Header:
    header = read_header(path)
    check_record(header, path)
    return header


def _names_its_columns(path: Path) -> bool:
    try:
        return bool(read_csv(str(path))[0])
    except Exception as error:  # what the packages raise for a broken file
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error


def _checked_number(text: str, what: str) -> str:
    number = whole_number(text)
    if not _NUMBER.fullmatch(number):
        raise InputError(f"{what} '{text[:40]}' is no whole number")
    return number


def _checked_rate(text: str, place: str) -> float:
    try:
        rate = float(text)
    except ValueError as error:
        raise InputError(f"{place}'{text[:40]}' is no number") from error
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise InputError(f"{place}{text[:40]} is no rate of an ECG, expected {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz")
    return rate


def _same_rate(text: str, of_file: float) -> None:
    if text and not math.isclose(_checked_rate(text, "rate "), of_file, rel_tol=1e-3):
        raise InputError(f"the table says {text[:40]} Hz, the file {of_file:g} Hz")


def _checked_leads(text: str, place: str = "") -> tuple[str, ...]:
    names = tuple(name for name in _BETWEEN_LEADS.split(text) if name)
    try:
        lead_columns(names)
    except ValueError as error:
        raise InputError(f"{place}{error}") from error
    return names


def _checked_unit(text: str, place: str = "") -> str:
    try:
        millivolts_per_unit(text)
    except ValueError as error:
        raise InputError(f"{place}{error}") from error
    return text


def _month(cell: str) -> str:
    month = month_of(cell)
    if cell and not month:
        raise InputError(f"month '{cell[:40]}' does not start with year and month, as in 2020-03 or 2020-03-31")
    return month
