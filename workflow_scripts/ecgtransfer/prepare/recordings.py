"""Reading one recording of any format: twelve leads in millivolts, in standard order.

The suffix of the file decides the format. Whatever is wrong with a file is an `InputError` of one line.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS, LeadColumns, lead_columns
from ecgtransfer.prepare.formats.array_files import open_npy, open_npz
from ecgtransfer.prepare.formats.csv_files import read_csv
from ecgtransfer.prepare.formats.hdf5_files import open_hdf5
from ecgtransfer.prepare.formats.matlab_files import open_mat
from ecgtransfer.prepare.formats.regular_files import size_of_regular, stays_within
from ecgtransfer.prepare.formats.twelve_leads import in_millivolts, lead_axis, of_row, row_shape
from ecgtransfer.prepare.formats.units import NO_UNIT, bring_to_one, millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_files import Header, check_record, read_header, read_signal

_PATH = re.compile(
    r"(?P<file>.*?\.(?P<suffix>h5|hdf5|npy|npz|csv|mat))(?:#(?P<array>[^\[\]]*)(?:\[(?P<row>\d{1,12})\])?)?",
    re.IGNORECASE,
)


class RecordingFacts(NamedTuple):
    """What a file says of a recording; the rate is None where the format has no place for it."""

    sampling_rate_hz: float | None
    n_samples: int
    n_leads: int


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
        Where the data set lies.
    path
        File within the folder and, where needed, array and row: ``file[#array[[row]]]``.
    unit
        Of the samples, as `ecgtransfer.prepare.formats.units` knows it. A WFDB header says it itself. With `NO_UNIT`
        they come in multiples of the median range of the recording's leads.
    leads
        Names of the leads in the order of the file, joined by ``|``. WFDB headers and the first line of a CSV file may
        say them themselves.
    out
        Array of shape (12, samples) to fill and return, so that a loop allocates nothing; its rows may be strided.
    header
        Of a WFDB record, if it was read before.

    Raises
    ------
    InputError
        If the file cannot be read as such a recording; the line names file and fault.
    """
    if path.endswith(".hea"):
        if not stays_within(path):
            raise _outside(path)
        return read_signal(f"{folder}/{path}", header, out)
    source = f"{folder}/{path}"
    if not unit:
        raise InputError(f"{source}: the unit is not known; say `unit` of the data set, such as mV or uV")
    with _faults_in_one_line(source):
        names, array, row = _open_array(folder, path, leads)
        if not names:
            raise ValueError("the names of the leads are not known; say `leads` of the data set")
        factor = 1.0 if unit == NO_UNIT else millivolts_per_unit(unit)
        signal = in_millivolts(np.asarray(of_row(array, row)), names, factor, out)
        if unit == NO_UNIT:
            bring_to_one(signal)
        return signal


def recording_facts(folder: str | Path, path: str, leads: str = "") -> RecordingFacts:
    """Return rate, length and number of leads of a recording; of WFDB without reading samples.

    Parameters
    ----------
    folder, path, leads
        As in `read_recording`. Without `leads`, an array must have one axis of 12.

    Raises
    ------
    InputError
        As `read_recording`.
    """
    source = f"{folder}/{path}"
    if path.endswith(".hea"):
        if not stays_within(path):
            raise _outside(path)
        header = read_header(source)
        check_record(header, source)
        return RecordingFacts(header.sampling_rate_hz, header.n_samples, len(header.leads))
    with _faults_in_one_line(source):
        names, array, row = _open_array(folder, path, leads)
        shape = row_shape(array.shape, row)
        n_leads = len(names) or len(LEADS)
        return RecordingFacts(None, shape[1 - lead_axis(shape, n_leads)], n_leads)


@contextmanager
def _faults_in_one_line(source: str) -> Iterator[None]:
    """Turn what goes wrong inside into an `InputError`: packages raise many types for a broken file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        reason = said if type(error) is ValueError and said else f"cannot be read ({type(error).__name__} {said})"
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
    """Return the names of the leads, empty if nobody says them, an array that may still be on disk, and the row."""
    file, suffix, array, row = _parts(path)
    names = tuple(leads.split("|")) if leads else ()
    full = f"{folder}/{file}"
    size_of_regular(full, f"{folder}/{path}", "file")
    if suffix in ("h5", "hdf5"):
        return names, open_hdf5(full, array), row
    if suffix == "npy":
        return names, open_npy(full), row
    if suffix == "npz":
        return names, open_npz(full, array), row
    if suffix == "mat":
        return names, open_mat(full, array), row
    in_file, table = read_csv(full)
    names = _agreed(names, in_file)
    if names and len(names) != table.shape[1]:  # a row is a sample: here the axes are known
        raise ValueError(f"has {table.shape[1]} columns, {len(names)} leads are named")
    return names, table, row


def _agreed(said: tuple[str, ...], in_file: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the leads by the data set's entry and by the file, which must not contradict each other."""
    for ours, theirs in zip(said, in_file, strict=False):
        if _meaning(theirs) not in (None, _meaning(ours)):
            raise ValueError(f"the column named {theirs!r} is lead {ours!r} by the entry of the data set")
    return said or in_file


def _meaning(name: str) -> LeadColumns | None:
    """Return which lead a name stands for and with which sign; None if it is no lead."""
    try:
        return lead_columns((name,))
    except ValueError:
        return None
