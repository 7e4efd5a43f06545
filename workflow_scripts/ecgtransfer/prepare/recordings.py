"""Reading one recording of any format: twelve leads in millivolts, in standard order.

The suffix of the file decides the format. Whatever is wrong with a file is an `InputError` of one line; where the
system does not let read it just now, a `NotJustNow`.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.errors import InputError
from ecgtransfer.file_names import is_header
from ecgtransfer.leads import LEADS, LeadColumns, lead_columns
from ecgtransfer.placeholders import placeholder
from ecgtransfer.prepare.formats.array_files import open_npy, open_npz
from ecgtransfer.prepare.formats.csv_files import are_names_of_r, read_csv
from ecgtransfer.prepare.formats.hdf5_files import open_hdf5
from ecgtransfer.prepare.formats.matlab_files import open_mat
from ecgtransfer.prepare.formats.memory import require_room
from ecgtransfer.prepare.formats.regular_files import size_of_regular, stays_within
from ecgtransfer.prepare.formats.twelve_leads import (
    in_millivolts,
    lead_axis,
    require_rows_of_recordings,
    row_shape,
)
from ecgtransfer.prepare.formats.units import NO_UNIT, bring_to_one, millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_files import Header, check_record, read_header, read_signal
from ecgtransfer.system_errors import stop_if_it_may_pass

_PATH = re.compile(
    r"(?P<file>.*?\.(?P<suffix>h5|hdf5|npy|npz|csv|mat))(?:#(?P<array>[^\[\]]*)(?:\[(?P<row>\d{1,12})\])?)?",
    re.IGNORECASE,
)

_held = threading.local()


class RecordingMetadata(NamedTuple):
    """What a file states about a recording; the rate is None where the format has no place for it."""

    sampling_rate_hz: float | None
    n_samples: int
    n_leads: int
    n_rows: int | None = None
    """Recordings in the array, where a row selects one."""


class RecordingPath(NamedTuple):
    """A file within the data set's folder and, of a file that holds several recordings, the array and its row."""

    file: str
    suffix: str
    array: str
    row: int | None


def read_recording(
    folder: str | Path,
    path: str,
    unit: str = "",
    leads: str = "",
    out: npt.NDArray[np.float32] | None = None,
    header: Header | None = None,
) -> npt.NDArray[np.float32]:
    """Return a recording in mV, shape (12, samples), standard lead order.

    A sample that is missing or infinite and a lead that is not there are NaN.

    Parameters
    ----------
    folder
        Where the data set is.
    path
        File within the folder and, where needed, array and row: ``file[#array[[row]]]``.
    unit
        Of the samples, as `ecgtransfer.prepare.formats.units` knows it. A WFDB header states it itself. With `NO_UNIT`
        they come in multiples of the median range of the recording's leads.
    leads
        Names of the leads in the order of the file, joined by ``|``. WFDB headers and the first line of a CSV file may
        state them themselves; then both must agree.
    out
        Array of shape (12, samples) to fill and return, so that a loop allocates nothing; its rows may be strided.
    header
        Of a WFDB record, if it was read before.

    Raises
    ------
    InputError
        If the file cannot be read as such a recording; the line names file and fault.
    """
    source = f"{folder}/{path}"
    if is_header(path):
        return read_signal(source, _header(source, path, leads, header), out)
    if not unit:
        raise InputError(f"{source}: the unit is not known; set `unit` of the data set, such as mV or uV")
    with _faults_in_one_line(source):
        names, array, row = _open_array(folder, path, leads)
        if not names:
            raise ValueError("the names of the leads are not known; set `leads` of the data set")
        _n_samples(array, row, len(names), path)
        one = np.asarray(array if row is None else array[row])
        signal = in_millivolts(one, names, 1.0 if unit == NO_UNIT else millivolts_per_unit(unit), out)
        if unit == NO_UNIT:
            bring_to_one(signal)
        return signal


def recording_metadata(
    folder: str | Path, path: str, leads: str = "", rows: tuple[int, int] | None = None
) -> RecordingMetadata:
    """Return rate, length and number of leads of a recording; of WFDB without reading samples.

    Parameters
    ----------
    folder, path, leads
        As in `read_recording`. Without `leads`, an array must have one axis of 12.
    rows
        Of an array that holds several recordings, the smallest and the largest row that are named of it; whether they
        can be rows of recordings is checked.

    Raises
    ------
    InputError
        As `read_recording`.
    """
    source = f"{folder}/{path}"
    if is_header(path):
        header = _header(source, path, leads, None) or read_header(source)
        check_record(header, source)
        return RecordingMetadata(header.sampling_rate_hz, header.n_samples, len(header.leads))
    with _faults_in_one_line(source):
        names, array, row = _open_array(folder, path, leads)
        n_leads = len(names) or len(LEADS)
        if rows is not None:
            require_rows_of_recordings(array, *rows, n_leads)
        n_samples = _n_samples(array, row, n_leads, path)
        return RecordingMetadata(None, n_samples, n_leads, None if row is None else array.shape[0])


def names_of_columns(folder: str | Path, path: str) -> tuple[str, ...]:
    """Return the names above the columns of a CSV file, none if there are none.

    Raises
    ------
    InputError
        As `read_recording`.
    """
    source = f"{folder}/{path}"
    with _faults_in_one_line(source):
        return read_csv(source)[0]


def _header(source: str, path: str, leads: str, header: Header | None) -> Header | None:
    """Return a header with the names of `leads` where it names none; without `leads`, as it is, and nothing is read."""
    if not stays_within(path):
        raise _outside(path)
    return with_names(header or read_header(source), leads, source) if leads else header


def with_names(header: Header, leads: str, source: str) -> Header:
    """Return a header whose signals have the names in `leads` (joined by ``|``), unless it names its leads itself.

    Raises
    ------
    InputError
        If it names a lead that is another by `leads`, or has another number of signals.
    """
    stated, in_file = tuple(leads.split("|")), tuple(lead.name for lead in header.leads)
    with _faults_in_one_line(source):
        _require_agreement(stated, in_file, "signal")
        if _meaning(*in_file):
            return header
        if len(stated) != len(in_file):
            raise ValueError(f"has {len(in_file)} signals, {len(stated)} leads are named")
    return header._replace(
        leads=tuple(lead._replace(name=name) for lead, name in zip(header.leads, stated, strict=True))
    )


def _n_samples(array: Any, row: int | None, n_leads: int, path: str) -> int:
    """Return the samples per lead of one recording of an array, without reading them.

    Raises
    ------
    ValueError
        If the shape is not that of a recording, or it cannot be held in memory.
    """
    shape = row_shape(array.shape, row)
    require_room(array.dtype.itemsize * prod(shape), f"a recording of shape {shape}", "cut it into shorter ones")
    n_samples = shape[1 - lead_axis(shape, n_leads)]
    if n_samples < n_leads and _parts(path).suffix != "csv":  # there a row is a sample
        raise ValueError(f"shape {shape} has fewer samples than leads; is one of its axes that of the recordings?")
    return n_samples


@contextmanager
def _faults_in_one_line(source: str) -> Iterator[None]:
    """Turn what goes wrong inside into an `InputError`: packages raise many types for a broken file.

    What may pass is no fault of the file, and no `InputError`.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        stop_if_it_may_pass(error, source)
        of_array = _PATH.fullmatch(source)
        reason = placeholder(of_array["file"]) if of_array else ""
        if not reason:
            message = " ".join(str(error).split())
            reason = (
                message
                if type(error) is ValueError and message
                else f"cannot be read ({type(error).__name__} {message})"
            )
        raise InputError(f"{source}: {reason[:300]}") from error


def _outside(path: str) -> InputError:
    return InputError(f"{path}: is not within the folder of the data set; write it relative to that folder, without ..")


@lru_cache(maxsize=1024)
def _parts(path: str) -> RecordingPath:
    """Return the parts of ``file[#array[[row]]]``."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise InputError(f"{path}: is no file[#array[[row]]] with a file .hea, .h5, .hdf5, .npy, .npz, .csv or .mat")
    if not stays_within(found["file"]):
        raise _outside(path)
    row = int(found["row"]) if found["row"] else None
    return RecordingPath(found["file"], found["suffix"].lower(), found["array"] or "", row)


def _open_array(folder: str | Path, path: str, leads: str) -> tuple[tuple[str, ...], Any, int | None]:
    """Return the names of the leads, empty if they are not stated, an array that may still be on disk, and the row."""
    file, suffix, array, row = _parts(path)
    names = tuple(leads.split("|")) if leads else ()
    full = f"{folder}/{file}"
    size_of_regular(full, f"{folder}/{path}", "file")
    if suffix in ("h5", "hdf5"):
        return names, open_hdf5(full, array), row
    if suffix == "npy":
        return names, open_npy(full), row
    if suffix in ("npz", "mat"):
        read = open_npz if suffix == "npz" else open_mat
        return names, read(full, array) if row is None else _held_for_rows(read, full, array), row
    in_file, table = read_csv(full)
    if are_names_of_r(in_file):
        if not names:
            raise ValueError(
                f"the columns are called V1 to {in_file[-1]}, as R calls columns without names; name the leads with"
                " `leads`"
            )
        in_file = ()
    _require_agreement(names, in_file, "column")
    names = names or in_file
    if names and len(names) != table.shape[1]:  # a row is a sample: here the axes are known
        raise ValueError(f"has {table.shape[1]} columns, {len(names)} leads are named")
    return names, table, row


def _held_for_rows(read: Callable[[str, str], Any], path: str, name: str) -> Any:
    """Return an array of several recordings; it is kept until another is requested or the file has changed."""
    status = os.stat(path)  # noqa: PTH116 - a Path costs more
    wanted = (path, name, status.st_ino, status.st_mtime_ns, status.st_size)
    if getattr(_held, "identity", None) != wanted:
        _held.identity = _held.array = None  # before as much is read again
        found = read(path, name)
        if not isinstance(found, np.ndarray):
            return found  # of HDF5, which keeps its files itself
        _held.array, _held.identity = found, wanted
    return _held.array


def _require_agreement(stated: tuple[str, ...], in_file: tuple[str, ...], what: str) -> None:
    """Check that the names by the data set's entry and by the file do not contradict each other."""
    for ours, theirs in zip(stated, in_file, strict=False):
        if _meaning(theirs) not in (None, _meaning(ours)):
            raise ValueError(f"the {what} named {theirs!r} is lead {ours!r} by the entry of the data set")


def _meaning(*names: str) -> LeadColumns | None:
    """Return which leads names refer to and with which sign; None if one is no lead."""
    try:
        return lead_columns(names)
    except ValueError:
        return None
