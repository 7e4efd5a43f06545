"""Recordings in MATLAB files: numeric arrays of versions 4 and 5 (``-v7`` is 5, compressed); version 7.3 is HDF5.

Sizes that a file claims are checked against its length before anything is allocated. Only the requested array is
unpacked; what the others are is known from their beginning.

Source: MAT-File Format, The MathWorks, https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.prepare.formats.hdf5_files import HDF5_BEGINS, open_hdf5
from ecgtransfer.prepare.formats.memory import ROW_BY_ROW, require_room
from ecgtransfer.prepare.formats.twelve_leads import a_struct, chosen_name
from ecgtransfer.prepare.formats.wfdb_headers import as_text

Array = npt.NDArray[Any]

_HEADER_4, _HEADER_5 = 20, 128
_TYPES_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
_KINDS_4 = {1: "text", 2: "a sparse array"}
_TYPES_5 = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES_5 = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_STRUCT, _OPAQUE = 2, 17
_KINDS_5 = {1: "a cell array", _STRUCT: "a struct", 3: "an object", 4: "text", 5: "a sparse array", 16: "a function"}
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX = 0x800
_COMPLEX_NUMBERS = "an array of complex numbers"
_BEGINNING = 1 << 12
"""Bytes of a compressed variable that hold its name, its shape and the names of its fields."""
_LARGEST_RATIO = 1100
"""Deflate compresses to no less than a thousandth."""


class Variable(NamedTuple):
    """What a file holds under a name: the shape of real numbers and how to get at them, or what else it is."""

    name: str
    shape: tuple[int, ...]
    numbers: Callable[[], Array]
    what: str = ""


def open_mat(path: str, name: str) -> Any:
    """Return a named array of real numbers; the name may be left out where there is only one."""
    with Path(path).open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    is_7_3 = bytes(content[:10]) == b"MATLAB 7.3"
    if is_7_3 or bytes(content[:8]) == HDF5_BEGINS:
        return open_hdf5(path, name, is_7_3)
    # Version 5 starts with text, version 4 with a small number, which has a zero among its four bytes.
    found = list(_version_4(content) if 0 in content[:4] else _version_5(content))
    arrays = {variable.name: variable for variable in found if not variable.what}
    others = {variable.name: variable.what for variable in found if variable.what}
    if others and not name and all(prod(variable.shape) <= 1 for variable in arrays.values()):
        arrays = {}  # a rate or the like: what else the file holds is more to the point
    return arrays[chosen_name(name, list(arrays), others)].numbers()


def _other(name: str, what: str) -> Variable:
    return Variable(name, (), partial(np.empty, 0), what)


def _version_4(content: memoryview) -> Iterator[Variable]:
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
        name = as_text(bytes(content[start - name_length : start]).rstrip(b"\0"))
        what = _KINDS_4.get(rest % 10) or (_COMPLEX_NUMBERS if complex_part else "")
        if what:
            yield _other(name, what)
            continue
        values = np.frombuffer(content, numbers, n_rows * n_columns, start)
        shape = n_rows, n_columns
        yield Variable(name, shape, partial(np.reshape, values, shape, order="F"))


def _version_5(content: memoryview) -> Iterator[Variable]:
    order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(bytes(content[124:_HEADER_5]))  # version, then byte order
    if order is None:
        raise ValueError("is no MATLAB file of version 4, 5 or 7.3")
    place = _HEADER_5
    while place < len(content):
        kind, element, place = _element(content, place, order)
        if kind == _MATRIX:
            yield _variable_5(element, order, partial(_as_it_is, element))
        elif kind == _COMPRESSED:
            begins = zlib.decompressobj().decompress(element[:_BEGINNING], _BEGINNING)
            _require(len(begins) >= 8)
            kind, length = struct.unpack_from(f"{order}2I", begins)
            if kind == _MATRIX:
                yield _variable_5(memoryview(begins)[8 : 8 + length], order, partial(_inflated, element, length))


def _as_it_is(element: memoryview) -> memoryview:
    return element


def _inflated(element: memoryview, length: int) -> memoryview:
    """Return what a compressed element holds after the eight bytes with its type and length."""
    require_room(length, "an array, unpacked,", ROW_BY_ROW)
    _require(length <= _LARGEST_RATIO * len(element))
    deflated = zlib.decompressobj()
    inflated = deflated.decompress(element, length + 64)
    _require(deflated.eof and len(inflated) >= 8 + length)
    return memoryview(inflated)[8 : 8 + length]


def _variable_5(begins: memoryview, order: str, whole: Callable[[], memoryview]) -> Variable:
    """Return the variable of a matrix element; its beginning, 4 kB, holds everything but the numbers."""
    _, flags, place = _element(begins, 0, order)
    _require(len(flags) == 8)
    (flag,) = struct.unpack(f"{order}I", flags[:4])
    if flag & 0xFF == _OPAQUE:  # a table, a string: its name follows at once
        _, written, _ = _element(begins, place, order)
        return _other(as_text(bytes(written)), "an object")
    kind, axes, place = _element(begins, place, order)
    _require(kind == 5 and 8 <= len(axes) <= 128 and len(axes) % 4 == 0)
    shape = struct.unpack(f"{order}{len(axes) // 4}i", axes)
    kind, written, place = _element(begins, place, order)
    _require(kind == 1)
    name = as_text(bytes(written))
    numbers = _CLASSES_5.get(flag & 0xFF)
    if flag & 0xFF == _STRUCT:
        return _other(name, a_struct(_fields_5(begins, place, order)))
    if numbers is None or flag & _COMPLEX:
        return _other(name, _KINDS_5.get(flag & 0xFF, "no array") if numbers is None else _COMPLEX_NUMBERS)
    return Variable(name, shape, lambda: _numbers_5(whole(), place, order, shape, numbers))


def _fields_5(begins: memoryview, place: int, order: str) -> list[str]:
    """Return the names of a struct's fields: their length comes first, then all of them, filled up with zeros."""
    try:
        _, width, place = _element(begins, place, order)
        (step,) = struct.unpack(f"{order}i", width)
        _require(step > 0)
        _, names, _ = _element(begins, place, order)
    except (ValueError, struct.error):  # broken, or longer than the beginning
        return []
    return [as_text(bytes(names[i : i + step]).partition(b"\0")[0]) for i in range(0, min(len(names), 50 * step), step)]


def _numbers_5(content: memoryview, place: int, order: str, shape: tuple[int, ...], numbers: str) -> Array:
    kind, stored, _ = _element(content, place, order)
    # Numbers are stored in the smallest type that holds them, whose smallest number is one like others.
    _require(kind in _TYPES_5 and np.can_cast(_TYPES_5[kind], numbers))
    values = np.frombuffer(stored, order + _TYPES_5[kind], len(stored) // int(_TYPES_5[kind][1]))
    _require(min(shape) >= 0 and prod(shape) == values.size and values.nbytes == len(stored))
    if values.dtype.kind == "i" and _TYPES_5[kind] != numbers and values.min(initial=0) == np.iinfo(values.dtype).min:
        require_room(values.size * np.dtype(numbers).itemsize, "an array, unpacked,", ROW_BY_ROW)
        values = values.astype(numbers)
    return values.reshape(shape, order="F")


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
