"""MATLAB files of version 7.3 as MATLAB writes them, through h5py: a block of text first, and axes in reverse."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

_CLASSES = {
    "f8": "double", "f4": "single", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8",
    "u2": "uint16",
}  # fmt: skip


def write_mat_7_3(path: Path, **variables: object) -> None:
    """Write arrays as they are in MATLAB; a text is a char array, a dictionary a struct, a list a cell array."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _write(file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 .")
        file.seek(508)
        file.write(b"\0\2IM")


def _write(place: h5py.Group, name: str, value: object) -> None:
    if isinstance(value, dict):
        item = place.create_group(name)
        for field, held in value.items():
            _write(item, field, held)
        kind = "struct"
    elif isinstance(value, list):
        held = place.file.require_group("#refs#")
        for i, one in enumerate(value):
            _write(held, f"{name}{i}", one)
        references = np.array([[held[f"{name}{i}"].ref] for i in range(len(value))], dtype=h5py.ref_dtype)
        item, kind = place.create_dataset(name, data=references), "cell"
    elif isinstance(value, str):
        item, kind = place.create_dataset(name, data=np.array([[ord(letter)] for letter in value], "u2")), "char"
    else:
        array = np.atleast_2d(np.asarray(value))
        item, kind = _dataset(place, name, array), _CLASSES.get(array.dtype.str[1:], "double")
    item.attrs["MATLAB_class"] = np.bytes_(kind)


def _dataset(place: h5py.Group, name: str, array: npt.NDArray) -> h5py.Dataset:
    if np.iscomplexobj(array):
        parts = np.empty(array.T.shape, dtype=[("real", "f8"), ("imag", "f8")])
        parts["real"], parts["imag"] = array.T.real, array.T.imag
        return place.create_dataset(name, data=parts)
    return place.create_dataset(name, data=array.T, chunks=tuple(min(size, 20) for size in array.T.shape))
