"""Recordings in files of arrays: numpy, HDF5 and MATLAB, by the packages that users write them with."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat
from ways import NotWritable, Way

Array = NDArray[Any]
Holds = Literal["one recording", "all as rows", "all by name"]

_MATLAB_CLASSES = {
    "f8": "double", "f4": "single", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32",
    "u4": "uint32", "i8": "int64",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ArrayFormat(Way):
    """A format of arrays.

    Attributes
    ----------
    suffix
        Of its files.
    holds
        What one file holds.
    save
        Writes arrays by name; a format without names ignores them.
    array
        What the table says of the array, where files hold one; ``{}`` stands for the number of a recording.
    fortran
        Whether a file keeps the order of the axes in memory.
    """

    suffix: str
    holds: Holds
    save: Callable[[Path, Mapping[str, Array]], None]
    array: str = ""
    fortran: bool = False


def _npy(version: tuple[int, int] | None = None) -> Callable[[Path, Mapping[str, Array]], None]:
    def save(path: Path, arrays: Mapping[str, Array]) -> None:
        (array,) = arrays.values()
        with path.open("wb") as file:
            np.lib.format.write_array(file, array, version)

    return save


def _npz(path: Path, arrays: Mapping[str, Array]) -> None:
    with path.open("wb") as file:  # by its name, numpy would add a suffix
        np.savez(file, **arrays)


def _npz_compressed(path: Path, arrays: Mapping[str, Array]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _hdf5(**how: Any) -> Callable[[Path, Mapping[str, Array]], None]:
    def save(path: Path, arrays: Mapping[str, Array]) -> None:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, **how)

    return save


def _matlab(version: str, compressed: bool = False, **more: Any) -> Callable[[Path, Mapping[str, Array]], None]:
    def save(path: Path, arrays: Mapping[str, Array]) -> None:
        for array in arrays.values():
            if array.dtype.kind + str(array.dtype.itemsize) not in _MATLAB_CLASSES:
                raise NotWritable("MATLAB has no such numbers")
            if version == "4" and (array.ndim > 2 or (array.dtype.itemsize == 8 and array.dtype.kind == "i")):
                raise NotWritable("version 4 has no such arrays")
        native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
        with path.open("wb") as file:
            savemat(file, {**native, **more}, format=version, do_compression=compressed)

    return save


def _matlab_4_of_a_workstation(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write version 4 with the high byte first, as workstations did; scipy does not."""
    types = {"f8": 0, "f4": 1, "i4": 2, "i2": 3, "u2": 4, "u1": 5}
    content = b""
    for name, array in arrays.items():
        kind = types.get(array.dtype.kind + str(array.dtype.itemsize))
        if kind is None or array.ndim > 2:
            raise NotWritable("version 4 has no such arrays")
        content += struct.pack(">5i", 1000 + 10 * kind, *array.shape, 0, len(name) + 1) + name.encode() + b"\0"
        content += array.astype(array.dtype.newbyteorder(">")).tobytes(order="F")
    path.write_bytes(content)


def _matlab_73(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write what MATLAB saves as version 7.3: HDF5 behind 512 bytes, the axes from last to first."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            known = _MATLAB_CLASSES.get(array.dtype.kind + str(array.dtype.itemsize))
            if known is None:
                raise NotWritable("MATLAB has no such numbers")
            dataset = file.create_dataset(name, data=array.T)
            dataset.attrs["MATLAB_class"] = np.bytes_(known)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  2 10:00:00 2020 HDF5 schema 1.00 ."
    with path.open("r+b") as file:
        file.write(header.ljust(116) + bytes(8) + b"\x00\x02IM")


def _with_a_rate(save: Callable[[Path, Mapping[str, Array]], None]) -> Callable[[Path, Mapping[str, Array]], None]:
    return lambda path, arrays: save(path, {**arrays, "fs": np.array([[100.0]])})


def _in_a_struct(path: Path, arrays: Mapping[str, Array]) -> None:
    with path.open("wb") as file:
        savemat(file, {"ECG": {"fs": 100.0, **arrays}})


def _of_text(path: Path, arrays: Mapping[str, Array]) -> None:
    _npy()(path, {name: array.astype("U8") for name, array in arrays.items()})


def _of_objects(path: Path, arrays: Mapping[str, Array]) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array([*arrays.values(), None], dtype=object))


EACH: Holds = "one recording"
ROWS: Holds = "all as rows"
NAMED: Holds = "all by name"

ARRAY_FORMATS = {
    "npy": ArrayFormat(suffix=".npy", holds=EACH, save=_npy(), fortran=True),
    "npy of version 2": ArrayFormat(suffix=".npy", holds=EACH, save=_npy((2, 0)), fortran=True),
    "npy of version 3": ArrayFormat(suffix=".npy", holds=EACH, save=_npy((3, 0)), fortran=True),
    "npy for all": ArrayFormat(suffix=".npy", holds=ROWS, save=_npy(), fortran=True),
    "npz": ArrayFormat(suffix=".npz", holds=EACH, save=_npz, fortran=True),
    "npz, compressed": ArrayFormat(suffix=".npz", holds=EACH, save=_npz_compressed, fortran=True),
    "npz with more than the signal": ArrayFormat(suffix=".npz", holds=EACH, save=_with_a_rate(_npz), array="val"),
    "npz for all by name": ArrayFormat(suffix=".npz", holds=NAMED, save=_npz, array="ecg {}", fortran=True),
    "npz for all by number": ArrayFormat(suffix=".npz", holds=NAMED, save=_npz, array="{}", fortran=True),
    "npz for all as rows": ArrayFormat(suffix=".npz", holds=ROWS, save=_npz, fortran=True),
    "hdf5": ArrayFormat(suffix=".h5", holds=EACH, save=_hdf5()),
    "hdf5, in a group": ArrayFormat(suffix=".hdf5", holds=EACH, save=_hdf5(), array="patients/1/ecg"),
    "hdf5, with a slash first": ArrayFormat(suffix=".h5", holds=EACH, save=_hdf5(), array="/ecg"),
    "hdf5, compressed": ArrayFormat(suffix=".h5", holds=EACH, save=_hdf5(compression="gzip", shuffle=True)),
    "hdf5 for all by name": ArrayFormat(suffix=".h5", holds=NAMED, save=_hdf5(), array="EKG Nr. {}"),
    "hdf5 for all as rows": ArrayFormat(suffix=".h5", holds=ROWS, save=_hdf5(), array="tracings"),
    "hdf5 for all, unnamed": ArrayFormat(suffix=".hdf5", holds=ROWS, save=_hdf5(chunks=True)),
    "matlab 4": ArrayFormat(suffix=".mat", holds=EACH, save=_matlab("4")),
    "matlab 4 of a workstation": ArrayFormat(suffix=".mat", holds=EACH, save=_matlab_4_of_a_workstation),
    "matlab 4 for all by name": ArrayFormat(suffix=".mat", holds=NAMED, save=_matlab("4"), array="x{}"),
    "matlab 5": ArrayFormat(suffix=".mat", holds=EACH, save=_matlab("5")),
    "matlab 5 with more than the signal": ArrayFormat(
        suffix=".mat", holds=EACH, save=_with_a_rate(_matlab("5")), array="val"
    ),
    "matlab 5 for all as rows": ArrayFormat(suffix=".mat", holds=ROWS, save=_matlab("5"), array="val"),
    "matlab 5 for all by name": ArrayFormat(suffix=".mat", holds=NAMED, save=_matlab("5"), array="ecg_{}"),
    "matlab 7": ArrayFormat(suffix=".mat", holds=EACH, save=_matlab("5", compressed=True)),
    "matlab 7 for all as rows": ArrayFormat(suffix=".mat", holds=ROWS, save=_matlab("5", compressed=True)),
    "matlab 7.3": ArrayFormat(suffix=".mat", holds=EACH, save=_matlab_73),
    "matlab 7.3 for all as rows": ArrayFormat(suffix=".mat", holds=ROWS, save=_matlab_73),
    "matlab 7.3 for all by name": ArrayFormat(suffix=".mat", holds=NAMED, save=_matlab_73, array="ecg_{}"),
    "npz, unsaid which array": ArrayFormat(
        suffix=".npz", holds=EACH, save=_with_a_rate(_npz), refused=r"name one of its arrays: .*'fs'"
    ),
    "matlab struct": ArrayFormat(
        suffix=".mat", holds=EACH, save=_in_a_struct, refused=r"'ECG', a struct with the fields fs"
    ),
    "npy of text": ArrayFormat(suffix=".npy", holds=EACH, save=_of_text, refused=r"<U8 are not numbers"),
    "npy of objects": ArrayFormat(suffix=".npy", holds=EACH, save=_of_objects, refused=r"object"),
}  # fmt: skip
