"""Separators between the labels of a recording, in a user's table and in ours."""

from collections.abc import Callable

BETWEEN_LABELS = "|"
"""Separator of labels by default, and of the statements of a record in our tables."""
BAR_WITHIN = "\u00a6"
"""What represents a vertical bar within a statement in our tables."""
_OTHER_SEPARATORS = (";", ",", "|", "/", "+", "&", "\n", "\t", " ")


def separator_of(written: str, is_known: Callable[[str], bool]) -> str | None:
    """Return what separates the statements that were taken for one, or None if no separator makes known ones of it."""
    for separator in _OTHER_SEPARATORS:
        parts = list(filter(None, map(str.strip, written.replace(BAR_WITHIN, BETWEEN_LABELS).split(separator))))
        if len(parts) > 1 and all(map(is_known, parts)):
            return separator
    return None
