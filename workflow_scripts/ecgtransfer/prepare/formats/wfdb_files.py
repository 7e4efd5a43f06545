"""Reading WFDB recordings: the samples of the twelve leads in millivolts.

The plain formats (16, 24, 32, 61, 80, 160, 212, also behind the 24-byte header of a MATLAB v4 file) are read here; the
rarer ones are left to the ``wfdb`` package. What a header states is checked against the size of the files before
anything is allocated. What follows from the signal lines alone is worked out once and remembered, as a data set repeats
it.

Source: WFDB signal file formats, signal(5), https://physionet.org/physiotools/wag/signal-5.htm
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.errors import InputError
from ecgtransfer.file_names import found_beside, is_file
from ecgtransfer.leads import lead_columns
from ecgtransfer.placeholders import placeholder
from ecgtransfer.prepare.formats.memory import require_room
from ecgtransfer.prepare.formats.regular_files import open_regular, size_of_regular
from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_headers import Header, LeadSpecification, read_header
from ecgtransfer.system_errors import stop_if_it_may_pass

__all__ = ["Header", "check_record", "read_header", "read_signal"]

Samples = npt.NDArray[np.float32]


class SampleFormat(NamedTuple):
    """How one value is stored; formats 24 and 212 are no numpy types and are unpacked from bytes."""

    bytes_per_value: float
    stored_as: str
    zero: int
    missing: int


FORMATS = {
    16: SampleFormat(2, "<i2", 0, -(2**15)),
    24: SampleFormat(3, "u1", 0, -(2**23)),
    32: SampleFormat(4, "<i4", 0, -(2**31)),
    61: SampleFormat(2, ">i2", 0, -(2**15)),
    80: SampleFormat(1, "u1", 128, -(2**7)),
    160: SampleFormat(2, "<u2", 2**15, -(2**15)),
    212: SampleFormat(1.5, "u1", 0, -(2**11)),
}
"""The formats that are read here; `missing` marks a sample that was not recorded."""

_LEFT_TO_WFDB = {8: 1.0, 310: 4 / 3, 311: 4 / 3, 508: 1e-3, 516: 1e-3, 524: 1e-3}
"""Least bytes per value: what keeps a header from announcing more than its file can hold (FLAC from 508 on)."""

_WFDB_BYTES = 8
"""Bytes per value that ``wfdb`` returns."""

_SCRATCH_KEPT = 1 << 26
_scratch = threading.local()


class FileLayout(NamedTuple):
    """What one signal file holds of the twelve leads, and how its values become millivolts."""

    file: int
    """Where its name is in the header."""

    sample_format: int
    byte_offset: int
    n_in_file: int
    columns: tuple[int, ...]
    rows: tuple[int, ...]
    in_order: bool
    """Whether its first twelve columns are the twelve leads in standard order."""

    scale: npt.NDArray[np.floating]
    baseline: npt.NDArray[np.floating] | None
    header_columns: tuple[int, ...]
    signs: tuple[int, ...]
    """-1 for a lead that the file holds inverted, else 1, as `rows` has them."""


def check_record(header: Header, path: str | Path) -> None:
    """Check, without reading samples, that a lead is there and that the signal files are long enough.

    Raises
    ------
    InputError
        With the reason why the record cannot be used.
    """
    name = str(path)
    for layout in _layouts(header, name)[0]:
        file_name = header.file_names[layout.file]
        size = size_of_regular(_beside(name, file_name), name, f"signal file {file_name}")
        _check_size(layout, header.n_samples, size, name, file_name)


def read_signal(path: str | Path, header: Header | None = None, out: Samples | None = None) -> Samples:
    """Return a record's twelve leads in mV, shape (12, samples), standard lead order.

    A sample that is marked missing and a lead that is not there are NaN.

    Parameters
    ----------
    path
        Of the header file.
    header
        What `read_header` returns for it, if it was read before.
    out
        Array to fill and return; its rows may be strided.

    Raises
    ------
    InputError
        If no lead or no signal file is there, one is too short, or the unit is not a voltage.
    """
    name = str(path)
    if header is None:
        header = read_header(name)
    layouts, absent = _layouts(header, name)
    n_samples = header.n_samples
    signal = out
    for layout in layouts:
        file_name = header.file_names[layout.file]
        descriptor, size = open_regular(_beside(name, file_name), name, f"signal file {file_name}")
        try:
            _check_size(layout, n_samples, size, name, file_name)
            if signal is None:
                signal = np.empty((12, n_samples), np.float32)
            elif signal.shape != (12, n_samples):
                raise InputError(f"{name}: has {n_samples} samples per lead, expected {signal.shape[1]}")
            if layout.sample_format in FORMATS:
                _fill(signal, layout, _frames(descriptor, layout, n_samples, name, file_name))
            else:
                _fill_with_wfdb(signal, layout, header, name)
        except OSError as error:
            stop_if_it_may_pass(error, _beside(name, file_name))
            raise InputError(f"{name}: signal file {file_name} cannot be read ({error.strerror})") from error
        finally:
            os.close(descriptor)
    assert signal is not None  # there is at least one layout
    for row in absent:
        signal[row] = np.nan
    return signal


def _beside(path: str, file_name: str) -> str:
    return path[: path.rfind("/") + 1] + file_name


def _layouts(header: Header, path: str) -> tuple[tuple[FileLayout, ...], tuple[int, ...]]:
    """Return the layout of every file that holds one of the twelve leads, and the rows that no file holds."""
    names = header.file_names
    first = names[0]
    file_of_column = None
    if names.count(first) != len(names):
        file_of_column = tuple(names.index(name) for name in names)
    try:
        return _plans_of(header.leads, file_of_column)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


@lru_cache(maxsize=256)
def _plans_of(
    leads: tuple[LeadSpecification, ...], file_of_column: tuple[int, ...] | None
) -> tuple[tuple[FileLayout, ...], tuple[int, ...]]:
    of_column = file_of_column or (0,) * len(leads)
    found, signs = lead_columns(tuple(lead.name for lead in leads))
    layouts = []
    for file in sorted({of_column[column] for column in found if column >= 0}):
        in_file = [column for column, other in enumerate(of_column) if other == file]
        rows = tuple(row for row, column in enumerate(found) if column in in_file)
        layouts.append(_layout(file, leads, in_file, rows, found, signs))
    return tuple(layouts), tuple(row for row, column in enumerate(found) if column < 0)


def _layout(
    file: int,
    leads: tuple[LeadSpecification, ...],
    in_file: list[int],
    rows: tuple[int, ...],
    found: tuple[int, ...],
    signs: tuple[int, ...],
) -> FileLayout:
    first = leads[in_file[0]]
    if {leads[column][:2] for column in in_file} != {first[:2]}:
        raise ValueError("signals of one file differ in format or byte offset")
    if in_file[-1] - in_file[0] != len(in_file) - 1:  # libraries do not agree what that means
        raise ValueError("signals of one file are not listed one after the other")
    if first.sample_format not in FORMATS and first.sample_format not in _LEFT_TO_WFDB:
        raise ValueError(f"signal format {first.sample_format} is unknown")
    header_columns = tuple(found[row] for row in rows)
    used = [leads[column] for column in header_columns]
    scale = np.array([[signs[row] * _millivolts(lead)] for row, lead in zip(rows, used, strict=True)])
    baseline = np.array([[float(lead.baseline)] for lead in used])
    # A float32 holds integers to 2^24 exactly: enough for 16-bit samples, not for the step of larger ones.
    if first.sample_format not in (24, 32) and np.all(np.abs(baseline) < 2**23):
        scale, baseline = scale.astype(np.float32), baseline.astype(np.float32)
    columns = tuple(in_file.index(column) for column in header_columns)
    return FileLayout(
        file=file,
        sample_format=first.sample_format,
        byte_offset=first.byte_offset,
        n_in_file=len(in_file),
        columns=columns,
        rows=rows,
        in_order=columns == tuple(range(12)),
        scale=scale,
        baseline=baseline if baseline.any() else None,
        header_columns=header_columns,
        signs=tuple(signs[row] for row in rows),
    )


def _millivolts(lead: LeadSpecification) -> float:
    return millivolts_per_unit(lead.unit) / lead.gain


def _check_size(layout: FileLayout, n_samples: int, size: int, path: str, file_name: str) -> None:
    known = FORMATS.get(layout.sample_format)
    per_value = known.bytes_per_value if known else _LEFT_TO_WFDB[layout.sample_format]
    values = layout.n_in_file * n_samples
    expected = layout.byte_offset + -int(-per_value * values // 1)  # rounded up
    if size != expected and (known or size < expected):
        _require_data(path, file_name)
    if size < expected:
        raise InputError(
            f"{path}: signal file {file_name} is truncated, it has {size} bytes of the {expected} that"
            " the header announces; download it again or remove the record"
        )
    if known is None:
        try:
            require_room(_WFDB_BYTES * values, f"unpacked, signal file {file_name}", "cut the record into shorter ones")
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error


def _require_data(path: str, file_name: str) -> None:
    """Raise an `InputError` if something else is in place of a signal file."""
    instead = placeholder(_beside(path, file_name))
    if instead:
        raise InputError(f"{path}: signal file {file_name} {instead}")


def _frames(descriptor: int, layout: FileLayout, n_samples: int, path: str, file_name: str) -> npt.NDArray[np.integer]:
    """Return the values of a signal file, shape (samples, signals in the file), valid until the next call."""
    known = FORMATS[layout.sample_format]
    values = n_samples * layout.n_in_file
    n_bytes = -int(-known.bytes_per_value * values // 1)
    content = _scratch_bytes(n_bytes)
    memory = content.data
    done = os.preadv(descriptor, [memory], layout.byte_offset)
    while done < n_bytes:  # a read may stop early, at 2 GB at the latest
        more = os.preadv(descriptor, [memory[done:]], layout.byte_offset + done)
        if more == 0:
            raise InputError(f"{path}: signal file {file_name} became shorter while it was read")
        done += more
    stored: npt.NDArray[np.integer]
    if layout.sample_format == 212:
        stored = _unpacked_212(content, values)
    elif layout.sample_format == 24:
        stored = _unpacked_24(content, values)
    else:
        stored = content.view(known.stored_as)
        if known.zero:
            stored = stored.astype(np.int32) - known.zero
    return stored.reshape(n_samples, layout.n_in_file)


def _scratch_bytes(n_bytes: int) -> npt.NDArray[np.uint8]:
    """Return an array that is reused: fresh memory costs page faults, more than the reading itself."""
    held: npt.NDArray[np.uint8] | None = getattr(_scratch, "held", None)
    if held is None or held.size < n_bytes:
        held = np.empty(n_bytes, np.uint8)
        if n_bytes <= _SCRATCH_KEPT:
            _scratch.held = held
    return held[:n_bytes]


def _unpacked_212(content: npt.NDArray[np.uint8], values: int) -> npt.NDArray[np.int16]:
    """Return 12-bit samples, two in three bytes: low byte, both high nibbles, low byte of the second."""
    if values % 2:
        content = np.append(content, np.uint8(0))
    low, nibbles, second = (content[i::3].astype(np.int16) for i in range(3))
    unpacked = np.empty((low.size, 2), np.int16)
    unpacked[:, 0] = low | nibbles << 12 >> 4  # the shifts carry the sign
    unpacked[:, 1] = second | (nibbles & 0xF0) << 8 >> 4
    return unpacked.reshape(-1)[:values]


def _unpacked_24(content: npt.NDArray[np.uint8], values: int) -> npt.NDArray[np.int32]:
    """Return 24-bit little-endian samples: placed in the high bytes of 32, a shift then carries the sign."""
    padded = np.zeros((values, 4), np.uint8)
    padded[:, 1:] = content.reshape(-1, 3)
    return padded.view("<i4").reshape(-1) >> 8


def _fill(signal: Samples, layout: FileLayout, frames: npt.NDArray[np.integer]) -> None:
    by_lead = frames.T[:12] if layout.in_order else frames.T[list(layout.columns)]
    missing = FORMATS[layout.sample_format].missing
    gaps = by_lead == missing if frames.min() == missing else None
    target = signal if layout.in_order else np.empty(by_lead.shape, np.float32)
    if layout.scale.dtype == np.float32:
        np.copyto(target, by_lead, casting="unsafe")
        if layout.baseline is not None:
            target -= layout.baseline
        target *= layout.scale
    else:
        exact = by_lead if layout.baseline is None else by_lead - layout.baseline
        np.multiply(exact, layout.scale, out=target, casting="same_kind")
    if gaps is not None:
        target[gaps] = np.nan
    if target is not signal:
        signal[list(layout.rows)] = target


@contextmanager
def _as_wfdb_wants_it(path: str, header: Header) -> Iterator[str]:
    """Yield the path of a record without suffix; where a file is called otherwise than `wfdb` does, that of links."""
    names = dict.fromkeys(header.file_names)
    if path.endswith(".hea") and all(is_file(Path(_beside(path, name))) for name in names):
        yield path.removesuffix(".hea")
        return
    with TemporaryDirectory() as folder:
        Path(folder, "record.hea").symlink_to(Path(path).absolute())
        for name in names:
            link = Path(folder, name)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(found_beside(_beside(path, name))).absolute())
        yield f"{folder}/record"


def _fill_with_wfdb(signal: Samples, layout: FileLayout, header: Header, path: str) -> None:
    import wfdb  # slow to import, and only the rarer formats need it

    try:
        with _as_wfdb_wants_it(path, header) as name:
            record = wfdb.rdrecord(name, channels=list(layout.header_columns))
        read = record.p_signal.T
    except Exception as error:  # wfdb raises many types for a broken file
        stop_if_it_may_pass(error, path)
        _require_data(path, header.file_names[layout.file])
        raise InputError(f"{path}: wfdb cannot read the signals ({type(error).__name__})") from error
    if read.shape != (len(layout.rows), header.n_samples):
        raise InputError(f"{path}: wfdb reads another number of samples than the header announces")
    for row, samples, column, sign in zip(layout.rows, read, layout.header_columns, layout.signs, strict=True):
        signal[row] = samples * (sign * millivolts_per_unit(header.leads[column].unit))
