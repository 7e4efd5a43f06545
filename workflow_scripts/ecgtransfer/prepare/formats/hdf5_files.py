"""Recordings in HDF5: one dataset per recording, or one of shape (recordings, samples, leads).

MATLAB writes its files of version 7.3 as HDF5 and with the axes of every array in reverse: what it calls (140, 12, 300)
is there as (300, 12, 140). Such an array is returned as in MATLAB.
"""

import threading
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgtransfer.prepare.formats.memory import LARGEST, require_room
from ecgtransfer.prepare.formats.twelve_leads import a_struct, chosen_name

HDF5_BEGINS = b"\x89HDF\r\n\x1a\n"

_CLASS = b"MATLAB_class"
"""The attribute of a dataset by which MATLAB declares its type."""

_LARGEST_RATIO = 1100
"""What deflate can reach; a dataset that claims more samples for its bytes is broken."""

_held = threading.local()


class AsMatlabHasIt:
    """A dataset with its axes in reverse, to be read whole or by row.

    A row goes through the whole of what is stored, so that a part of all rows is read at a time and kept.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.shape: tuple[int, ...] = dataset.shape[::-1]
        self.dtype: np.dtype[Any] = dataset.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self._dataset[()].T, dtype=dtype)

    def __getitem__(self, row: int) -> npt.NDArray[Any]:
        name, first, rows = _held.rows or ("", 0, np.empty(0))
        if name != self._dataset.name or not first <= row < first + len(rows):
            _held.rows = None  # before as many are read again
            n_rows = max(1, LARGEST // max(1, self.dtype.itemsize * prod(self.shape[1:])))
            first = row // n_rows * n_rows
            rows = self._dataset[..., first : first + n_rows].T
            _held.rows = self._dataset.name, first, rows
        found: npt.NDArray[Any] = rows[row - first]
        return found


def open_hdf5(path: str, name: str, of_matlab: bool = False) -> Any:
    """Return a dataset, to be read whole or by row; the name may be left out where there is only one.

    Whether MATLAB wrote it is known from the dataset or, where the beginning of the file tells, from `of_matlab`.
    """
    import h5py  # type: ignore[import-untyped] # takes a while, and few data sets are HDF5

    dataset = _dataset(path, name)
    chunk = dataset.chunks or (1,)
    n_values = max(int(np.prod(shape, dtype=object)) for shape in (dataset.shape, chunk))
    if n_values * dataset.dtype.itemsize > _LARGEST_RATIO * dataset.id.get_storage_size():
        raise ValueError(f"the dataset is broken, its shape {dataset.shape} is more than it stores")
    require_room(
        dataset.dtype.itemsize * prod(chunk),
        f"a chunk of dataset {dataset.name[:40]!r}",
        "save it in chunks of one recording",
    )
    return AsMatlabHasIt(dataset) if of_matlab or h5py.h5a.exists(dataset.id, _CLASS) else dataset


def _dataset(path: str, name: str) -> Any:
    file = _opened(path)
    dataset = _named(file, name) if name else _only_one(file)
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"dataset {dataset.name.strip('/')!r} keeps its samples in another file")
    return dataset


def _named(file: Any, name: str) -> Any:
    dataset = _followed(file, name)
    what = _not_numbers(dataset)
    if what:
        chosen_name(name, (), {name: what})
    if not _has_numbers(dataset):
        raise ValueError(f"{name!r} is not a dataset of numbers")
    return dataset


def _only_one(file: Any) -> Any:
    """Return the only dataset of numbers outside groups, else the only one."""
    import h5py

    found: dict[str, Any] = {}
    others: dict[str, str] = {}

    def look(name: str, item: Any) -> None:
        if name.startswith("#") or name.partition("/")[0] in others:
            return  # where MATLAB keeps what structs and cell arrays hold
        what = _not_numbers(item)
        if what:
            others[name] = what
        elif _has_numbers(item):
            found[name] = item

    def only_single_numbers() -> bool:
        return all(prod(item.shape) <= 1 for item in found.values())

    for name in file:
        if isinstance(file.get(name, getlink=True), h5py.HardLink):
            look(name, file[name])
    if only_single_numbers():
        found.clear()
        file.visititems(look)
        if others and only_single_numbers():
            found.clear()  # a rate or the like: what else the file holds is more to the point
    return found[chosen_name("", list(found), others)]


def _has_numbers(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.shape is not None


def _not_numbers(item: Any) -> str:
    """Return what an object of MATLAB's is, if not an array of real numbers; of plain HDF5, nothing."""
    import h5py

    if not h5py.h5a.exists(item.id, _CLASS):
        return ""
    written = item.attrs[_CLASS.decode()]
    kind = written.decode("latin-1") if isinstance(written, bytes) else str(written)
    if "MATLAB_sparse" in item.attrs:
        return "a sparse array"
    if isinstance(item, h5py.Group):
        return a_struct(list(item)) if kind == "struct" else "an object"
    if kind in ("cell", "char"):
        return {"cell": "a cell array", "char": "text"}[kind]
    if "MATLAB_empty" in item.attrs:
        return "an empty array"
    return "" if item.dtype.kind in "iuf" else "an array of complex numbers" if item.dtype.kind == "V" else "an object"


def _followed(file: Any, name: str) -> Any:
    """Return what a name refers to; links into other files are not followed."""
    import h5py

    group = file
    for part in name.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or part not in group:
            there = ", ".join(repr(other[:30]) for other in list(group)[:8]) if isinstance(group, h5py.Group) else ""
            raise ValueError(f"there is no dataset {name[:40]!r}{', only ' if there else ''}{there}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r} is a link")
        group = group[part]
    return group


def _opened(path: str) -> Any:
    """Return an open file; it stays open until another is requested or it has changed.

    Opening costs as much as reading a recording, and a file may hold thousands.
    """
    import h5py

    status = Path(path).stat()
    wanted = (path, status.st_ino, status.st_mtime_ns, status.st_size)
    if getattr(_held, "identity", None) != wanted:
        if hasattr(_held, "file"):
            _held.identity = None
            _held.file.close()  # first: HDF5 would hand out the old state of a file that is still open
        _held.rows = None
        _held.file = h5py.File(path, "r")
        _held.identity = wanted
    return _held.file
