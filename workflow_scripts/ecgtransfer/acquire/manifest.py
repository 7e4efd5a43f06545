"""What to fetch: which files of a published data set a study needs.

A data set on PhysioNet, or on a mirror of it, comes with two lists: ``SHA256SUMS.txt`` names every file and its
checksum; ``RECORDS`` names the records, or folders that hold a ``RECORDS`` of their own. Nothing here touches the
network or the disk: texts come in, relative paths go out.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ecgtransfer.errors import InputError

SUMS_NAME = "SHA256SUMS.txt"
RECORDS_NAME = "RECORDS"
HEADER_SUFFIX = ".hea"

_SUM_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)")


@dataclass(frozen=True)
class Choice:
    """The files that a study needs, and how complete the mirror is.

    Attributes
    ----------
    files : list of str
        Tables and files of records, as relative paths, sorted.
    n_records : int
        How many records these are.
    n_unlisted : int
        How many records (or whole folders of them) RECORDS names although SHA256SUMS.txt lists no header of theirs.
    """

    files: list[str]
    n_records: int
    n_unlisted: int


def safe_path(path: str, source: str) -> str:
    """Return a published relative path without a leading ``./``, or refuse it.

    Raises
    ------
    InputError
        If the path could leave the folder that it is meant for; `source` says in the message where it was read.
    """
    relative = path.removeprefix("./")
    if "\\" in relative or "\0" in relative or any(part in ("", ".", "..") for part in relative.split("/")):
        raise InputError(
            f"{source}: path {path!r} is absolute or leaves its folder, expected a relative path without '..'; "
            "do not trust this mirror, or mend the line"
        )
    return relative


def parse_sums(text: str, source: str) -> dict[str, str]:
    """Return the checksums of a SHA256SUMS.txt as ``{relative path: 64 lower-case hexadecimal digits}``.

    Lines are ``hash path`` with one or more spaces between and an optional ``*`` before the path, as ``sha256sum``
    writes them. Empty lines are skipped.

    Raises
    ------
    InputError
        If a line is anything else or its path is unsafe; `source` names the list in the message.
    """
    sums = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _SUM_LINE.fullmatch(line.strip())
        if match is None:
            raise InputError(
                f"{source}, line {number}: expected a SHA-256 of 64 digits and a path, found {line.strip()[:60]!r}; "
                "check that `mirror` and the data set's `path` lead to the published files"
            )
        sums[safe_path(match[2], f"{source}, line {number}")] = match[1].lower()
    return sums


def choose_files(
    entry: Mapping[str, Any], sums: Mapping[str, str], read: Callable[[str], str], limit: int | None, source: str
) -> Choice:
    """Choose the tables and records of a data set that are to be fetched.

    Parameters
    ----------
    entry : mapping
        The data set's entry: its records lie under `folders` (``.`` stands for all of it) and have the files that
        `suffixes` name, as far as they are published; `tables` are files that must be there.
    sums : mapping
        What `parse_sums` returns.
    read : callable
        Returns the text of a RECORDS file, given its relative path. Called for nested ones as late as possible.
    limit : int or None
        Take that many records at most, the first ones in the order of RECORDS.
    source : str
        Where the data set is, for messages.

    Returns
    -------
    Choice
        A record counts if its header is in `sums`; others are left out and counted.

    Raises
    ------
    InputError
        If a table is not in `sums`, if no record is left, or if a path in a RECORDS file is unsafe.
    """
    for table in entry["tables"]:
        if table not in sums:
            raise InputError(f"{source}: {SUMS_NAME} does not list table {table!r}; check `tables` and `version`")
    missing: set[str] = set()

    def served() -> Iterator[str]:
        for record in _records_under(entry["folders"], sums, read):
            if record + HEADER_SUFFIX in sums:
                yield record
            else:
                missing.add(record)

    chosen = list(islice(served(), limit))
    if not chosen:
        folders = ", ".join(entry["folders"])
        raise InputError(
            f"{source}: no record under {folders} is in both {RECORDS_NAME} and {SUMS_NAME}; "
            "check `folders`, `path` and `mirror`"
        )
    files = {record + suffix for record in chosen for suffix in entry["suffixes"] if record + suffix in sums}
    return Choice(sorted(files.union(entry["tables"])), len(chosen), len(missing))


def _records_under(folders: list[str], sums: Mapping[str, str], read: Callable[[str], str]) -> Iterator[str]:
    """Yield each record under `folders` once; a folder without a header in `sums` comes as ``folder/``, unread."""
    wanted = [PurePosixPath(folder) for folder in folders]
    headers = (PurePosixPath(path) for path in sums if path.endswith(HEADER_SUFFIX))
    known = {parent for header in headers for parent in header.parents}
    seen: set[str] = set()

    def walk(folder: str) -> Iterator[str]:
        name = folder + RECORDS_NAME
        for line in filter(None, map(str.strip, read(name).splitlines())):
            path = folder + safe_path(line.removesuffix("/"), name)
            place = PurePosixPath(path)
            inside = any(place.is_relative_to(root) for root in wanted)
            leads_inside = inside or any(root.is_relative_to(place) for root in wanted)
            if line.endswith("/") and leads_inside and place in known:
                yield from walk(path + "/")
            elif inside and path not in seen:
                seen.add(path)
                yield path + "/" * line.endswith("/")

    return walk("")
