"""What the operating system refuses: one line that names the file and what to do about it."""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ecgtransfer.errors import InputError, printable

_FREE = "free some of it, or make the folder a link to another disk, then run again: finished files are kept"
_REMEDY = "change its permissions or those of its folder, then run again"
_OTHER_KIND = "move away what is there, then run again"
_NETWORK = "check that the disk is present and mounted, then run again"
_WHAT_AND_REMEDY = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("your share (quota) of the disk is used up", _FREE),
    errno.EFBIG: ("would be larger than `ulimit -f` or the disk allows", "raise the limit, then run again"),
    errno.EROFS: ("the disk is read-only", "make it writable, or work in another folder"),
    errno.EACCES: ("may not be read or written", _REMEDY),
    errno.EPERM: ("may not be changed", _REMEDY),
    errno.EISDIR: ("is a folder, expected a file", _OTHER_KIND),
    errno.ENOTDIR: ("is a file or lies below one, expected a folder", _OTHER_KIND),
    errno.EEXIST: ("already exists and is not a folder", _OTHER_KIND),
    errno.ENOTEMPTY: ("is a folder with files, expected a file", _OTHER_KIND),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "choose shorter names or another folder"),
    errno.ELOOP: ("is a link that leads back to itself", "fix the link"),
    errno.EMFILE: ("too many files are open", "raise `ulimit -n`, or use fewer cores"),
    errno.ENFILE: ("too many files are open on this machine", "end other work, or use fewer cores"),
    errno.EAGAIN: ("no further process can be started", "raise `ulimit -u`, end other work, or use fewer cores"),
    errno.ENOMEM: ("there is too little memory", "end other work, use fewer cores or a larger machine"),
    errno.EIO: ("the disk failed to read or write it", "check whether the disk is damaged or gone, then run again"),
    errno.ESTALE: ("is no longer there on its network disk", _NETWORK),
    errno.ENOTCONN: ("its network disk does not answer", _NETWORK),
    errno.ETIMEDOUT: ("its network disk does not answer", _NETWORK),
    errno.ENODEV: ("its disk is gone", _NETWORK),
    errno.ENXIO: ("its disk is gone", _NETWORK),
}
_MAY_PASS = {
    errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.ENOLCK, errno.EMFILE,
    errno.ENFILE, errno.ENOMEM,
}  # fmt: skip
_OF_READING = {
    errno.EAGAIN: ("another program has locked it", "close that program, then run again"),
    errno.EBUSY: ("another program uses it", "close that program, then run again"),
    errno.ENOLCK: ("its disk does not support locks", "run again"),
}
"""What means something else, or nothing, where a file is not read."""
_NO_LOCK_OF_HDF5 = "unable to lock file"
_OF_HDF5 = {
    errno.EAGAIN: (
        "another program has it open for writing",
        "close that program, or set HDF5_USE_FILE_LOCKING=FALSE, then run again",
    ),
    errno.ENOLCK: ("its disk does not support locks", "set HDF5_USE_FILE_LOCKING=FALSE, then run again"),
}
_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WRITTEN_IN_PART = re.compile(r"\d+ requested and \d+ written")
"""numpy's words, without a number."""
_NUMBER_IN_TEXT = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
"""In the words of libraries that have no `OSError`, and of processes that hand on no more than text."""


class NotJustNow(OSError):
    """A file cannot be read just now, which tells nothing about the file: the job must end, to be run again.

    It is no `InputError`, so that whoever rejects a recording for such an error does not go on without this one.
    """


def stop_if_it_may_pass(error: BaseException, path: str | os.PathLike[str]) -> None:
    """Raise a `NotJustNow` in place of an error of the system that may be gone the next time; return on any other.

    Parameters
    ----------
    error
        What was raised while a file was read, by Python or by a library that wraps what it met.
    path
        The file.
    """
    if isinstance(error, NotJustNow):
        raise error
    number = errno.ENOMEM if isinstance(error, MemoryError) else _number(error)
    if number not in _MAY_PASS:
        return
    words = _WHAT_AND_REMEDY | _OF_READING
    if _NO_LOCK_OF_HDF5 in str(error):
        words |= _OF_HDF5
    reason, remedy = words[number]
    if "run again" not in remedy:
        remedy += ", then run again"
    raise NotJustNow(printable(f"{os.fspath(path)}: cannot be read just now ({reason}); {remedy}")) from error


def in_words(error: BaseException, near: str | os.PathLike[str]) -> str | None:
    """Return one line on an error of the operating system, or None if it is none that a user can fix.

    Parameters
    ----------
    error
        What was raised, by Python or by a library that wraps what it met.
    near
        The file or folder at work, which is named where the error names none.
    """
    if isinstance(error, NotJustNow):
        return str(error)
    if isinstance(error, MemoryError):
        number: int | None = errno.ENOMEM
    else:
        number = _number(error)
    if number not in _WHAT_AND_REMEDY:
        return None
    what, remedy = _WHAT_AND_REMEDY[number]
    return f"{_file(error, number) or os.fspath(near)}: {what}; {remedy}"


@contextmanager
def named(target: str | os.PathLike[str], written: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the block that come from writing the file `written` name `target`, which it replaces."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _number(error)
        is_of_it = isinstance(error, OSError) and _file(error, number) == os.fspath(written)
        if number is None or not (is_of_it or number in _OF_WRITING or not isinstance(error, OSError)):
            raise
        raise OSError(number, os.strerror(number), os.fspath(target)) from error


@contextmanager
def reported_in_one_line(near: str | os.PathLike[str] = ".") -> Iterator[None]:
    """End the process with status 1 and one line on a mistake of the user, or where the system refuses something."""
    try:
        yield
    except InputError as mistake:
        sys.exit(f"error: {mistake}")
    except (OSError, MemoryError) as error:
        line = in_words(error, near)
        if line is None and isinstance(error, OSError) and error.filename:
            line = f"{os.fsdecode(error.filename)}: {error.strerror}; check what is there"
        if line is None:
            raise
        sys.exit(f"error: {line}")


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if _WRITTEN_IN_PART.search(str(error)):
        return errno.ENOSPC
    found = _NUMBER_IN_TEXT.search(str(error))
    return int(found[1] or found[2]) if found else None


def _file(error: BaseException, number: int | None) -> str | None:
    """Return the file that an error names: what was to be written, where it names two."""
    if not isinstance(error, OSError):
        return None
    name = error.filename2 if number in _OF_WRITING and error.filename2 else error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes) else None
