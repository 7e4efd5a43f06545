"""Reading WFDB recordings: the header, and the samples of 12-lead records in millivolts.

Format 16 (little-endian int16, also behind the 24-byte header of a MATLAB v4 file) is read here; the rarer formats are
left to the ``wfdb`` package. Unlike that package, a record name that carries its file's suffix is accepted, as many
Georgia headers write it.

Source: WFDB header specification, header(5), https://physionet.org/physiotools/wag/header-5.htm
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecgtransfer.errors import InputError
from ecgtransfer.leads import rows_in_standard_order

DEFAULT_GAIN = 200.0
"""ADC units per physical unit where a header gives none or 0 (WFDB specification)."""

INVALID_SAMPLE = -32768
"""The value that marks a missing sample in format 16 (WFDB specification)."""

_GAIN = re.compile(r"^(?P<gain>[-+.\deE]+)(?:\((?P<baseline>[-+]?\d+)\))?(?:/(?P<unit>\S+))?$")
_FORMAT = re.compile(r"^(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?$")
_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "\u00b5v": 1e-3, "\u03bcv": 1e-3, "v": 1e3}  # micro sign, Greek mu
_BYTES_PER_SAMPLE = {8: 1, 16: 2, 24: 3, 32: 4, 61: 2, 80: 1, 160: 2, 212: 1.5}


@dataclass(frozen=True)
class LeadSpecification:
    """One signal line of a header: where the samples lie and how they become millivolts."""

    file_name: str
    sample_format: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    name: str


@dataclass(frozen=True)
class Header:
    """A record's header: rate in Hz, length in samples per lead, leads as written, comments without ``#``."""

    sampling_rate_hz: float
    n_samples: int
    leads: tuple[LeadSpecification, ...]
    comments: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Return the parsed header file.

    Raises
    ------
    InputError
        If the file is missing or does not follow the WFDB specification; the line names file and field.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: header cannot be read ({error.strerror})") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line[1:].strip() for line in lines if line.startswith("#"))
    fields = [line for line in lines if not line.startswith("#")]
    if not fields:
        raise InputError(f"{path}: the header is empty, expected a record line")
    rate, n_samples, n_leads = _record_line(fields[0], path)
    if len(fields) - 1 < n_leads:
        raise InputError(f"{path}: the record line announces {n_leads} signals, {len(fields) - 1} follow")
    return Header(rate, n_samples, tuple(_signal_line(line, path) for line in fields[1 : n_leads + 1]), comments)


def _record_line(line: str, path: Path) -> tuple[float, int, int]:
    words = line.split()
    try:
        n_leads = int(words[1])
        rate = float(words[2].split("/")[0].split("(")[0])
        n_samples = int(words[3])
    except (IndexError, ValueError) as error:
        raise InputError(
            f"{path}: record line '{line[:80]}' is not 'name signals sampling-rate samples'; mend or remove the record"
        ) from error
    if "/" in words[0]:
        raise InputError(f"{path}: multi-segment records are not supported; split the record into its segments")
    if n_leads < 1 or not 0 < rate < 1e6 or not 0 < n_samples < 2**40:
        raise InputError(f"{path}: record line '{line[:80]}' has an impossible number of signals, rate or samples")
    return rate, n_samples, n_leads


def _signal_line(line: str, path: Path) -> LeadSpecification:
    words = line.split(maxsplit=8)
    try:
        layout = _FORMAT.match(words[1])
        gain_words = _GAIN.match(words[2]) if len(words) > 2 else None
        adc_zero = int(words[4]) if len(words) > 4 else 0
        if layout is None or (len(words) > 2 and gain_words is None):
            raise ValueError("format or gain")
        if layout["per_frame"] not in (None, "1"):
            raise ValueError("several samples per frame")
        if int(layout["skew"] or 0):
            raise ValueError("skewed signals")
        gain = float(gain_words["gain"]) if gain_words else 0.0
        baseline = int(gain_words["baseline"]) if gain_words and gain_words["baseline"] else adc_zero
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: signal line '{line[:80]}' cannot be read ({error})") from error
    if not np.isfinite(gain):
        raise InputError(f"{path}: signal line '{line[:80]}' has a gain that is no number")
    return LeadSpecification(
        file_name=words[0],
        sample_format=int(layout["format"]),
        byte_offset=int(layout["offset"] or 0),
        gain=gain or DEFAULT_GAIN,
        baseline=baseline,
        unit=(gain_words["unit"] if gain_words else None) or "mV",
        name=words[8] if len(words) > 8 else "",
    )


def millivolts_per_unit(unit: str, path: Path) -> float:
    """Return the factor that turns `unit` into mV.

    Raises
    ------
    InputError
        If the unit is not a voltage.
    """
    factor = _MILLIVOLTS.get(unit.lower())
    if factor is None:
        raise InputError(f"{path}: unit '{unit}' is not one of mV, uV, V")
    return factor


def check_record(header: Header, path: Path) -> None:
    """Check, without reading samples, that the twelve leads are there and that the signal files are long enough.

    Raises
    ------
    InputError
        With the reason why the record cannot be used.
    """
    for file_name, columns in _twelve_leads_by_file(header, path).items():
        signal_file = path.parent / file_name
        if not signal_file.is_file():
            raise InputError(f"{path}: signal file {file_name} is missing")
        for column in columns:
            millivolts_per_unit(header.leads[column].unit, path)
        first = header.leads[columns[0]]
        per_sample = _BYTES_PER_SAMPLE.get(first.sample_format, 0)
        n_values = len(_columns_in_file(header, file_name)) * header.n_samples
        expected = first.byte_offset + math.ceil(per_sample * n_values)
        found = signal_file.stat().st_size
        if found < expected:
            raise InputError(
                f"{path}: signal file {file_name} is truncated, it has {found} bytes of the {expected} that"
                " the header announces; download it again or remove the record"
            )


def read_signal(path: Path, header: Header | None = None) -> npt.NDArray[np.float64]:
    """Return a record's twelve leads in mV, shape (12, samples), standard lead order, NaN where a sample is missing.

    Raises
    ------
    InputError
        If a lead or a signal file is missing or too short, or the unit is not a voltage.
    """
    header = header or read_header(path)
    check_record(header, path)
    rows = _standard_rows(header, path)
    signal = np.empty((12, header.n_samples))
    for file_name, columns in _twelve_leads_by_file(header, path).items():
        for column, samples in _read_columns(path, header, file_name, columns).items():
            factor = millivolts_per_unit(header.leads[column].unit, path)
            signal[rows.index(column)] = samples if factor == 1.0 else samples * factor
    return signal


def _standard_rows(header: Header, path: Path) -> list[int]:
    try:
        return rows_in_standard_order([lead.name for lead in header.leads])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _twelve_leads_by_file(header: Header, path: Path) -> dict[str, list[int]]:
    by_file: dict[str, list[int]] = {}
    for column in _standard_rows(header, path):
        by_file.setdefault(header.leads[column].file_name, []).append(column)
    return by_file


def _columns_in_file(header: Header, file_name: str) -> list[int]:
    return [column for column, lead in enumerate(header.leads) if lead.file_name == file_name]


def _read_columns(path: Path, header: Header, file_name: str, columns: list[int]) -> dict[int, npt.NDArray[np.float64]]:
    """Return the samples of some columns in the header's physical unit."""
    first = header.leads[columns[0]]
    if first.sample_format != 16:
        return _read_with_wfdb(path, columns)
    in_file = _columns_in_file(header, file_name)
    with (path.parent / file_name).open("rb") as file:
        file.seek(first.byte_offset)
        frames = np.fromfile(file, dtype="<i2", count=header.n_samples * len(in_file)).reshape(-1, len(in_file))
    physical = {}
    for column in columns:
        lead = header.leads[column]
        samples = frames[:, in_file.index(column)].astype(np.float64)
        samples[samples == INVALID_SAMPLE] = np.nan
        physical[column] = (samples - lead.baseline) / lead.gain
    return physical


def _read_with_wfdb(path: Path, columns: list[int]) -> dict[int, npt.NDArray[np.float64]]:
    import wfdb  # slow to import, and only the rarer formats need it

    try:
        record = wfdb.rdrecord(str(path.with_suffix("")), channels=columns)
    except Exception as error:  # wfdb raises many types for a broken file
        raise InputError(f"{path}: wfdb cannot read the signals ({str(error)[:120]})") from error
    return {column: record.p_signal[:, i] for i, column in enumerate(columns)}
