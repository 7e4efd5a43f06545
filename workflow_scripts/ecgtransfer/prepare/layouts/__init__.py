"""One module per published layout: how a data set says who a recording is from and what it shows.

A layout is a function that takes the data set's folder and returns a function from a record's path and header to its
`Description`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecgtransfer.prepare.wfdb_files import Header


@dataclass(frozen=True)
class Description:
    """What a data set says of one recording, in its own words; `age_years`, `sex` and `fold` may be unknown."""

    record_id: str
    patient_id: str
    age_years: float | None
    sex: str
    statements: tuple[str, ...]
    fold: int | None = None


Describe = Callable[[Path, Header], Description]
Layout = Callable[[Path], Describe]

LAYOUTS = __name__
"""Where layouts are found by name."""

OLDEST_AGE = 120


def age_in_years(text: str) -> float | None:
    """Return an age if `text` is a possible one, else None."""
    try:
        age = float(text)
    except ValueError:
        return None
    return age if 0 <= age <= OLDEST_AGE else None


def sex_letter(text: str) -> str:
    """Return ``F``, ``M`` or an empty string."""
    first = text.strip()[:1].upper()
    return first if first in {"F", "M"} else ""


def unique(statements: list[str]) -> tuple[str, ...]:
    """Return the statements without repetitions and blanks, in the order given."""
    return tuple(dict.fromkeys(statement for statement in statements if statement))


def comment_value(header: Header, name: str) -> str | None:
    """Return what follows ``name:`` in a header comment, or None."""
    for comment in header.comments:
        key, colon, value = comment.partition(":")
        if colon and key.strip().strip("<>").lower() == name.lower():
            return value.strip()
    return None
