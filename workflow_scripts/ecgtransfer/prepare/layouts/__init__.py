"""One module per layout of a data set: which recordings there are, whose they are and what they show.

A layout is a function that takes the data set's entry, its folder and its verified files, and yields a `Described` or a
`Rejected` for each recording that it finds, and a `Notice` where there is more to say. Layouts of WFDB records go
through the headers (`from_headers`), others through rows of a table or of an array.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import Header, check_record, read_header
from ecgtransfer.prepare.separators import BAR_WITHIN, BETWEEN_LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a data set states about a recording, in its own words; unknown is None or empty."""

    record_id: str
    patient_id: str
    age_years: float | None
    sex: str
    statements: tuple[str, ...]
    fold: int | None = None
    site: str = ""
    month: str = ""
    labelled: bool = True
    """Whether its labels are known, so that one that it has not is negative."""
    unread: tuple[tuple[str, str], ...] = ()
    """What could not be understood and was left empty: ``age`` or ``sex``, and the cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described(Description):
    """A recording that can be used.

    `path` is the file within the data set's folder, where needed with the array and its row: ``file#array[row]``.
    `unit` and `leads` (joined by ``|``) are empty where the file itself states them.
    """

    path: str
    sampling_rate_hz: float
    n_samples: int
    unit: str = ""
    leads: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A recording that cannot be used, and why."""

    record_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence on what the data set gave that is not used, or must not be taken on trust."""

    text: str


Recordings = Iterator[Described | Rejected | Notice]
Layout = Callable[[Mapping[str, Any], Path, Sequence[str]], Recordings]

LAYOUTS = __name__
"""Where layouts are found by name."""

STANDARD_ORDER = "|".join(LEADS)
"""Leads of a file that holds the twelve in standard order."""

_MONTH = re.compile(r"(\d{4})[-/.](0?[1-9]|1[0-2])(?!\d)")


def from_headers(folder: Path, paths: Iterable[str], describe: Callable[[Path, Header], Description]) -> Recordings:
    """Yield one recording per WFDB header among `paths`; an `InputError` of `describe` rejects it."""
    for relative in paths:
        if not relative.endswith(".hea"):
            continue
        path = folder / relative
        try:
            header = read_header(path)
            check_record(header, path)
            found = describe(path, header)
        except InputError as error:
            yield Rejected(path.stem, relative, reason(error, folder, relative))
            continue
        stated = {field.name: getattr(found, field.name) for field in fields(Description)}
        yield Described(**stated, path=relative, sampling_rate_hz=header.sampling_rate_hz, n_samples=header.n_samples)


def reason(error: InputError, folder: Path, path: str) -> str:
    """Return an error's line without the path of the data set, so that tables are the same wherever it is."""
    return str(error).replace(f"{folder}/", "").removeprefix(f"{path}: ").removeprefix(f"{path.partition('#')[0]}: ")


def path_named(paths: Iterable[str], name: str, folder: Path) -> str:
    """Return the first of `paths` whose file name is `name`, wherever archives put it.

    Raises
    ------
    InputError
        If there is none.
    """
    for path in paths:
        if PurePosixPath(path).name == name:
            return path
    raise InputError(f"{folder / name}: is not among the verified files; download the data set again")


def month_of(date: str) -> str:
    """Return ``YYYY-MM`` of a date that starts with year and month, else an empty string."""
    match = _MONTH.match(date.strip())
    return f"{match[1]}-{int(match[2]):02d}" if match else ""


def is_true(text: str) -> bool:
    """Return whether a cell means yes: ``True``, ``1``, ``1.0``."""
    return text.strip().lower() in {"true", "1", "1.0"}


def is_false(text: str) -> bool:
    """Return whether a cell means no: ``False``, ``0``, ``0.0``."""
    return text.strip().lower() in {"false", "0", "0.0"}


def whole_number(text: str) -> str:
    """Return a number without the ``.0`` that tables with gaps give it."""
    return text.strip().removesuffix(".0")


def unique(statements: Iterable[str]) -> tuple[str, ...]:
    """Return the statements without repetitions and blanks, in the order given, fit to be joined by ``|``."""
    return tuple(dict.fromkeys(statement.replace(BETWEEN_LABELS, BAR_WITHIN) for statement in statements if statement))


def comment_value(header: Header, name: str) -> str | None:
    """Return what follows ``name:`` in a header comment, or None."""
    for comment in header.comments:
        key, colon, value = comment.partition(":")
        if colon and key.strip().strip("<>").lower() == name.lower():
            return value.strip()
    return None
