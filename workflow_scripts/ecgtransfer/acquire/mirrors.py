"""Where published files are fetched from: a web server or a folder laid out like one.

A mirror brings one file at a time and knows nothing of checksums or data sets. A web mirror goes on where a partial
file ends, and tries again when the network or the server fails.
"""

import os
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from ecgtransfer.errors import InputError

TRIES = 5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 600.0
TIMEOUT_SECONDS = (10.0, 60.0)
"""To connect, and between two packets."""
CHUNK_BYTES = 1 << 14
"""What a killed download may lose per stream, so it is small."""


class Mirror(ABC):
    """A place that holds the files of one data set.

    Attributes
    ----------
    n_bytes : int
        How many bytes have come from here.
    """

    def __init__(self) -> None:
        self.n_bytes = 0
        self._lock = threading.Lock()

    def _count(self, n_bytes: int) -> None:
        with self._lock:
            self.n_bytes += n_bytes

    @abstractmethod
    def address(self, path: str) -> str:
        """Return where a file is, as messages name it."""

    @abstractmethod
    def fetch(self, path: str, part: Path) -> None:
        """Bring a file to `part`, going on where `part` ends if that can be done.

        Raises
        ------
        InputError
            If the file is not to be had.
        """


class FolderMirror(Mirror):
    """A copy of the published files on this machine."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def address(self, path: str) -> str:
        """Return the file's path."""
        return str(self._root / path)

    def fetch(self, path: str, part: Path) -> None:
        """Copy a file to `part`."""
        original = self._root / path
        if not (original.is_file() and os.access(original, os.R_OK)):
            raise InputError(f"{original}: no such file, or not readable; check `mirror`, `path` and `version`")
        shutil.copyfile(original, part)
        self._count(part.stat().st_size)


class WebMirror(Mirror):
    """A web server that holds the published files.

    Parameters
    ----------
    root : str
        URL of the data set, without a slash at its end.
    streams : int
        Connections that are kept open.
    pause : callable
        Waits for a number of seconds between tries.
    """

    def __init__(self, root: str, streams: int, pause: Callable[[float], None]) -> None:
        super().__init__()
        self._root = root
        self._pause = pause
        self._session = requests.Session()
        # A compressed body would make ranges meaningless.
        self._session.headers.update({"User-Agent": "ecg-transfer", "Accept-Encoding": "identity"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=streams))

    def address(self, path: str) -> str:
        """Return the file's URL."""
        return f"{self._root}/{quote(path)}"

    def fetch(self, path: str, part: Path) -> None:
        """Bring a file to `part` in at most five tries, waiting twice as long after each or as the server asks."""
        for attempt in range(TRIES):
            try:
                return self._fetch_once(self.address(path), part)
            except _TryAgain as failure:
                reason = str(failure)
                if attempt < TRIES - 1:
                    seconds = FIRST_WAIT_SECONDS * 2**attempt if failure.seconds is None else failure.seconds
                    self._pause(min(seconds, LONGEST_WAIT_SECONDS))
        raise InputError(
            f"{self.address(path)}: {reason}, after {TRIES} tries; check the network and `mirror`, then run again: "
            "what has arrived is kept"
        )

    def _fetch_once(self, url: str, part: Path) -> None:
        start = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            with self._session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
                _check_status(response)
                continues = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
                if response.status_code == 416 or (response.status_code == 206 and not continues):
                    part.unlink(missing_ok=True)
                    raise _TryAgain("the server does not go on where the partial file ends", seconds=0)
                with part.open("ab" if response.status_code == 206 else "wb") as file:
                    for chunk in response.iter_content(CHUNK_BYTES):
                        file.write(chunk)
                        self._count(len(chunk))
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            cause = error.args[0] if error.args else error
            raise _TryAgain(f"{type(error).__name__} ({getattr(cause, 'reason', cause)})") from error
        except requests.RequestException as error:
            raise InputError(f"{url}: {error}; check `mirror`") from error


def open_mirror(mirror: str, path: str, streams: int, pause: Callable[[float], None]) -> Mirror:
    """Return the mirror of one data set.

    Parameters
    ----------
    mirror : str
        Base URL: ``https://host``, ``http://host`` or ``file:///absolute/folder``; more path may follow a host.
    path : str
        Where the data set is below that.
    streams, pause
        As in `WebMirror`.

    Raises
    ------
    InputError
        If the URL is of another form, or if the folder does not exist.
    """
    scheme, below = urlsplit(mirror).scheme, mirror.partition("://")[2]
    if scheme in ("http", "https") and urlsplit(mirror).netloc:
        return WebMirror(f"{mirror.rstrip('/')}/{quote(path.strip('/'))}", streams, pause)
    if scheme == "file" and below.startswith("/"):
        root = Path(unquote(below))
        if not root.is_dir():
            raise InputError(f"mirror {mirror!r}: folder {root} does not exist; expected one that holds {path}")
        return FolderMirror(root / path)
    raise InputError(f"mirror {mirror!r}: expected https://host, http://host or file:///absolute/folder")


class _TryAgain(Exception):
    """A failure that may pass: the reason, and how many seconds to wait if that is known."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


def _check_status(response: requests.Response) -> None:
    """Raise what an answer without the file means; 416 (no such range) is left to the caller."""
    url, status = response.url, response.status_code
    if status in (200, 206, 416):
        return
    if status in (408, 429) or status >= 500:
        raise _TryAgain(f"the server answers {status}", _seconds_to_wait(response.headers.get("Retry-After")))
    if status in (401, 403):
        raise InputError(
            f"{url}: the server answers {status}: these files need an account, often a credentialed one with a signed "
            "data use agreement; put its login into ~/.netrc, or set `mirror` to file:///... of your own copy"
        )
    if status == 404:
        raise InputError(f"{url}: no such file (404); check `mirror`, and `path` and `version` of the data set")
    raise InputError(f"{url}: the server answers {status}, expected 200; check `mirror`")


def _seconds_to_wait(retry_after: str | None) -> float | None:
    """Return a Retry-After header (seconds, or a date) in seconds, or None if it is absent or not to be understood."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
