"""From recordings to the signal array of a data set, and to the table of what was found in each of them.

The array holds int16, 1 µV per step unless scaled, shape (records, 12, samples); the table beside it says of every row
what was found and mended, so that later stages can leave a record out by rule. Processes share the records; each writes
its rows into the file by position, so that neither memory nor the bytes of the file depend on how many there are.
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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.acquire.space import require_space
from ecgtransfer.errors import InputError
from ecgtransfer.files import written_whole
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_headers import read_header
from ecgtransfer.prepare.quality import common_gain, fault_of_unit, gain_ratios, implausible, mending_factor
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.rows import UNITS, Batch, Quality, samples_per_row
from ecgtransfer.prepare.workers import Workers, workers

logger = logging.getLogger(__name__)

COLUMNS_READ = {
    "record_id": str, "path": str, "sampling_rate_hz": float, "n_samples": int, "unit": str, "leads": str,
}  # fmt: skip
"""What the described table must say of a record to prepare it."""

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
    """One recording to prepare: its row of the array, and what the described table says of it."""

    row: int
    path: str
    sampling_rate_hz: float
    n_samples: int
    unit: str
    leads: str
    factor: float = 1.0
    """By how much the samples are multiplied, to mend a wrong gain."""


@dataclass(frozen=True)
class Job:
    """What the preparation of all recordings of a data set has in common."""

    folder: str
    settings: Mapping[str, Any]
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
        batch = Batch(records[0].sampling_rate_hz, records[0].n_samples, job.settings)
    except InputError as error:
        return [_not_prepared(record, error, job) for record in records]
    failed: dict[int, Quality] = {}
    for place, (row, record) in enumerate(zip(rows, records, strict=True)):
        try:
            read_recording(job.folder, record.path, record.unit, record.leads, out=batch.input)
            if record.factor != 1.0:
                np.multiply(batch.input, np.float32(record.factor), out=batch.input)
            batch.take(row)
        except (InputError, OSError) as error:
            failed[place] = _not_prepared(record, error, job)
    prepared = iter(batch.finish())
    return [failed[place] if place in failed else next(prepared) for place in range(len(records))]


def _not_prepared(record: Record, error: Exception, job: Job) -> Quality:
    reason = str(error).removeprefix(f"{job.folder}/").removeprefix(f"{record.path}: ")
    return Quality(0.0, 0, 0, 0, 0, 0, 0.0, math.nan, 0.0, job.settings["duration_s"], 0, UNREADABLE + reason)


def _write(job: Job, records: Sequence[Record]) -> Found:
    """Prepare records and write their rows to where they belong in the array."""
    shape = (len(LEADS), samples_per_row(job.settings))
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


class _Progress:
    """Says in the log how fast records are prepared, and when all will be done."""

    def __init__(self, n_records: int) -> None:
        self.done = 0
        self._n_records = n_records
        self._started = self._said = time.monotonic()

    def add(self, n_records: int) -> None:
        """Count records that are done."""
        self.done += n_records
        now = time.monotonic()
        if now - self._said >= REPORT_EVERY_S:
            self._said, per_s = now, self.done / (now - self._started)
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
    described: pd.DataFrame, folder: Path, settings: Mapping[str, Any], array_path: Path, n_workers: int = 1
) -> pd.DataFrame:
    """Prepare every record into `array_path`, an int16 ``.npy`` of shape (records, 12, samples).

    Parameters
    ----------
    described
        Columns ``record_id``, ``path`` (within `folder`), ``sampling_rate_hz``, ``n_samples``, ``unit``, ``leads``.
    folder
        Where the recordings lie.
    settings
        The config section ``signals``.
    array_path
        Its rows are those of `described`. A record that cannot be read is a row of zeros.
    n_workers
        Processes; the result does not depend on it.

    Returns
    -------
    pandas.DataFrame
        ``record_id`` and the fields of `Quality`, one row per record. ``gain_ratio`` is the amplitude as it was found
        over the data set's median, ``amplitude_mv`` that of the row, so after a wrong gain was mended.

    Raises
    ------
    InputError
        If there is no record, the unit is implausible, none can be read, or there is no room for the array.
    """
    if described.empty:
        raise InputError(f"{folder}: no usable record; the .rejected.csv beside the records table says why")
    records = _Described(described)
    with written_whole(array_path) as temporary, workers(min(n_workers, math.ceil(len(records) / CHUNK))) as run:
        job = Job(str(folder), dict(settings), str(temporary), _allocate(temporary, len(records), settings))
        table, reasons = _prepare_all(job, records, run)
        _treat_implausible(job, records, table, reasons, run)
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


def _allocate(path: Path, n_records: int, settings: Mapping[str, Any]) -> int:
    """Write the header of the array and set the length of its file; return where the first row begins."""
    shape = (n_records, len(LEADS), samples_per_row(settings))
    needed = 2 * math.prod(shape)
    require_space(needed, path.parent, "for the signals")
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i2", "fortran_order": False, "shape": shape})
        first_byte = file.tell()
        file.truncate(first_byte + needed)
    return first_byte


def _check_unit(job: Job, records: _Described, table: npt.NDArray[np.void]) -> None:
    """Raise an `InputError` if the amplitudes of the records prepared so far cannot be in mV."""
    rows = np.flatnonzero((table["usable"] == 1) & (table["amplitude_mv"] > 0))
    if not len(rows):
        return
    stated, stated_mv, remedy = _stated_unit(job.folder, records.records(rows[:1])[0])
    fault = fault_of_unit(table["amplitude_mv"][rows], stated_mv, stated)
    if fault:
        raise InputError(f"{job.folder}: {fault}; {remedy}")


def _stated_unit(folder: str, record: Record) -> tuple[str, float, str]:
    """Return the unit that a record was read in, the same in mV, and where to change it."""
    if record.unit:
        return record.unit, millivolts_per_unit(record.unit), "set the right `unit` of the data set"
    units = [lead.unit for lead in read_header(f"{folder}/{record.path}").leads]
    for unit in units:
        with suppress(ValueError):  # a lead beyond the twelve may hold something else
            return unit, millivolts_per_unit(unit), "mend unit or gain in its headers"
    raise AssertionError("a record without a voltage was read")


def _probed_rows(n_records: int) -> npt.NDArray[np.intp]:
    return np.unique(np.linspace(0, n_records - 1, min(PROBED, n_records)).round().astype(np.intp))


def _prepare_all(job: Job, records: _Described, run: Workers) -> tuple[npt.NDArray[np.void], dict[int, str]]:
    """Write all rows; return the table of their quality, and by row the reasons why some cannot be used.

    Some records of all parts of the data set come first: what their unit is is checked before the others are read.
    """
    table, reasons = np.zeros(len(records), dtype=_ROW), dict[int, str]()
    probed = _probed_rows(len(records))
    chunks = [*_chunks(probed), *_chunks(np.setdiff1d(np.arange(len(records)), probed))]
    progress = _Progress(len(records))
    results = run.each(partial(_write, job), map(records.records, chunks))
    for rows, found in zip(chunks, results, strict=True):
        _enter(table, reasons, rows, found)
        progress.add(len(rows))
        if progress.done == len(probed):
            _check_unit(job, records, table)
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


def _treat_implausible(
    job: Job,
    records: _Described,
    table: npt.NDArray[np.void],
    reasons: dict[int, str],
    run: Workers,
) -> None:
    """Compare amplitudes with their median; keep, leave out or prepare again, as ``implausible_gain`` says."""
    limit, action = job.settings["implausible_gain"]["ratio"], job.settings["implausible_gain"]["action"]
    usable = table["usable"] == 1
    ratios = gain_ratios(table["amplitude_mv"], usable).round(4)
    table["gain_ratio"] = ratios
    rows = np.flatnonzero(usable & implausible(ratios, limit))
    if not len(rows) or action == "flag":
        return
    common, again = None, {}
    if action == "rescale":
        common = common_gain([stated_gain(job.folder, other) for other in records.records(_probed_rows(len(records)))])
    for record in records.records(rows):
        ratio = float(ratios[record.row])
        gain = stated_gain(job.folder, record) if common else None
        factor = mending_factor(ratio, gain, common, limit)
        if factor is None:
            table["usable"][record.row] = 0
            reasons[record.row] = f"implausible amplitude, {ratio:.3g} times the median of the data set"
        else:
            again[record.row] = record._replace(factor=factor)
    chunks = _chunks(np.array(list(again), dtype=np.intp))
    results = run.each(partial(_write, job), ([again[row] for row in chunk] for chunk in chunks))
    for chunk, found in zip(chunks, results, strict=True):
        _enter(table, reasons, chunk, found)
    table["gain_ratio"] = ratios
    logger.info("%d records of implausible amplitude rescaled, %d left out", len(again), len(rows) - len(again))


def stated_gain(folder: str, record: Record) -> float | None:
    """Return the steps per mV of a WFDB record whose header states one gain for all leads, else None."""
    if not record.path.endswith(".hea"):
        return None
    try:
        leads = read_header(f"{folder}/{record.path}").leads
        gains = {lead.gain / millivolts_per_unit(lead.unit) for lead in leads}
    except (InputError, ValueError):
        return None
    return gains.pop() if len(gains) == 1 else None


def notices_of(quality: pd.DataFrame, settings: Mapping[str, Any]) -> list[str]:
    """Return what of a data set's signals should not be taken on trust, one sentence each."""
    found = []
    n_implausible = int(implausible(quality["gain_ratio"].to_numpy(), settings["implausible_gain"]["ratio"]).sum())
    if n_implausible:
        found.append(
            f"{n_implausible} of {len(quality)} recordings have an amplitude out of line with the others"
            f" (signals.implausible_gain.action: {settings['implausible_gain']['action']})"
        )
    return found


def recipe(quality: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was done to the signals and to how many records: the ``.json`` beside the array.

    Reasons are counted by the most frequent first.
    """
    limit = settings["implausible_gain"]["ratio"]
    ratios, usable = quality["gain_ratio"].to_numpy(), quality["usable"].to_numpy() == 1
    outside = implausible(ratios, limit)
    rescaled = outside & usable & (settings["implausible_gain"]["action"] == "rescale")
    reasons = Counter(quality.loc[~usable, "reason"])
    counted = {
        "with_missing_samples": "nan_fraction",
        "with_missing_leads": "missing_leads",
        "with_rebuilt_leads": "rebuilt_leads",
        "with_flat_leads": "flat_leads",
        "with_clipped_samples": "clipped_samples",
        "padded": "padded_s",
    }
    return {
        "settings": dict(settings),
        "unit": UNITS[settings["scaling"]],
        "leads": list(LEADS),
        "records": len(quality),
        "usable": int(usable.sum()),
        "not_usable": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        **{key: int((quality[column] > 0).sum()) for key, column in counted.items()},
        "with_implausible_amplitude": int(outside.sum()),
        "rescaled": int(rescaled.sum()),
    }
