"""The error that a user's mistake or bad data raises: one clear line, no traceback; and hints at misspelt names."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """A mistake in the config or in the data that the user can fix.

    The message is one line that states which file, which field, what was expected and what to do. Control characters,
    which broken files may bring in, are shown as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(printable, message.split("\n"))))


def printable(text: str) -> str:
    """Return text with characters that show nothing, or reverse the text next to them, as escapes such as ``\\x00``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def close_to(word: object, known: Iterable[str]) -> list[str]:
    """Return the known name that is most like `word`, whatever its capitals, or nothing."""
    by_lower_case = {name.lower(): name for name in known}
    return [by_lower_case[name] for name in get_close_matches(str(word).lower(), list(by_lower_case), n=1)]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most like `word`, to end a message with, or nothing."""
    return "".join(f"; did you mean `{close}`?" for close in close_to(word, known))
