"""Names of files that are the same to their reader: in another Unicode normalisation, or with a suffix in capitals.

Disks and programs of different makers write ``é`` as one character or as two, and ``.hea`` as ``.HEA``.
"""

import os
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path

from ecgtransfer.system_errors import stop_if_it_may_pass


def alike(name: str) -> str:
    """Return what names have in common that are the same to their reader."""
    stem, dot, suffix = unicodedata.normalize("NFC", name).rpartition(".")
    return f"{stem}.{suffix.lower()}" if dot else suffix


def is_header(path: str) -> bool:
    """Return whether a file is a WFDB header by its name."""
    return path[-4:].lower() == ".hea"


def names_in(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the names in a folder by what they have in common with others (`alike`); none if it cannot be read.

    Raises
    ------
    NotJustNow
        If it may be there, but the system cannot check just now.
    """
    try:
        return {alike(name): name for name in sorted(os.listdir(folder), reverse=True)}  # noqa: PTH208
    except OSError as error:
        stop_if_it_may_pass(error, folder)
        return {}


def is_file(path: Path) -> bool:
    """Return whether there is such a file, whatever the name. It raises as `names_in`.

    Raises
    ------
    PermissionError
        If it is where nobody may look: that does not mean that it is missing.
    """
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether there is such a folder, whatever the name; as `is_file`."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - what Path.is_file lets through depends on the version of Python
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # a name that is too long, or has a NUL
        stop_if_it_may_pass(error, path)
        return 0


def found_beside(path: str) -> str:
    """Return the path of a file whose name is the same to its reader, `path` itself where there is none.

    It raises as `names_in`.
    """
    folder, slash, name = path.rpartition("/")
    try:
        changed_ns = os.stat(folder or ".").st_mtime_ns  # noqa: PTH116 - a Path costs more
    except (OSError, ValueError) as error:
        stop_if_it_may_pass(error, path)
        return path
    return folder + slash + _names_then(folder or ".", changed_ns).get(alike(name), name)


@lru_cache(maxsize=16)
def _names_then(folder: str, _changed_ns: int) -> dict[str, str]:
    return names_in(folder)
