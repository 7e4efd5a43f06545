"""Names of files that are the same to their reader: in another Unicode normalisation, or with a suffix in capitals.

Disks and programs of different makers write ``é`` as one character or as two, and ``.hea`` as ``.HEA``.
"""

import os
import unicodedata
from functools import lru_cache
from pathlib import Path


def alike(name: str) -> str:
    """Return what names have in common that are the same to their reader."""
    stem, dot, suffix = unicodedata.normalize("NFC", name).rpartition(".")
    return f"{stem}.{suffix.lower()}" if dot else suffix


def names_in(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the names in a folder by what they have in common with others (`alike`); none if it cannot be read."""
    try:
        return {alike(name): name for name in sorted(os.listdir(folder), reverse=True)}  # noqa: PTH208
    except OSError:
        return {}


def is_file(path: Path) -> bool:
    """Tell whether there is such a file, whatever the name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def is_folder(path: Path) -> bool:
    """Tell whether there is such a folder, whatever the name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def found_beside(path: str) -> str:
    """Return the path of a file whose name is the same to its reader, `path` itself where there is none."""
    folder, slash, name = path.rpartition("/")
    try:
        changed_ns = os.stat(folder or ".").st_mtime_ns  # noqa: PTH116 - a Path costs more
    except (OSError, ValueError):
        return path
    return folder + slash + _names_then(folder or ".", changed_ns).get(alike(name), name)


@lru_cache(maxsize=16)
def _names_then(folder: str, _changed_ns: int) -> dict[str, str]:
    return names_in(folder)
