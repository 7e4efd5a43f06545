"""Names of files and text are in UTF-8, whatever the language settings of the terminal."""

import os
import sys
from pathlib import Path

from ecgtransfer.errors import InputError

_MODE = "PYTHONUTF8"


def begin_in_utf8(started_in: Path | None) -> None:
    """Return in a process that takes names of files for UTF-8: where this one does not, it restarts in that mode.

    Processes that it starts are in that mode, too. What the terminal cannot show is printed as escapes.

    Parameters
    ----------
    started_in
        The folder in which the program was started; None if that is not known.

    Raises
    ------
    InputError
        If it cannot restart.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8":
        return
    if started_in is None or os.environ.get(_MODE) == "1":
        raise InputError(f"Python takes names of files for {encoding}, expected UTF-8; set {_MODE}=1 and run again")
    os.environ[_MODE] = "1"
    sys.stdout.flush()
    os.chdir(started_in)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
