"""What is in a folder of your own: the files that its table names, with their checksums."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ecgtransfer.acquire.own_files import OwnFiles, on_disk
from ecgtransfer.acquire.own_table import rows_of
from ecgtransfer.errors import InputError
from ecgtransfer.file_names import is_file, is_folder, is_header
from ecgtransfer.files import sha256_of
from ecgtransfer.system_errors import in_words, stop_if_it_may_pass

logger = logging.getLogger(__name__)

COLUMNS = ["path", "bytes", "sha256"]


def inventory(
    entry: Mapping[str, Any], signal_files: Callable[[Path], Iterable[str]], n_threads: int = 1
) -> pd.DataFrame:
    """Return ``path, bytes, sha256`` of the files that a table of your own names, sorted by path.

    A WFDB header includes its signal files. Files are read in place. A file that is missing is counted in
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
    NotJustNow
        If the system does not let read a file just now, which may be there.
    """
    folder = Path(entry["folder"])
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder; fix `folder` in the section `own`")
    named, refused = _files_named(entry, folder)
    there = [path for path in named if is_file(folder / path)]
    if not there:
        raise InputError(_nothing_there(entry, folder, named, refused))
    if len(there) < len(named):
        logger.warning(f"{folder}: {len(named) - len(there)} of the {len(named)} files of the table are missing")
    paths = sorted({*named, *_beside_headers(folder, there, signal_files)})
    with ThreadPoolExecutor(n_threads) as pool:
        rows = list(pool.map(lambda path: _row(folder, path), paths))
    return pd.DataFrame(rows, columns=COLUMNS)


def _files_named(entry: Mapping[str, Any], folder: Path) -> tuple[list[str], list[str]]:
    """Return the files that the table names, each once, and of the rows that name none, why."""
    files = OwnFiles(folder, on_disk(folder))
    named: dict[str, None] = {}
    refused: list[str] = []
    for row in rows_of(entry):
        try:
            named[files.meant(row["file"])] = None
        except InputError as error:  # such a row is rejected, with this reason, when the records are described
            refused.append(str(error))
    return list(named), refused


def _nothing_there(entry: Mapping[str, Any], folder: Path, named: list[str], refused: list[str]) -> str:
    """Return the message where no file that the table names can be read."""
    table = entry["table"]
    if not named and not refused:
        return f"{table}: has no rows, expected one per recording; fix the table"
    remedy = "fix `folder`, `table` or the column of files in the section `own`"
    if not named:
        return f"{folder}: none of the {len(refused)} rows of {table} names a file, the first: {refused[0]}; {remedy}"
    first = f"the first is {named[0][:80]!r}"
    if is_file(folder.parent / named[0]):
        first += f", which is there as seen from {folder.parent}"
    others = f"; rows that name no file: {len(refused)}, the first: {refused[0]}" if refused else ""
    return f"{folder}: none of the {len(named)} files that {table} names is there, {first}{others}; {remedy}"


def _beside_headers(folder: Path, paths: Iterable[str], signal_files: Callable[[Path], Iterable[str]]) -> Iterator[str]:
    """Yield the signal files of the WFDB headers among `paths`."""
    for path in paths:
        if is_header(path):
            yield from (str(PurePosixPath(path).parent / name) for name in signal_files(folder / path))


def _row(folder: Path, path: str) -> tuple[str, int | str, str]:
    if not is_file(folder / path):
        return path, "", ""
    try:
        return path, (folder / path).stat().st_size, sha256_of(folder / path)
    except OSError as error:
        stop_if_it_may_pass(error, folder / path)
        line = in_words(error, folder / path)
        raise InputError(line or f"{folder / path}: cannot be read ({error.strerror}); check what is there") from error
