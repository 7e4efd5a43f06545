"""Recordings in MATLAB files: numeric arrays of versions 4 and 5; version 7.3 is HDF5.

Sizes that a file claims are held against its length before anything is allocated.

Source: MAT-File Format, The MathWorks, https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgtransfer.prepare.formats.hdf5_files import open_hdf5
from ecgtransfer.prepare.formats.twelve_leads import chosen_name
from ecgtransfer.prepare.formats.wfdb_headers import as_text

Array = npt.NDArray[Any]

_HEADER_4, _HEADER_5 = 20, 128
_TYPES_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
_TYPES_5 = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES_5 = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX = 0x800
_LARGEST_RATIO = 1100
"""Deflate compresses to no less than a thousandth."""


def open_mat(path: str, name: str) -> Any:
    """Return a named array of real numbers; the name may be left out where there is only one."""
    content = memoryview(Path(path).read_bytes())
    if bytes(content[:10]) == b"MATLAB 7.3":
        return open_hdf5(path, name)
    # Version 5 starts with text, version 4 with a small number, which has a zero among its four bytes.
    arrays = dict(_version_4(content) if 0 in content[:4] else _version_5(content))
    return arrays[chosen_name(name, list(arrays))]


def _version_4(content: memoryview) -> Iterator[tuple[str, Array]]:
    place = 0
    while place < len(content):
        _require(place + _HEADER_4 <= len(content))
        order = "<" if int.from_bytes(content[place : place + 4], "little") < 5000 else ">"
        kind, n_rows, n_columns, complex_part, name_length = struct.unpack_from(f"{order}5i", content, place)
        machine, rest = divmod(kind, 1000)
        _require(machine == (0 if order == "<" else 1) and rest % 10 < 3 and rest < 60)
        _require(complex_part in (0, 1) and min(n_rows, n_columns) >= 0 and name_length > 0)
        numbers = np.dtype(order + _TYPES_4[rest // 10])
        start = place + _HEADER_4 + name_length
        place = start + n_rows * n_columns * numbers.itemsize * (1 + complex_part)
        _require(place <= len(content))
        if rest % 10 == 0 and not complex_part:  # 1 is text, 2 is sparse
            values = np.frombuffer(content, numbers, n_rows * n_columns, start)
            name = as_text(bytes(content[start - name_length : start]).rstrip(b"\0"))
            yield name, values.reshape((n_rows, n_columns), order="F")


def _version_5(content: memoryview) -> Iterator[tuple[str, Array]]:
    order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(bytes(content[124:_HEADER_5]))  # version, then byte order
    if order is None:
        raise ValueError("is no MATLAB file of version 4, 5 or 7.3")
    place = _HEADER_5
    while place < len(content):
        kind, element, place = _element(content, place, order)
        if kind == _COMPRESSED:
            deflated = zlib.decompressobj()
            inflated = deflated.decompress(element, _LARGEST_RATIO * len(element) + 64)
            _require(deflated.eof)
            kind, element, _ = _element(memoryview(inflated), 0, order)
        if kind == _MATRIX:
            yield from _matrix_5(element, order)


def _matrix_5(content: memoryview, order: str) -> Iterator[tuple[str, Array]]:
    """Yield the array of a matrix element, nothing if it holds something else than real numbers."""
    _, flags, place = _element(content, 0, order)
    _require(len(flags) == 8)
    (flag,) = struct.unpack(f"{order}I", flags[:4])
    numbers = _CLASSES_5.get(flag & 0xFF)
    if numbers is None or flag & _COMPLEX:
        return
    kind, axes, place = _element(content, place, order)
    _require(kind == 5 and 8 <= len(axes) <= 128 and len(axes) % 4 == 0)
    shape = struct.unpack(f"{order}{len(axes) // 4}i", axes)
    kind, name, place = _element(content, place, order)
    _require(kind == 1)
    kind, stored, _ = _element(content, place, order)
    # Numbers are stored in the smallest type that holds them.
    _require(kind in _TYPES_5 and np.can_cast(_TYPES_5[kind], numbers))
    values = np.frombuffer(stored, order + _TYPES_5[kind], len(stored) // int(_TYPES_5[kind][1]))
    _require(min(shape) >= 0 and prod(shape) == values.size and values.nbytes == len(stored))
    yield as_text(bytes(name)), values.reshape(shape, order="F")


def _element(content: memoryview, place: int, order: str) -> tuple[int, memoryview, int]:
    """Return type and content of the element at a place, and the place behind it."""
    _require(place + 8 <= len(content))
    kind, length = struct.unpack_from(f"{order}2I", content, place)
    start, end = place + 8, place + 8 + length
    if kind >> 16:  # small: type, length and up to four bytes in eight
        kind, length = kind & 0xFFFF, kind >> 16
        _require(length <= 4)
        start, end = place + 4, place + 4 + length
        return kind, content[start:end], place + 8
    _require(end <= len(content))
    return kind, content[start:end], end if kind == _COMPRESSED else min(end + -length % 8, len(content))


def _require(sound: bool) -> None:
    if not sound:
        raise ValueError("is broken, sizes or types in it contradict each other or its length")
