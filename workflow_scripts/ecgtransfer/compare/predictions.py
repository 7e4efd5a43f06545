"""Predictions of many cells, each read when it is needed: together they need not fit into memory."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from ecgtransfer.compare.scores import load_arrays

Arrays = Mapping[str, NDArray[Any]]
Key = TypeVar("Key")
Meeting = tuple[str, str, str]
"""A target, a model and a source."""
FilePath = str | os.PathLike[str]


class OnDemand(Mapping[Key, Arrays]):
    """The arrays of files by what they are about, each read whenever it is requested.

    Parameters
    ----------
    paths
        The files.
    read
        What reads one, such as `ecgtransfer.compare.scores.load_predictions`.
    """

    def __init__(self, paths: Mapping[Key, FilePath], read: Callable[[FilePath], Arrays]) -> None:
        self._paths, self._read = paths, read

    def __getitem__(self, key: Key) -> Arrays:
        return self._read(self._paths[key])

    def __iter__(self) -> Iterator[Key]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def load_source_predictions(path: FilePath) -> Arrays:
    """Read what the model of a source predicts for a target; InputError if an array is missing."""
    return load_arrays(path, ("record_id", "labels", "probability"))
