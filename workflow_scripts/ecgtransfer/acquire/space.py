"""Room on the disk: checked before anything is fetched, and one clear line when it is used up after all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgtransfer.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def in_words(n_bytes: float) -> str:
    """Return a number of bytes in readable form: ``2.6 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.{1 if n_bytes < 99.95 else 0}f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def require_space(n_bytes: float, folder: Path, purpose: str, about: str = "") -> None:
    """Raise `InputError` if a folder's disk has less than `n_bytes` free."""
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise InputError(
            f"{folder}: {about}{in_words(n_bytes)} are needed {purpose}, {in_words(free)} are free on that disk; free "
            "some, make the folder a link to another disk, or take fewer records (`limits`), then run again"
        )


@contextmanager
def full_disk_in_words(folder: Path) -> Iterator[None]:
    """Turn the system's error for a full disk or quota into an `InputError` with one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise InputError(
            f"{folder}: the disk is full ({in_words(shutil.disk_usage(folder).free)} are free); free some and run "
            "again: what has arrived is kept"
        ) from error
