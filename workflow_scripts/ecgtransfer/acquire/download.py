"""Fetch the files of a published data set and verify them: resumable, several at a time.

A file is gathered in ``<name>.part`` and moved into place once its SHA-256 is the published one, so a file under its
own name is always whole. A killed download goes on where its ``.part`` ends.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.acquire.manifest import RECORDS_NAME, SUMS_NAME, choose_files, parse_sums
from ecgtransfer.acquire.mirrors import Mirror, open_mirror
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of

PROGRESS_SECONDS = 5.0

logger = logging.getLogger(__name__)


def download(
    entry: Mapping[str, Any],
    mirror: str,
    folder: str | os.PathLike[str],
    limit: int | None,
    *,
    streams: int = 8,
    pause: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Fetch the records and tables of a data set into `folder`, laid out as published.

    Files that are there with the published SHA-256 are not fetched again. SHA256SUMS.txt and RECORDS are kept too.

    Parameters
    ----------
    entry : mapping
        The data set's entry in ``config/datasets.yaml``: `path`, `folders`, `suffixes`, `tables`, `n_records`.
    mirror : str
        ``https://physionet.org``, another web server or ``file:///folder``, each laid out like the first.
    folder : path
        Where the data set goes.
    limit : int or None
        Take that many records at most, the first ones in the order of RECORDS. A mirror that holds fewer serves what
        its SHA256SUMS.txt lists, with a warning in the log.
    streams : int
        Files fetched at a time: hosts limit the speed of a connection, not of a client.
    pause : callable
        Waits for a number of seconds between tries.

    Returns
    -------
    pandas.DataFrame
        ``path`` (as published), ``bytes``, ``sha256`` of each record file and table, sorted by path.

    Raises
    ------
    InputError
        If the mirror cannot be reached or lacks a file, if an account is needed, if there is no record, or if a file
        has the wrong checksum twice.
    """
    folder = Path(folder)
    source = open_mirror(mirror, entry["path"], streams, pause)
    sums = parse_sums(_read_list(source, SUMS_NAME, {}, folder), source.address(SUMS_NAME))
    choice = choose_files(entry, sums, lambda name: _read_list(source, name, sums, folder), limit, source.address(""))
    wanted = entry.get("n_records", 0) if limit is None else limit
    if choice.n_records < wanted or choice.n_unlisted:
        logger.warning(
            f"{source.address('')} serves {choice.n_records} records, {wanted or 'all'} were asked for; "
            f"{choice.n_unlisted} entries of {RECORDS_NAME} are not in {SUMS_NAME}"
        )
    _fetch_all(source, {path: sums[path] for path in choice.files}, folder, streams)
    sizes = [(folder / path).stat().st_size for path in choice.files]
    return pd.DataFrame({"path": choice.files, "bytes": sizes, "sha256": [sums[path] for path in choice.files]})


def _read_list(source: Mirror, name: str, sums: Mapping[str, str], folder: Path) -> str:
    """Fetch SHA256SUMS.txt or a RECORDS file and return its text."""
    if name in sums:
        _fetch_verified(source, name, sums[name], folder)
    else:
        # Without a checksum neither what is there nor the rest of an earlier run can be trusted.
        part = _part_of(folder / name)
        part.unlink(missing_ok=True)
        source.fetch(name, part)
        part.replace(folder / name)
    return (folder / name).read_text(encoding="utf-8", errors="replace")


def _part_of(target: Path) -> Path:
    """Return where a file is gathered until it is verified; the folder is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(target.name + ".part")


def _fetch_verified(source: Mirror, path: str, sha256: str, folder: Path) -> bool:
    """Bring a file into `folder`; return whether it had to be fetched."""
    target = folder / path
    if target.is_file() and sha256_of(target) == sha256:
        return False
    part = _part_of(target)
    for _ in range(2):
        if not (part.exists() and sha256_of(part) == sha256):
            source.fetch(path, part)
        found = sha256_of(part)
        if found == sha256:
            part.replace(target)
            return True
        part.unlink()
    raise InputError(
        f"{source.address(path)}: sha256 is {found}, {SUMS_NAME} says {sha256}; the file there is damaged or of "
        "another version: run again later or set another `mirror`"
    )


def _fetch_all(source: Mirror, wanted: Mapping[str, str], folder: Path, streams: int) -> None:
    """Bring the files of `wanted` (path -> sha256) into `folder`, several at a time; the first error ends it."""
    begin, bytes_before, n_fetched = time.monotonic(), source.n_bytes, 0
    pool = ThreadPoolExecutor(streams)
    try:
        pending = {pool.submit(_fetch_verified, source, path, sha256, folder) for path, sha256 in wanted.items()}
        while pending:
            done, pending = wait(pending, PROGRESS_SECONDS, FIRST_EXCEPTION)
            n_fetched += sum(future.result() for future in done)
            seconds, megabytes = time.monotonic() - begin, (source.n_bytes - bytes_before) / 1e6
            line = (
                f"{source.address('')}: {len(wanted) - len(pending)} of {len(wanted)} files verified, {n_fetched} "
                f"fetched, {megabytes:.1f} MB, {megabytes / max(seconds, 1e-3):.2f} MB/s"
            )
            if pending and n_fetched:
                # Files that were there already take next to no time, so only fetched ones tell how long the rest takes.
                line += f", about {seconds / n_fetched * len(pending) / 60:.0f} min left"
            logger.info(line)
    finally:
        pool.shutdown(cancel_futures=True)
