"""From recordings to the signal array of a data set, and to the table of what was found in each of them.

The array holds int16, 1 µV per step unless scaled, shape (records, 12, samples); the table next to it tells for every
row what was found and repaired, so that later stages can leave a record out by rule. Processes share the records; each
writes its rows into the file by position, so that neither memory nor the bytes of the file depend on their number.
"""

import logging
import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.acquire.space import require_space
from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.file_names import is_header
from ecgtransfer.files import written_whole
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.units import NO_UNIT, millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_headers import read_header
from ecgtransfer.prepare.gains import (
    FITS,
    correction_factors,
    gain_of,
    gain_ratios,
    implausible,
    misfit_of_gains,
    nearly_common_gain,
)
from ecgtransfer.prepare.quality import fault_of_unit, is_clipped
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.rows import Batch, Quality, spread_rows
from ecgtransfer.prepare.summary import why_none_is_usable
from ecgtransfer.prepare.workers import Workers, workers

logger = logging.getLogger(__name__)

COLUMNS_READ = {
    "record_id": str, "path": str, "sampling_rate_hz": float, "n_samples": int, "unit": str, "leads": str,
}  # fmt: skip
"""What the described table must state about a record to prepare it."""

CHUNK = 128
"""Records that a process takes at a time."""
ROWS_BYTES = 1 << 22
"""Rows that are held in memory before they are written; at least one."""
PROBED = 100
"""Records that are prepared beforehand to check the unit, spread evenly over the data set."""
REPORT_EVERY_S = 10.0

UNREADABLE = "not prepared: "
"""Before the reason of a record whose files or rate do not allow it, though they did when it was described."""


_INTEGERS = {"missing_leads", "rebuilt_leads", "flat_leads", "clipped_leads", "clipped_samples", "usable"}
_ROW = np.dtype([(name, np.int32 if name in _INTEGERS else np.float64) for name in Quality._fields[:-1]])
Found = tuple[npt.NDArray[np.void], dict[int, str]]
"""Rows of the quality table without their reasons, and by row the reasons of those that cannot be used."""


class Record(NamedTuple):
    """One recording to prepare: its row of the array, and what the described table states about it."""

    row: int
    path: str
    sampling_rate_hz: float
    n_samples: int
    unit: str
    leads: str
    factor: float = 1.0
    """By how much the samples are multiplied, to correct a wrong gain."""


@dataclass(frozen=True)
class Job:
    """What the preparation of all recordings of a data set has in common."""

    folder: str
    settings: Signals
    kernels: str
    array_path: str
    """File that takes the rows, its header written."""
    first_byte: int
    """Where in it the first row begins."""


def _prepare(rows: npt.NDArray[np.int16], records: Sequence[Record], job: Job) -> list[Quality]:
    """Fill rows of zeros from the files of records."""
    alike = defaultdict[tuple[float, int], list[int]](list)
    for place, record in enumerate(records):
        alike[record.sampling_rate_hz, record.n_samples].append(place)
    qualities: dict[int, Quality] = {}
    for places in alike.values():
        some = _prepare_alike([rows[place] for place in places], [records[place] for place in places], job)
        qualities.update(zip(places, some, strict=True))
    return [qualities[place] for place in range(len(records))]


def _prepare_alike(rows: Sequence[npt.NDArray[np.int16]], records: Sequence[Record], job: Job) -> list[Quality]:
    """Fill rows from records of one rate and length; one that cannot be read or prepared stays zeros."""
    try:
        batch = Batch(records[0].sampling_rate_hz, records[0].n_samples, job.settings, job.kernels)
    except InputError as error:
        return [_not_prepared(record, error, job) for record in records]
    failed: dict[int, Quality] = {}
    gains: dict[int, float] = {}
    for place, (row, record) in enumerate(zip(rows, records, strict=True)):
        try:
            header = read_header(f"{job.folder}/{record.path}") if is_header(record.path) else None
            read_recording(job.folder, record.path, record.unit, record.leads, batch.input, header)
            if record.factor != 1.0:
                np.multiply(batch.input, np.float32(record.factor), out=batch.input)
            batch.take(row)
            gains[place] = gain_of(header.leads) if header else math.nan
        except InputError as error:
            failed[place] = _not_prepared(record, error, job)
    prepared = iter(batch.finish())
    return [
        failed[place] if place in failed else _completed(next(prepared), record, gains[place])
        for place, record in enumerate(records)
    ]


def _completed(quality: Quality, record: Record, gain: float) -> Quality:
    """Return a quality with the gain, and without an amplitude where the samples have no unit."""
    amplitude_mv = math.nan if record.unit == NO_UNIT else quality.amplitude_mv
    return quality._replace(amplitude_mv=amplitude_mv, steps_per_mv=gain)


def _not_prepared(record: Record, error: Exception, job: Job) -> Quality:
    reason = str(error).removeprefix(f"{job.folder}/").removeprefix(f"{record.path}: ")
    return Quality(
        *(0.0, 0, 0, 0, 0, 0), *(0.0, math.nan, math.nan), *(0.0, job.settings.duration_s), 0, UNREADABLE + reason
    )


def _write(job: Job, records: Sequence[Record]) -> Found:
    """Prepare records and write their rows to where they belong in the array."""
    shape = (len(LEADS), job.settings.samples_per_lead)
    row_bytes = 2 * math.prod(shape)
    at_once = max(1, ROWS_BYTES // row_bytes)
    qualities: list[Quality] = []
    file = os.open(job.array_path, os.O_WRONLY)
    try:
        for first in range(0, len(records), at_once):
            some = records[first : first + at_once]
            rows = np.zeros((len(some), *shape), dtype="<i2")
            qualities += _prepare(rows, some, job)
            ends = [i for i in range(1, len(some)) if some[i].row != some[i - 1].row + 1]
            for start, stop in pairwise([0, *ends, len(some)]):
                _write_at(file, rows[start:stop].data.cast("B"), job.first_byte + some[start].row * row_bytes)
    finally:
        os.close(file)
    reasons = {record.row: of_one.reason for record, of_one in zip(records, qualities, strict=True) if of_one.reason}
    return np.array([of_one[:-1] for of_one in qualities], dtype=_ROW), reasons


def _write_at(file: int, content: memoryview, place: int) -> None:
    while content:
        written = os.pwrite(file, content, place)
        content, place = content[written:], place + written


def _chunks(rows: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    return [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]


class _Throughput:
    """Logs how fast records are prepared, and when all will be done."""

    def __init__(self, n_records: int) -> None:
        self.done = 0
        self._n_records = n_records
        self._started = self._reported = time.monotonic()

    def add(self, n_records: int) -> None:
        """Count records that are done."""
        self.done += n_records
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY_S:
            self._reported, per_s = now, self.done / (now - self._started)
            left_s = (self._n_records - self.done) / per_s
            logger.info("%d of %d records, %.0f per second, %.0f s left", self.done, self._n_records, per_s, left_s)


class _Described:
    """The described table as columns, from which the records of a chunk are made when their turn comes."""

    def __init__(self, described: pd.DataFrame) -> None:
        text = {name: described[name].fillna("").astype(str).to_numpy() for name in ("path", "unit", "leads")}
        self._columns = (
            text["path"],
            described["sampling_rate_hz"].to_numpy(dtype=np.float64),
            described["n_samples"].to_numpy(dtype=np.int64),
            text["unit"],
            text["leads"],
        )

    def __len__(self) -> int:
        return len(self._columns[0])

    def path(self, row: int) -> str:
        """Return the path of a record."""
        return str(self._columns[0][row])

    def records(self, rows: npt.NDArray[np.intp]) -> list[Record]:
        """Return some records by their rows."""
        fields = zip(*(column[rows].tolist() for column in self._columns), strict=True)
        return [Record(row, *values) for row, values in zip(rows.tolist(), fields, strict=True)]


def prepare_signals(
    described: pd.DataFrame,
    folder: Path,
    settings: Signals,
    array_path: Path,
    n_workers: int = 1,
    kernels: str = "fast",
) -> pd.DataFrame:
    """Prepare every record into `array_path`, an int16 ``.npy`` of shape (records, 12, samples).

    Parameters
    ----------
    described
        Columns ``record_id``, ``path`` (within `folder`), ``sampling_rate_hz``, ``n_samples``, ``unit``, ``leads``.
    folder
        Where the recordings are.
    settings, kernels
        The config section ``signals``, and ``hardware.kernels``.
    array_path
        Its rows are those of `described`. A record that cannot be read is a row of zeros.
    n_workers
        Processes; the result does not depend on it.

    Returns
    -------
    pandas.DataFrame
        ``record_id`` and the fields of `Quality`, one row per record. ``gain_ratio`` is the amplitude as it was found
        over the data set's median, ``amplitude_mv`` that of the row, so after a wrong gain was corrected.

    Raises
    ------
    InputError
        If there is no record, the unit is implausible, none can be read, or there is no room for the array.
    """
    if described.empty:
        raise InputError(f"{folder}: no usable record; the .rejected.csv beside the records table says why")
    records = _Described(described)
    _require_units(described, folder, settings)
    with written_whole(array_path) as temporary, workers(min(n_workers, math.ceil(len(records) / CHUNK))) as run:
        first_byte = _allocate(temporary, len(records), settings)
        job = Job(str(folder), settings, kernels, str(temporary), first_byte)
        table, reasons = _prepare_all(job, records, run)
        _treat_out_of_line(job, records, table, reasons, run)
        if not table["usable"].any():
            raise InputError(f"{folder}: {why_none_is_usable(list(reasons.values()))}")
    quality = pd.DataFrame(table)
    quality.insert(0, "record_id", described["record_id"].to_numpy())
    quality["reason"] = [reasons.get(row, "") for row in range(len(quality))]
    logger.info("%d records prepared, %d of them usable", len(quality), quality["usable"].sum())
    for reason, count in Counter(quality.loc[quality["usable"] == 0, "reason"]).most_common(1):
        n_unusable = len(quality) - quality["usable"].sum()
        logger.warning(
            "%s: %d of %d recordings are not used, %d of them: %s", folder, n_unusable, len(quality), count, reason
        )
    return quality


def _allocate(path: Path, n_records: int, settings: Signals) -> int:
    """Write the header of the array and set the length of its file; return where the first row begins."""
    shape = (n_records, len(LEADS), settings.samples_per_lead)
    needed = 2 * math.prod(shape)
    require_space(needed, path.parent, "for the signals")
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i2", "fortran_order": False, "shape": shape})
        first_byte = file.tell()
        file.truncate(first_byte + needed)
    return first_byte


def _of_known_amplitude(table: npt.NDArray[np.void], reasons: Mapping[int, str]) -> npt.NDArray[np.bool_]:
    """Return which records are usable, or would be with another unit, gain or filter."""
    known: npt.NDArray[np.bool_] = table["usable"] == 1
    known[[row for row, reason in reasons.items() if is_clipped(reason)]] = True
    return known


def _check_unit(job: Job, records: _Described, table: npt.NDArray[np.void], reasons: Mapping[int, str]) -> None:
    """Raise an `InputError` if the amplitudes of the records prepared so far cannot be in mV."""
    rows = np.flatnonzero(_of_known_amplitude(table, reasons) & (table["amplitude_mv"] > 0))
    if not len(rows):
        return
    stated, stated_mv, remedy = _stated_unit(job.folder, records.records(rows[:1])[0])
    fault = fault_of_unit(table["amplitude_mv"][rows], stated_mv, stated)
    if fault and job.settings.scaling != "none":
        remedy += f", or `unit: {NO_UNIT}` if they were scaled already"
    if fault:
        raise InputError(f"{job.folder}: {fault}; {remedy}")


def _stated_unit(folder: str, record: Record) -> tuple[str, float, str]:
    """Return the unit that a record was read in, the same in mV, and where to change it."""
    if record.unit:
        return record.unit, millivolts_per_unit(record.unit), "set the right `unit` of the data set"
    units = [lead.unit for lead in read_header(f"{folder}/{record.path}").leads]
    for unit in units:
        with suppress(ValueError):  # a lead beyond the twelve may hold something else
            return unit, millivolts_per_unit(unit), "correct unit or gain in its headers"
    raise AssertionError("a record without a voltage was read")


def _prepare_all(job: Job, records: _Described, run: Workers) -> tuple[npt.NDArray[np.void], dict[int, str]]:
    """Write all rows; return the table of their quality, and by row the reasons why some cannot be used.

    Some records of all parts of the data set come first: what their unit is is checked before the others are read.
    """
    table, reasons = np.zeros(len(records), dtype=_ROW), dict[int, str]()
    probed = spread_rows(len(records), PROBED)
    chunks = [*_chunks(probed), *_chunks(np.setdiff1d(np.arange(len(records)), probed))]
    progress = _Throughput(len(records))
    results = run.each(partial(_write, job), map(records.records, chunks))
    for rows, found in zip(chunks, results, strict=True):
        _enter(table, reasons, rows, found)
        progress.add(len(rows))
        if progress.done == len(probed):
            _check_unit(job, records, table, reasons)
    unreadable = {row: reason for row, reason in reasons.items() if reason.startswith(UNREADABLE)}
    if unreadable:
        row, reason = next(iter(unreadable.items()))
        first = f"{job.folder}/{records.path(row)}: {reason.removeprefix(UNREADABLE)}"
        if len(unreadable) == len(records):
            raise InputError(f"none of {len(records)} records can be prepared, the first: {first}")
        logger.warning("%d records cannot be prepared, their rows are zeros; the first: %s", len(unreadable), first)
    return table, reasons


def _enter(table: npt.NDArray[np.void], reasons: dict[int, str], rows: npt.NDArray[np.intp], found: Found) -> None:
    for row in rows.tolist():
        reasons.pop(row, None)  # of an earlier preparation
    table[rows] = found[0]
    reasons.update(found[1])


def _treat_out_of_line(
    job: Job,
    records: _Described,
    table: npt.NDArray[np.void],
    reasons: dict[int, str],
    run: Workers,
) -> None:
    """Compare amplitudes and gains with others'; keep, leave out or prepare again, as in ``implausible_gain``."""
    limit, action = job.settings.implausible_gain.ratio, job.settings.implausible_gain.action
    known, gains = _of_known_amplitude(table, reasons), table["steps_per_mv"]
    ratios = gain_ratios(table["amplitude_mv"], known).round(4)
    table["gain_ratio"] = ratios
    outside, odd = implausible(ratios, limit), misfit_of_gains(gains, ratios) > FITS
    rows = np.flatnonzero(known & (outside | odd))
    if not len(rows) or action == "flag":
        return
    factors = correction_factors(gains, ratios, limit) if action == "rescale" else np.full(len(gains), np.nan)
    again, n_left_out = {}, 0
    for record in records.records(rows):
        row = record.row
        if factors[row] > 0:
            again[row] = record._replace(factor=float(factors[row]))
        elif outside[row] or action == "exclude":
            n_left_out += 1
            table["usable"][row] = 0
            reasons[row] = f"implausible amplitude, {ratios[row]:.3g} times the median of the data set"
            if odd[row]:
                usual = nearly_common_gain(gains)
                reasons[row] = f"implausible gain, {gains[row]:g} per mV in its header, {usual:g} in others"
    chunks = _chunks(np.array(list(again), dtype=np.intp))
    results = run.each(partial(_write, job), ([again[row] for row in chunk] for chunk in chunks))
    for chunk, found in zip(chunks, results, strict=True):
        _enter(table, reasons, chunk, found)
    table["gain_ratio"] = ratios
    logger.info("%d records of implausible amplitude or gain rescaled, %d left out", len(again), n_left_out)


def _require_units(described: pd.DataFrame, folder: Path, settings: Signals) -> None:
    """Raise an `InputError` if recordings without a unit are to keep their amplitude."""
    n_without = int((described["unit"] == NO_UNIT).sum())
    if n_without and settings.scaling == "none":
        raise InputError(
            f"{folder}: {n_without} of {len(described)} recordings have the unit '{NO_UNIT}', and signals.scaling: none"
            " keeps amplitudes, which then mean nothing; state their unit, or set signals.scaling to min-max or z-score"
        )
