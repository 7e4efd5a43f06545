"""What lies in a folder of your own: the files that its table names, with their checksums."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ecgtransfer.acquire.own_table import file_in_folder, rows_of
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of

logger = logging.getLogger(__name__)

COLUMNS = ["path", "bytes", "sha256"]


def inventory(
    entry: Mapping[str, Any], signal_files: Callable[[Path], Iterable[str]], n_threads: int = 1
) -> pd.DataFrame:
    """Return ``path, bytes, sha256`` of the files that a table of your own names, sorted by path.

    A WFDB header stands for its signal files, too. Files are read where they lie. A file that is missing is counted in
    the log and listed with neither size nor checksum, so that its coming is noticed; its rows are rejected, with the
    reason, when the records are described.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``: `folder`, `table` and, if need be, `columns`.
    signal_files
        Returns the files that a WFDB header names, relative to its folder.
    n_threads
        Files read at a time.

    Raises
    ------
    InputError
        If the folder or the table cannot be read, or no file that the table names is there.
    """
    folder = Path(entry["folder"])
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; mend `folder` in the section `own`")
    named = list(dict.fromkeys(_files_named(entry)))
    there = [path for path in named if _is_file(folder / path)]
    if not there:
        first = f", the first is {named[0][:80]!r}" if named else ""
        raise InputError(
            f"{folder}: none of the {len(named)} files that {entry['table']} names is there{first}; "
            "mend `folder`, `table` or the column of files in the section `own`"
        )
    if len(there) < len(named):
        logger.warning(f"{folder}: {len(named) - len(there)} of the {len(named)} files of the table are missing")
    paths = sorted({*named, *_beside_headers(folder, there, signal_files)})
    with ThreadPoolExecutor(n_threads) as pool:
        rows = list(pool.map(lambda path: _row(folder, path), paths))
    return pd.DataFrame(rows, columns=COLUMNS)


def _files_named(entry: Mapping[str, Any]) -> Iterator[str]:
    for row in rows_of(entry):
        try:
            yield file_in_folder(row["file"])
        except InputError:
            continue  # rejected, with this reason, when the records are described


def _beside_headers(folder: Path, paths: Iterable[str], signal_files: Callable[[Path], Iterable[str]]) -> Iterator[str]:
    """Yield the signal files of the WFDB headers among `paths`."""
    for path in paths:
        if path.endswith(".hea"):
            yield from (str(PurePosixPath(path).parent / name) for name in signal_files(folder / path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _row(folder: Path, path: str) -> tuple[str, int | str, str]:
    if not _is_file(folder / path):
        return path, "", ""
    try:
        return path, (folder / path).stat().st_size, sha256_of(folder / path)
    except OSError as error:
        raise InputError(f"{folder / path}: cannot be read ({error.strerror}); mend its permissions") from error
