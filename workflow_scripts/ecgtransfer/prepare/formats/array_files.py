"""Recordings in numpy files: ``.npy``, one or many recordings, and ``.npz``, an archive of named arrays."""

import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgtransfer.prepare.formats.memory import ROW_BY_ROW, require_room
from ecgtransfer.prepare.formats.twelve_leads import chosen_name

_LARGEST_RATIO = 1100
"""Deflate compresses to no less than a thousandth; a member that claims more is broken."""


def open_npy(path: str) -> npt.NDArray[Any]:
    """Return the array mapped into memory, so that one of many recordings costs no more than itself."""
    return np.lib.format.open_memmap(path, mode="r")


def open_npz(path: str, name: str) -> npt.NDArray[Any]:
    """Return a named array of an archive; the name may be left out where there is only one."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        member = members[chosen_name(name, list(members))]
        with archive.open(member) as file:
            shape, _, dtype = _npy_header(file)
            expected = file.tell() + dtype.itemsize * int(np.prod(shape, dtype=object))
        if dtype.hasobject:
            raise ValueError("array holds Python objects, expected numbers")
        if member.file_size != expected or expected > _LARGEST_RATIO * member.compress_size:
            raise ValueError(f"array is broken, {member.file_size} bytes in place of {expected}")
        require_room(expected, f"array {member.filename.removesuffix('.npy')[:30]!r}", ROW_BY_ROW)
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def _npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)
