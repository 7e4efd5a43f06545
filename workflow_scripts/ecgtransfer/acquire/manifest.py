"""What to fetch: which files of a published data set a study needs.

A data set on PhysioNet, or on a mirror of it, comes with two lists: ``SHA256SUMS.txt`` names every file and its
checksum; ``RECORDS`` names the records, or folders that have their own ``RECORDS``. Elsewhere there is only a list
of files. Nothing here touches the network or the disk: texts come in, relative paths go out.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from ecgtransfer.errors import InputError

LONGEST_NAME_BYTES = 240
"""File systems take 255, and what is half fetched has a longer name."""
SUMS_NAME = "SHA256SUMS.txt"
RECORDS_NAME = "RECORDS"
HEADER_SUFFIX = ".hea"

_SUM_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)")
_LINE = re.compile(r"[^\n]*\n?")
_UNSAFE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\\\0]")


@dataclass(frozen=True)
class Choice:
    """The files that a study needs, and how complete the mirror is.

    Attributes
    ----------
    files : list of str
        Tables and files of records, as relative paths, sorted.
    archives : list of str
        Which of them are archives, to be unpacked.
    n_records : int or None
        How many records these are, if that can be known before they are read.
    n_unlisted : int
        How many records (or whole folders of them) RECORDS names although SHA256SUMS.txt lists no header of theirs.
    """

    files: list[str]
    archives: list[str]
    n_records: int | None
    n_unlisted: int = 0


def safe_path(path: str, source: str) -> str:
    """Return a published relative path without a leading ``./``, or refuse it.

    Raises
    ------
    InputError
        If the path could leave the folder that it is meant for; `source` tells in the message where it was read.
    """
    relative = path.removeprefix("./")
    if _UNSAFE.search(relative):
        raise InputError(
            f"{source}: path {path!r} is absolute or leaves its folder, expected a relative path without '..'; "
            "do not trust this mirror, or fix the line"
        )
    return relative


def require_names_that_fit(paths: Collection[str], source: str) -> None:
    """Refuse paths that no folder can hold together: too long a name, or a file that is a folder of another, too.

    Raises
    ------
    InputError
        With the first such path; `source` tells in the message where it was read.
    """
    for path in paths:
        if not (path.isascii() and len(path) <= LONGEST_NAME_BYTES):
            _require_name_that_fits(path, source)
    folders = {folder.rstrip("/") for folder in _folders_of(paths)}
    both = min(folders.intersection(paths), default=None)
    if both is not None:
        raise InputError(
            f"{source}: {both!r} is listed as a file and as a folder of others; do not trust this mirror, or fix its "
            "list"
        )


def _require_name_that_fits(path: str, source: str) -> None:
    try:
        n_bytes = max(len(name.encode()) for name in path.split("/"))
    except UnicodeEncodeError as error:
        raise InputError(f"{source}: {path[:60]!r} is not a file name; do not trust this mirror") from error
    if n_bytes > LONGEST_NAME_BYTES:
        raise InputError(
            f"{source}: a name in {path[:60]!r}... has {n_bytes} bytes, expected {LONGEST_NAME_BYTES} at most; do not "
            "trust this mirror, or fix its list"
        )


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
    # Not splitlines: it also breaks at characters that names may hold. One line at a time: lists may be long.
    for number, found in enumerate(_LINE.finditer(text), start=1):
        line = found[0].strip()
        if not line:
            continue
        match = _SUM_LINE.fullmatch(line)
        if match is None:
            raise InputError(
                f"{source}, line {number}: expected a SHA-256 of 64 digits and a path, found {line[:60]!r}; "
                "check that `mirror` and the data set's `path` lead to the published files"
            )
        path = match[2]
        if _UNSAFE.search(path):
            path = safe_path(path, f"{source}, line {number}")
        sums[path] = match[1].lower()
    return sums


def choose_files(
    entry: Mapping[str, Any], sums: Mapping[str, str], read: Callable[[str], str], limit: int | None, source: str
) -> Choice:
    """Choose the tables and records of a data set that are to be fetched.

    Parameters
    ----------
    entry : mapping
        The data set's entry: its records are under `folders` (``.`` means all of it) and have the files that
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
    _check_tables(entry["tables"], sums, source)
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
    return Choice(sorted(files.union(entry["tables"])), [], len(chosen), len(missing))


def choose_listed(entry: Mapping[str, Any], listed: Collection[str], limit: int | None, source: str) -> Choice:
    """Choose from a list of files that comes without RECORDS.

    Parameters
    ----------
    entry : mapping
        The data set's entry; :mod:`ecgtransfer.acquire.listings` explains its keys.
    listed : collection of str
        Relative paths of all files.
    limit : int or None
        Take the first parts that hold that many records.
    source : str
        Where the data set is, for messages.

    Returns
    -------
    Choice
        Archives and tables, or files of records and tables where no archive is listed. Tables that are not listed are
        left out if archives may hold them.

    Raises
    ------
    InputError
        If a table is not listed and there is no archive, or if there is no archive and no file of a record.
    """
    patterns = entry.get("archives", [])
    archives = sorted((path for path in listed if any(fnmatchcase(path, one) for one in patterns)), key=_by_number)
    per_part = entry.get("records_per_part")
    if archives:
        if limit is not None and per_part is not None:
            archives = archives[: -(-limit // per_part)]
        tables = [table for table in entry["tables"] if table in listed]
        return Choice(sorted({*archives, *tables}), archives, None)
    _check_tables(entry["tables"], listed, source)
    records = sorted((path for path in listed if belongs(path, entry, entry["suffixes"][:1])), key=_by_number)
    if not records:
        wanted = ", ".join([*patterns, *entry["suffixes"]])
        raise InputError(
            f"{source}: no file under {', '.join(entry['folders'])} is one of {wanted}; "
            "check `folders`, `suffixes`, `archives` and `path`"
        )
    if limit is not None:
        records = records[: -(-limit // (per_part or 1))]
    stems = {path.removesuffix(entry["suffixes"][0]) for path in records}
    files = {stem + suffix for stem in stems for suffix in entry["suffixes"] if stem + suffix in listed}
    return Choice(sorted(files.union(entry["tables"])), [], None if per_part else len(records))


def belongs(path: str, entry: Mapping[str, Any], suffixes: Collection[str]) -> bool:
    """Return whether a file lies under one of the entry's folders and has one of `suffixes`."""
    return path.endswith(tuple(suffixes)) and any(path.startswith(root) for root in _roots(entry["folders"]))


def _check_tables(tables: list[str], listed: Collection[str], source: str) -> None:
    for table in tables:
        if table not in listed:
            raise InputError(f"{source}: table {table!r} is not listed there; check `tables` and `version`")


def _by_number(path: str) -> list[tuple[str, int]]:
    """Sort part 2 before part 10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", path)]


def _roots(folders: list[str]) -> list[str]:
    """Return folders with a slash at their end, the data set's own as an empty text."""
    return ["" if folder.rstrip("/") in ("", ".") else folder.rstrip("/") + "/" for folder in folders]


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Return every folder above the files, with a slash at its end."""
    known = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder + "/" not in known:
            known.add(folder + "/")
            folder = folder.rpartition("/")[0]
    return known


def _records_under(folders: list[str], sums: Mapping[str, str], read: Callable[[str], str]) -> Iterator[str]:
    """Yield each record under `folders` once; a folder without a header in `sums` comes as ``folder/``, unread."""
    roots = _roots(folders)
    known = _folders_of(path for path in sums if path.endswith(HEADER_SUFFIX))
    seen: set[str] = set()

    def walk(folder: str) -> Iterator[str]:
        name = folder + RECORDS_NAME
        for line in filter(None, map(str.strip, read(name).split("\n"))):
            path = folder + safe_path(line.removesuffix("/"), name)
            is_folder = line.endswith("/")
            place = path + "/"
            inside = any(place.startswith(root) for root in roots)
            leads_inside = inside or any(root.startswith(place) for root in roots)
            if is_folder and leads_inside and place in known:
                yield from walk(place)
            elif inside and path not in seen:
                seen.add(path)
                yield place if is_folder else path

    return walk("")
