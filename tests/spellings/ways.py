"""What a way to write something is, and what is expected of the product where it is taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from truth import Recording


class NotWritable(Exception):
    """Ways that do not go together: nobody could write a data set so."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to write one thing.

    Attributes
    ----------
    refused
        What the line must say where the data set is meant to be refused, as a regular expression without regard to
        case; empty where it must be taken.
    leaves_out
        Which recordings alone are refused with that line, where it is not the data set.
    or_taken
        Whether it may as well be taken, if all is then right.
    told
        What notices must say, as regular expressions: there must be one for each, and no others.
    keys
        What the entry of the data set says because of it.
    needs
        Ways of other axes without which it is not to be met, by axis; where it is tried alone they are there, too.
    """

    refused: str = ""
    leaves_out: Callable[[Recording], bool] | None = None
    or_taken: bool = False
    told: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cells(Way):
    """One way to write the cells of a column.

    Attributes
    ----------
    write
        The cell of a recording; None for a table without the column.
    read
        What the product must take it for; what `write` returns, without blanks at both ends, where it is None.
    or_unread
        Whether all of it may as well be left empty, if a notice counts it: for what can be read only by a guess.
    """

    write: Callable[[Recording], str] | None
    read: Callable[[Recording], Any] | None = None
    or_unread: bool = False
