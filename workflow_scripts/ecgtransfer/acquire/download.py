"""Fetch the files of a published data set that a study needs, verified against the published checksums."""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.acquire.lengths import LIST_BYTES
from ecgtransfer.acquire.listings import READERS, Published
from ecgtransfer.acquire.manifest import (
    RECORDS_NAME,
    SUMS_NAME,
    Choice,
    belongs,
    choose_files,
    choose_listed,
    parse_sums,
    require_names_that_fit,
)
from ecgtransfer.acquire.mirrors import Mirror, open_mirror
from ecgtransfer.acquire.partial_files import forget, put_in_place
from ecgtransfer.acquire.progress import Progress
from ecgtransfer.acquire.space import full_disk_in_words
from ecgtransfer.acquire.transfer import bring, fetch_verified, part_of
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of
from ecgtransfer.locks import exclusive

logger = logging.getLogger(__name__)


def download(
    entry: Mapping[str, Any],
    mirror: str,
    folder: str | os.PathLike[str],
    limit: int | None,
    *,
    copy: str | None = None,
    streams: int = 8,
    pause: Callable[[float], object] | None = None,
) -> pd.DataFrame:
    """Fetch the records and tables of a data set into `folder`, laid out as published.

    Files that are there with the published checksum are not fetched again. SHA256SUMS.txt and RECORDS are kept too.
    One download at a time fetches from a host into the parent of `folder`, and into `folder`; others wait.

    Parameters
    ----------
    entry : mapping
        The data set's entry in ``config/datasets.yaml``; :mod:`ecgtransfer.acquire.listings` explains its keys.
    mirror : str
        ``https://physionet.org``, another web server or ``file:///folder``, each laid out like the first. Used for
        entries without `host`.
    folder : path
        Where the data set goes.
    limit : int or None
        Take that many records at most, the first ones in the order of RECORDS, or the first parts that hold them. A
        mirror that holds fewer serves what its SHA256SUMS.txt lists, with a warning in the log.
    copy : str or None
        Address of a copy of this data set: of the folder that holds its SHA256SUMS.txt. Used in place of both.
    streams : int
        Files fetched at a time: hosts limit the speed of a connection, not of a client.
    pause : callable or None
        Waits for a number of seconds between tries; None waits in truth.

    Returns
    -------
    pandas.DataFrame
        ``path`` (as published), ``bytes``, ``sha256`` of each record file and table, sorted by path.

    Raises
    ------
    InputError
        If the mirror cannot be reached or lacks a file, if an account is needed, if there is no record, if a file
        has the wrong checksum twice or is longer than listed or announced, if no folder can hold the names listed, or
        if the disk has too little room.
    """
    folder = Path(folder)
    if copy is not None:
        source = open_mirror(copy, "", streams, pause, "mirrors")
    else:
        source = open_mirror(entry.get("host", mirror), entry["path"], streams, pause)
    with ExitStack() as locks:
        for name in dict.fromkeys([source.host or folder.name, folder.name]):
            locks.enter_context(exclusive(folder.parent / f".{name}.lock"))
        with full_disk_in_words(folder):
            files, choice = _choose(entry, source, folder, limit, is_copy=copy is not None)
            require_names_that_fit(choice.files, source.address(""))
        _warn_of_fewer(source, choice, entry, limit)
        source.urls |= {file.path: file.url for file in files if file.url is not None}
        sha256 = bring(source, files, choice.archives, folder, streams)
    paths = sorted(set(choice.files) - set(choice.archives) | _members(entry, sha256, choice, source))
    sizes = [(folder / path).stat().st_size for path in paths]
    return pd.DataFrame({"path": paths, "bytes": sizes, "sha256": [sha256[path] for path in paths]})


def _choose(
    entry: Mapping[str, Any], source: Mirror, folder: Path, limit: int | None, is_copy: bool
) -> tuple[list[Published], Choice]:
    """Return which files are to be fetched."""
    address = source.address("")
    if "listing" in entry and not is_copy:
        listed = READERS[entry["listing"]](
            entry["path"], lambda path: _read_answer(source, entry["host"], path, folder)
        )
        choice = choose_listed(entry, listed, limit, address)
        return [listed[path] for path in choice.files], choice
    sums = parse_sums(_read_list(source, SUMS_NAME, {}, folder), source.address(SUMS_NAME))
    if "listing" in entry:
        choice = choose_listed(entry, sums, limit, address)
    else:
        choice = choose_files(entry, sums, lambda name: _read_list(source, name, sums, folder), limit, address)
    return [Published(path, sums[path]) for path in choice.files], choice


def _warn_of_fewer(source: Mirror, choice: Choice, entry: Mapping[str, Any], limit: int | None) -> None:
    wanted = entry.get("n_records", 0) if limit is None else limit
    if choice.n_records is not None and (choice.n_records < wanted or choice.n_unlisted):
        logger.warning(
            f"{source.address('')} serves {choice.n_records} records, {wanted or 'all'} were requested; "
            f"{choice.n_unlisted} entries of {RECORDS_NAME} are not in {SUMS_NAME}"
        )


def _members(entry: Mapping[str, Any], sha256: Mapping[str, str], choice: Choice, source: Mirror) -> set[str]:
    """Return which members of archives are tables or belong to records."""
    if not choice.archives:
        return set()
    for table in entry["tables"]:
        if table not in sha256:
            raise InputError(
                f"{source.address('')}: table {table!r} is neither listed there nor in {', '.join(choice.archives)}; "
                "check `tables` and `archives`"
            )
    members = {path for path in sha256 if belongs(path, entry, entry["suffixes"])}
    if not members - set(choice.files):
        raise InputError(
            f"{source.address('')}: no member of {', '.join(choice.archives)} under {', '.join(entry['folders'])} is "
            f"one of {', '.join(entry['suffixes'])}; check `folders` and `suffixes`"
        )
    return members | set(entry["tables"])


def _read_list(source: Mirror, name: str, sums: Mapping[str, str], folder: Path) -> str:
    """Fetch SHA256SUMS.txt or a RECORDS file and return its text."""
    target = folder / name
    if name in sums:
        if not (target.is_file() and sha256_of(target) == sums[name]):
            with _watched(source, name):
                fetch_verified(source, Published(name, sums[name]), folder)
    else:
        # Without a checksum neither what is there nor the rest of an earlier run can be trusted.
        part = part_of(target)
        forget(part)
        with _watched(source, name):
            source.fetch(name, part, LIST_BYTES)
        put_in_place(part, target)
    return target.read_text(encoding="utf-8", errors="replace")


def _watched(source: Mirror, name: str) -> AbstractContextManager[None]:
    """Log at intervals how far the fetching of a list is."""
    return Progress(source.address(name), 1, None, lambda: source.n_bytes).showing()


def _read_answer(source: Mirror, host: str, address: str, folder: Path) -> str:
    """Return what the host answers below an address; nothing of it is kept."""
    name = ".listing"
    source.urls[name] = f"{host.rstrip('/')}/{address}"
    part = part_of(folder / name)
    try:
        forget(part)
        with _watched(source, name):
            source.fetch(name, part, LIST_BYTES)
        return part.read_text(encoding="utf-8", errors="replace")
    finally:
        forget(part)
