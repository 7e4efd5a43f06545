"""Which file in a folder of your own a cell of its table means, however it is spelled."""

import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from ecgtransfer.errors import InputError
from ecgtransfer.file_names import alike, is_file, is_folder, names_in

SUFFIXES = (".hea", ".h5", ".hdf5", ".npy", ".npz", ".csv", ".mat")

Find = Callable[[str], str | None]
"""Takes a path within the folder and returns that of the file that is there under this name, or one like it."""


class OwnFiles:
    """The files of a folder by the cells of its table.

    A cell may name a file within the folder or by its absolute path, with slashes of Unix or of Windows, and a WFDB
    record without its suffix.
    """

    def __init__(self, folder: Path, find: Find) -> None:
        self._find = find
        self._real_folder = os.path.realpath(folder)
        self._folders = list(dict.fromkeys([str(folder), os.path.abspath(folder), self._real_folder]))  # noqa: PTH100
        self._known: dict[str, str] = {}

    def meant(self, cell: str) -> str:
        """Return the file that a cell means, relative to the folder; where none is there, the one that is missing.

        Raises
        ------
        InputError
            If the cell is empty, leads out of the folder, or names a file of a format that is not read.
        """
        if cell not in self._known:
            self._known[cell] = self._meant(cell)
        return self._known[cell]

    def _meant(self, cell: str) -> str:
        if not cell:
            raise InputError("the cell of the file is empty")
        if "#" in cell:
            raise InputError(
                f"file {cell[:80]!r} has a '#' in its name; rename it, or name array and row in columns of their own"
            )
        if "\\" in cell and not self._find(cell):
            if PureWindowsPath(cell).drive:
                raise InputError(
                    f"file {cell[:80]!r} is a path of another computer; write it relative to the folder of the data set"
                )
            cell = cell.replace("\\", "/")
        path = self._within(cell)
        suffix = PurePosixPath(path).suffix
        if suffix.lower() in SUFFIXES:
            return self._find(path) or path
        header = (path[: -len(suffix)] if suffix.lower() == ".dat" else path) + ".hea"
        found = self._find(header)
        if found is None and suffix.lower() != ".dat" and re.search("[a-zA-Z]", suffix):
            raise InputError(
                f"file {cell[:80]!r} is of a format that is not read, those that are have the suffix"
                f" {', '.join(SUFFIXES)}; convert it (of a WFDB record, {PurePosixPath(header).name[-80:]} is missing)"
            )
        return found or header

    def _within(self, cell: str) -> str:
        """Return a path relative to the folder."""
        path = PurePosixPath(re.sub("//+", "/", cell))
        if path.is_absolute() and ".." not in path.parts:
            below = [folder for folder in self._folders if path.is_relative_to(folder)]
            if below:
                path = path.relative_to(below[0])
            elif PurePosixPath(os.path.realpath(path.parent)).is_relative_to(self._real_folder):
                path = PurePosixPath(os.path.realpath(path.parent), path.name).relative_to(self._real_folder)
        if not path.name or path.is_absolute() or ".." in path.parts:
            raise InputError(f"file {cell[:80]!r} is not a path within the folder of the data set")
        return str(path)


def on_disk(folder: Path) -> Find:
    """Return what finds files in a folder."""
    listed: dict[str, dict[str, str]] = {}

    def like(place: str, name: str) -> str | None:
        if place not in listed:
            listed[place] = names_in(folder / place)
        return listed[place].get(alike(name))

    def find(path: str) -> str | None:
        if is_file(folder / path):
            return path
        found = PurePosixPath()
        for part in PurePosixPath(path).parts:
            name = part if is_folder(folder / found / part) else like(str(found), part)
            if name is None:
                return None
            found /= name
        return str(found) if is_file(folder / found) else None

    return find


def among(paths: Iterable[str]) -> Find:
    """Return what finds files among those listed."""
    there = dict.fromkeys(paths)

    @cache
    def by_alike() -> dict[str, str]:
        return {_all_alike(path): path for path in reversed(there)}

    return lambda path: path if path in there else by_alike().get(_all_alike(path))


def _all_alike(path: str) -> str:
    return "/".join(map(alike, path.split("/")))


def linked_out(folder: Path, paths: Iterable[str]) -> int:
    """Return how many files of a folder are links that leave it, or lie behind such a link."""
    root = os.path.realpath(folder)
    real: dict[PurePosixPath, str] = {}
    n_outside = 0
    for path in map(PurePosixPath, paths):
        if path.parent not in real:
            real[path.parent] = os.path.realpath(f"{root}/{path.parent}")
        file = f"{real[path.parent]}/{path.name}"
        if os.path.islink(file):  # noqa: PTH114 - a Path costs more than the look
            file = os.path.realpath(file)
        n_outside += not file.startswith(f"{root}/")
    return n_outside
