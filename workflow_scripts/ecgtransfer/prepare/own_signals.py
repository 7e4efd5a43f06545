"""Rate, length, unit and leads of recordings of your own.

WFDB headers state them themselves. Elsewhere, what the table states for a recording takes precedence over what the
entry states for all; what neither states is an error that names the key.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ecgtransfer.acquire.own_table import WrongEntry
from ecgtransfer.errors import InputError
from ecgtransfer.file_names import is_file, is_header
from ecgtransfer.leads import lead_columns
from ecgtransfer.prepare.formats.units import NO_UNIT, millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_files import Header, check_record, read_header
from ecgtransfer.prepare.formats.wfdb_headers import FASTEST_HZ, SLOWEST_HZ
from ecgtransfer.prepare.layouts import Notice
from ecgtransfer.prepare.recordings import (
    RecordingMetadata,
    names_of_columns,
    recording_metadata,
    with_names,
)

KEY_OF = {"rate": "sampling_rate_hz", "unit": "unit", "leads": "leads"}
"""Field of a row -> key of the entry that states it for all."""

Row = Mapping[str, str]


class Signal(NamedTuple):
    """What is known of a recording before its samples are read.

    `unit` and `leads` (joined by ``|``) are empty where the file itself states them.
    """

    sampling_rate_hz: float
    n_samples: int
    unit: str
    leads: str


class OwnSignals:
    """What is stated about recordings, and what was read of arrays that hold several of them.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``.
    folder
        Where the files are.
    fields
        Those that the table has a column for.
    rows
        Of arrays (``file#array``), the smallest and the largest row that the table names.

    Raises
    ------
    InputError
        If rate, unit or leads of the entry cannot be.
    """

    def __init__(
        self, entry: Mapping[str, Any], folder: Path, fields: Mapping[str, str], rows: Mapping[str, tuple[int, int]]
    ) -> None:
        self._entry, self._folder, self._fields, self._rows = entry, folder, fields, rows
        self._metadata: dict[tuple[str, str], RecordingMetadata | str] = {}
        self._n_described = 0
        self._n_beside_headers = 0
        self._unused = Counter[str]()
        self._stated_instead: dict[str, str] = {}
        place = f"`own`, the entry of {entry['table']}: "
        if "unit" in entry:
            _checked_unit(entry["unit"], place)
        if "leads" in entry:
            _checked_leads("|".join(entry["leads"]), place)
        if "sampling_rate_hz" in entry:
            _checked_rate(str(entry["sampling_rate_hz"]), f"{place}sampling_rate_hz ")

    def of(self, row: Row, path: str) -> Signal:
        """Return what is known of the recording of a row.

        Raises
        ------
        InputError
            If the file cannot be read, or contradicts what is stated about it.
        WrongEntry
            If nothing states the rate, the unit or the leads.
        """
        found = self._in_wfdb(row, path) if is_header(path) else self._in_array(row, path)
        self._n_described += 1
        return found

    def notices(self) -> Iterator[Notice]:
        """Yield what the entry states and no recording uses, and what may be meant differently."""
        for key, count in self._unused.items():
            yield Notice(
                f"`{key}: {self._entry[key]}` of the entry is not used for {count} of {self._n_described} recordings,"
                f" whose WFDB headers differ, the first {self._stated_instead[key]}"
            )
        if self._n_beside_headers:
            yield Notice(
                f"{self._n_beside_headers} of {self._n_described} recordings are MATLAB files with a WFDB header of the"
                " same name, whose gains, rate and leads are not used; name the .hea in the table to use them"
            )
        if self._rows and min(first for first, _ in self._rows.values()) == 1:
            yield Notice("no recording is row 0 of its array; if rows are counted from 1, subtract 1 from all")

    def _in_wfdb(self, row: Row, path: str) -> Signal:
        source = str(self._folder / path)
        header = read_header(source)
        stated = self._stated_leads(row, header)
        named = with_names(header, "|".join(stated), source) if stated else header
        check_record(named, source)
        _same_rate(row["rate"], header.sampling_rate_hz)
        _same_unit(row["unit"], header)
        self._count_unused(row, header)
        leads = "" if named is header else "|".join(lead.name for lead in named.leads)
        return Signal(header.sampling_rate_hz, header.n_samples, "", leads)

    def _stated_leads(self, row: Row, header: Header) -> tuple[str, ...]:
        """Return what row or entry state about the leads of a WFDB record, nothing where only its header does."""
        if row["leads"] or "leads" in self._entry:
            return _checked_leads(self._stated(row, "leads"))
        if not any(lead.name for lead in header.leads):
            return _checked_leads(self._stated(row, "leads"))  # which nothing states
        try:
            lead_columns(tuple(lead.name for lead in header.leads))
        except ValueError as error:
            remedy = "give `leads` in the table or the entry where a header does not name them"
            raise InputError(f"{error}; {remedy}") from error
        return ()

    def _count_unused(self, row: Row, header: Header) -> None:
        rate, unit = self._entry.get("sampling_rate_hz"), self._entry.get("unit")
        if rate is not None and not row["rate"] and not _alike_rates(float(rate), header.sampling_rate_hz):
            self._count("sampling_rate_hz", f"{header.sampling_rate_hz:g}")
        in_file = _unit_of(header)
        if unit is not None and not row["unit"] and in_file and not _alike_units(unit, in_file):
            self._count("unit", in_file)

    def _count(self, key: str, instead: str) -> None:
        self._unused[key] += 1
        self._stated_instead.setdefault(key, instead)

    def _in_array(self, row: Row, path: str) -> Signal:
        unit = _checked_unit(self._stated(row, "unit"))
        leads = self._leads(row, path)
        metadata = self._metadata_of(path, leads)
        file = path.partition("#")[0]
        if file.lower().endswith(".mat") and is_file(self._folder / f"{file[:-4]}.hea"):
            self._n_beside_headers += 1
        return Signal(_checked_rate(self._stated(row, "rate"), "rate "), metadata.n_samples, unit, leads)

    def _leads(self, row: Row, path: str) -> str:
        """Return the names of the leads; nothing where only the first line of a CSV file states them."""
        stated = row["leads"] or "leads" in self._entry
        if not stated and path.lower().endswith(".csv") and names_of_columns(self._folder, path):
            return ""
        return "|".join(_checked_leads(self._stated(row, "leads")))

    def _metadata_of(self, path: str, leads: str) -> RecordingMetadata:
        """Return the metadata of a recording; an array that holds several is opened once for all rows."""
        array, row = array_and_row(path)
        if row is None:
            return recording_metadata(self._folder, path, leads)
        known = (array, leads)
        if known not in self._metadata:
            of_first = f"{array}[{self._rows[array][0]}]"
            try:
                self._metadata[known] = recording_metadata(self._folder, of_first, leads, self._rows[array])
            except InputError as error:
                self._metadata[known] = str(error).removeprefix(f"{self._folder}/{of_first}: ")
        metadata = self._metadata[known]
        if isinstance(metadata, str):
            raise InputError(metadata)
        if metadata.n_rows is not None and row >= metadata.n_rows:
            raise InputError(f"row {row} is not there, it has {metadata.n_rows}")
        return metadata

    def _stated(self, row: Row, field: str) -> str:
        """Return what the row, else the entry, states."""
        key = KEY_OF[field]
        if row[field]:
            return row[field]
        if key in self._entry:
            value = self._entry[key]
            return "|".join(value) if isinstance(value, list) else str(value)
        if field in self._fields:
            raise InputError(f"the cell of {field} is empty and the entry has no `{key}`")
        raise WrongEntry(
            f"{self._entry['table']}: nothing states the {key} of {row['file'][:80]!r}; add a column '{field}' to the "
            f"table or the key `{key}` to the entry in the section `own`"
        )


def array_and_row(path: str) -> tuple[str, int | None]:
    """Return ``file#array`` and the row of ``file#array[row]``."""
    file, _, inside = path.partition("#")
    array, bracket, number = inside.partition("[")
    return f"{file}#{array}", int(number.removesuffix("]")) if bracket else None


def _checked_rate(text: str, place: str) -> float:
    try:
        rate = float(text)
    except ValueError as error:
        raise InputError(f"{place}'{text[:40]}' is no number") from error
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise InputError(
            f"{place}{text[:40]} is not a sampling rate of an ECG, expected {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz"
        )
    return rate


def _same_rate(text: str, of_file: float) -> None:
    if text and not _alike_rates(_checked_rate(text, "rate "), of_file):
        raise InputError(f"the table says {text[:40]} Hz, the file {of_file:g} Hz")


def _alike_rates(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-3)


def _same_unit(text: str, header: Header) -> None:
    in_file = _unit_of(header)
    if text and in_file and not _alike_units(_checked_unit(text), in_file):
        raise InputError(f"the table says the unit {text[:40]}, the file {in_file[:40]}")


def _alike_units(stated: str, in_file: str) -> bool:
    if _checked_unit(stated) == NO_UNIT:
        return False
    return math.isclose(millivolts_per_unit(stated), millivolts_per_unit(in_file), rel_tol=1e-6)


def _unit_of(header: Header) -> str:
    """Return the first unit of a header that is a voltage, or nothing."""
    for lead in header.leads:
        with suppress(ValueError):
            millivolts_per_unit(lead.unit)
            return lead.unit
    return ""


def _checked_leads(text: str, place: str = "") -> tuple[str, ...]:
    """Return the names of leads, which are separated by bars, else semicolons, else commas, else blanks."""
    between = next((mark for mark in "|;," if mark in text), None)
    names = tuple(name.strip() for name in text.split(between) if name.strip())
    try:
        lead_columns(names)
    except ValueError as error:
        raise InputError(f"{place}{error}") from error
    return names


def _checked_unit(text: str, place: str = "") -> str:
    if text.strip().lower() == NO_UNIT:
        return NO_UNIT
    try:
        millivolts_per_unit(text)
    except ValueError as error:
        raise InputError(f"{place}{error}") from error
    return text
