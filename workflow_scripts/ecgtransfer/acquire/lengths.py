"""How long a file may get that is being fetched: no longer than listed, than announced, and than there is room for."""

from pathlib import Path

from ecgtransfer.acquire.space import require_space
from ecgtransfer.errors import InputError

LIST_BYTES = 1 << 30
"""More than any list of files or records has: the longest, that of MIMIC-IV-ECG, has a fifth of it."""
UNANNOUNCED_BYTES = 1 << 30
"""For a file whose length is not stated."""
SMALL_BYTES = 1 << 16
"""For less, free space is not checked."""

_OTHER = "the file there is damaged or of another version: run again later or set another `mirror`"


def announced_bytes(content_length: str | None) -> int | None:
    """Return how many bytes a Content-Length header announces, None if it is absent or not to be understood."""
    return int(content_length) if content_length and content_length.isdecimal() and len(content_length) < 19 else None


def most_bytes(address: str, start: int, announced: int | None, listed: int | None, folder: Path) -> int:
    """Return how many bytes a file may have that is about to come.

    Parameters
    ----------
    address : str
        Where it comes from, for messages.
    start : int
        Bytes that are here already.
    announced : int or None
        Bytes to come, according to the sender.
    listed : int or None
        The most that the file may have by the list that names it.
    folder : path
        Where it goes.

    Raises
    ------
    InputError
        If more is announced than listed, or than there is room for.
    """
    if announced is None:
        return UNANNOUNCED_BYTES if listed is None else listed
    if listed is not None and start + announced > listed:
        raise InputError(f"{address}: {start + announced:,} bytes are announced, {listed:,} at most expected; {_OTHER}")
    if announced > SMALL_BYTES:
        require_space(announced, folder, f"for {address}")
    return start + announced


def too_long(address: str, most: int) -> InputError:
    """Return the error for a file of which more than `most` bytes come."""
    return InputError(f"{address}: more than {most:,} bytes come, which are neither listed nor announced; {_OTHER}")
