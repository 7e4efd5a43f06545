"""Opening the files of a data set with care: only regular files, and only within the data set's folder."""

import os
import stat

from ecgtransfer.errors import InputError
from ecgtransfer.file_names import found_beside
from ecgtransfer.system_errors import stop_if_it_may_pass

_TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(path: str, source: str, what: str) -> tuple[int, int]:
    """Return an open file descriptor and the file's size in bytes; the caller closes it.

    A pipe or a device in place of a file is refused, not waited for. A file that has the name in another spelling
    (`ecgtransfer.file_names`) is taken.

    Parameters
    ----------
    path
        The file.
    source, what
        What the message names: the record, and the role of the file (``header``, ``signal file x.dat``).

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read, or is no regular file.
    NotJustNow
        If the system does not let read it just now.
    """
    try:
        try:
            descriptor = os.open(path, _TO_READ)
        except FileNotFoundError:
            descriptor = os.open(found_beside(path), _TO_READ)
    except FileNotFoundError as error:
        raise InputError(f"{source}: {what} is missing") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        stop_if_it_may_pass(error, path)
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{source}: {what} cannot be read ({reason})") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise InputError(f"{source}: {what} cannot be read (it is no regular file)")
    return descriptor, status.st_size


def size_of_regular(path: str, source: str, what: str) -> int:
    """Return the size in bytes of a file, with the checks of `open_regular`."""
    descriptor, size = open_regular(path, source, what)
    os.close(descriptor)
    return size


def stays_within(path: str) -> bool:
    """Return whether a relative path cannot leave the folder that it is relative to."""
    return not path.startswith("/") and (".." not in path or ".." not in path.split("/"))
