"""Recordings in HDF5: one dataset per recording, or one of shape (recordings, samples, leads)."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from ecgtransfer.prepare.formats.twelve_leads import chosen_name

_LARGEST_RATIO = 1100
"""What deflate can reach; a dataset that claims more samples for its bytes is broken."""

_held = threading.local()


def open_hdf5(path: str, name: str) -> Any:
    """Return a dataset, to be read whole or by row; the name may be left out where there is only one."""
    dataset = _dataset(path, name)
    n_values = max(int(np.prod(shape, dtype=object)) for shape in (dataset.shape, dataset.chunks or (1,)))
    if n_values * dataset.dtype.itemsize > _LARGEST_RATIO * dataset.id.get_storage_size():
        raise ValueError(f"the dataset is broken, its shape {dataset.shape} is more than it stores")
    return dataset


def _dataset(path: str, name: str) -> Any:
    import h5py  # type: ignore[import-untyped] # takes a while, and few data sets are HDF5

    file = _opened(path)
    chosen = name or chosen_name("", [key for key in file if file.get(key, getclass=True) is h5py.Dataset])
    dataset = _followed(file, chosen)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "iuf":
        raise ValueError(f"{chosen!r} is no dataset of numbers")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"dataset {chosen!r} keeps its samples in another file")
    return dataset


def _followed(file: Any, name: str) -> Any:
    """Return what a name stands for; links into other files are not followed."""
    import h5py

    group = file
    for part in name.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or part not in group:
            raise ValueError(f"there is no dataset {name!r}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r} is a link")
        group = group[part]
    return group


def _opened(path: str) -> Any:
    """Return an open file; it stays open until another is asked for or it has changed.

    Opening costs as much as reading a recording, and a file may hold thousands.
    """
    import h5py

    status = Path(path).stat()
    wanted = (path, status.st_ino, status.st_mtime_ns, status.st_size)
    if getattr(_held, "identity", None) != wanted:
        if hasattr(_held, "file"):
            _held.identity = None
            _held.file.close()  # first: HDF5 would hand out the old state of a file that is still open
        _held.file = h5py.File(path, "r")
        _held.identity = wanted
    return _held.file
