"""Where published files are fetched from: a web server or a folder laid out like one.

A mirror brings one file at a time and knows nothing of checksums or data sets. A web mirror goes on where a partial
file ends, if the file on the server is still the same, and tries again when the network or the server fails.
"""

import logging
import os
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ecgtransfer.acquire.lengths import announced_bytes, most_bytes, too_long
from ecgtransfer.acquire.partial_files import (
    CHUNK_BYTES,
    forget,
    is_the_rest,
    keep_version,
    size_of_part,
    version_of,
)
from ecgtransfer.errors import InputError

TRIES = 6
"""Failures of the network or the server without a piece of the file between them."""
PATIENCE_SECONDS = 3600.0
"""How long a file may be put off by a server that is busy (429, 503) but there."""
FIRST_WAIT_SECONDS = 1.0
MOST_DOUBLINGS = 6
LONGEST_WAIT_SECONDS = 600.0
"""However long a wait a server requests."""
TIMEOUT_SECONDS = (10.0, 60.0)
"""To connect, and between two packets."""
SIZE_TIMEOUT_SECONDS = 10.0
"""For an answer that only helps to plan."""
SLOWEST_BYTES, SLOWEST_SECONDS = 1 << 16, 60.0
"""A stream that brings less in that time is given up and restarted."""
WARNING_SECONDS = 10.0
"""Between two warnings of a mirror; what it meets meanwhile is only in the log."""
logger = logging.getLogger(__name__)


class Mirror(ABC):
    """A place that holds the files of one data set.

    Attributes
    ----------
    host : str or None
        Whose connections are used.
    n_bytes : int
        How many bytes have come from here.
    urls : dict
        Addresses of files that are not where their path suggests.
    """

    def __init__(self, host: str | None) -> None:
        self.host = host
        self.n_bytes = 0
        self.urls: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what is being fetched soon, with `Stopped`."""
        self._stopped.set()

    def _count(self, n_bytes: int) -> None:
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            self.n_bytes += n_bytes

    @abstractmethod
    def address(self, path: str) -> str:
        """Return where a file is, as messages name it."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Return how many bytes a file has, None if that is not to be had."""

    @abstractmethod
    def fetch(self, path: str, part: Path, most: int | None = None) -> None:
        """Bring a file to `part`, going on where `part` ends if that can be done.

        Parameters
        ----------
        path : str
            The file.
        part : path
            Where it goes.
        most : int or None
            How many bytes it may have at most, None if that is not known.

        Raises
        ------
        InputError
            If the file is not to be had, or is longer than `most` or than announced.
        Stopped
            If `stop` was called meanwhile; what has arrived is kept.
        """


class Stopped(Exception):
    """The download was ended from outside."""


class FolderMirror(Mirror):
    """A copy of the published files on this machine."""

    def __init__(self, root: Path) -> None:
        super().__init__(None)
        self._root = root

    def address(self, path: str) -> str:
        """Return the file's path."""
        return str(self._root / path)

    def size(self, path: str) -> int | None:
        """Return the size of the original."""
        original = self._root / path
        return original.stat().st_size if original.is_file() else None

    def fetch(self, path: str, part: Path, most: int | None = None) -> None:
        """Copy a file to `part`."""
        original = self._root / path
        if not (original.is_file() and os.access(original, os.R_OK)):
            raise InputError(f"{original}: no such file, or not readable; check `mirror`, `path` and `version`")
        self._count(0)
        most_bytes(str(original), 0, original.stat().st_size, most, part.parent)
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
    pause : callable or None
        Waits for a number of seconds between tries; None waits in truth, until `stop`.
    """

    def __init__(self, root: str, streams: int, pause: Callable[[float], object] | None) -> None:
        super().__init__(urlsplit(root).netloc)
        self._root = root
        self._pause = pause or self._stopped.wait
        self._gate = threading.Lock()
        self._n_pauses = 0
        self._tells_sizes = True
        self._warned_at = -WARNING_SECONDS
        self._session = requests.Session()
        # A compressed body would make ranges meaningless.
        self._session.headers.update({"User-Agent": "ecg-transfer", "Accept-Encoding": "identity"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=streams))

    def address(self, path: str) -> str:
        """Return the file's URL."""
        return self.urls.get(path) or f"{self._root}/{quote(path)}"

    def size(self, path: str) -> int | None:
        """Return the server's answer to a HEAD request; a failure counts as no answer, and is not retried.

        A server that does not answer once is not queried for sizes again.
        """
        if not self._tells_sizes:
            return None
        try:
            response = self._session.head(self.address(path), timeout=SIZE_TIMEOUT_SECONDS, allow_redirects=True)
        except requests.Timeout:
            self._tells_sizes = False
            return None
        except (requests.RequestException, ValueError):
            return None
        return announced_bytes(response.headers.get("Content-Length")) if response.status_code == 200 else None

    def fetch(self, path: str, part: Path, most: int | None = None) -> None:
        """Bring a file to `part`, waiting twice as long after each failure or as the server requests."""
        url = self.address(path)
        n_tries, waited = 0, 0.0
        while True:
            with self._gate:  # closed while a busy server is given time
                n_pauses = self._n_pauses
            self._count(0)
            size_before = size_of_part(part)
            try:
                return self._fetch_once(url, part, most)
            except _TryAgain as failure:
                if size_of_part(part) >= size_before + CHUNK_BYTES:
                    n_tries, waited = 0, 0.0
                seconds = failure.seconds_to_wait(n_tries)
                n_tries, waited = n_tries + 1, waited + seconds
                if waited > PATIENCE_SECONDS or (n_tries >= TRIES and not failure.is_busy):
                    raise InputError(
                        f"{url}: {failure}, after {n_tries} tries; check the network and `mirror`, then run again: "
                        "what has arrived is kept"
                    ) from failure
                self._wait(seconds, n_pauses, failure.is_busy, f"{url}: {failure} (try {n_tries})")

    def _wait(self, seconds: float, n_pauses: int, is_busy: bool, reason: str) -> None:
        """Log why, and wait; if the server is busy, every stream waits, once for all that were told so meanwhile."""
        line = f"{reason}; trying again in {seconds:.0f} s"
        if not is_busy:
            self._say_and_pause(line, seconds)
            return
        with self._gate:
            if self._n_pauses == n_pauses:
                self._say_and_pause(line, seconds)
                self._n_pauses += 1

    def _say_and_pause(self, line: str, seconds: float) -> None:
        if seconds:
            with self._lock:
                is_first = time.monotonic() - self._warned_at >= WARNING_SECONDS
                self._warned_at = time.monotonic() if is_first else self._warned_at
            logger.log(logging.WARNING if is_first else logging.INFO, line)
        self._pause(seconds)

    def _fetch_once(self, url: str, part: Path, most: int | None) -> None:
        start = size_of_part(part)
        version = version_of(part, url) if start else None
        headers = {"Range": f"bytes={start}-"} if start else {}
        if version is not None:
            headers["If-Range"] = version
        try:
            with self._session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
                _check_status(response)
                if start and response.status_code != 200 and not is_the_rest(response, start, version):
                    forget(part)
                    raise _TryAgain("the server does not continue where the partial file ends", seconds=0)
                goes_on = response.status_code == 206
                to_come = announced_bytes(response.headers.get("Content-Length"))
                most = most_bytes(url, start if goes_on else 0, to_come, most, part.parent)
                if not goes_on:
                    keep_version(part, url, response.headers)
                self._receive(response.raw, part, "ab" if goes_on else "wb", url, most)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            cause = error.args[-1] if error.args else error
            raise _TryAgain(f"{type(error).__name__} ({getattr(cause, 'reason', cause)})") from error
        except (requests.RequestException, ValueError) as error:  # the second for a redirect to no address
            raise InputError(f"{url}: {error}; check `mirror`") from error

    def _receive(self, body: urllib3.HTTPResponse, part: Path, mode: str, url: str, most: int) -> None:
        """Write a body as it comes. Nothing is buffered, so that a killed download has all that had come."""
        since, n_since = time.monotonic(), 0
        with part.open(mode, buffering=0) as file:
            n_left = most - size_of_part(part)
            while chunk := body.read1(CHUNK_BYTES):
                n_left -= len(chunk)
                if n_left < 0:
                    forget(part)
                    raise too_long(url, most)
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view) :]
                self._count(len(chunk))
                n_since += len(chunk)
                if time.monotonic() - since > SLOWEST_SECONDS:
                    if n_since < SLOWEST_BYTES:
                        raise _TryAgain(f"only {n_since} bytes came in {SLOWEST_SECONDS:.0f} s")
                    since, n_since = time.monotonic(), 0


def open_mirror(
    mirror: str, path: str, streams: int, pause: Callable[[float], object] | None, setting: str = "mirror"
) -> Mirror:
    """Return the mirror of one data set.

    Parameters
    ----------
    mirror : str
        Base URL: ``https://host``, ``http://host`` or ``file:///absolute/folder``; more path may follow a host.
    path : str
        Where the data set is below that; may be empty. Buckets on Amazon S3 (``https://<bucket>.s3.amazonaws.com``)
        hold what PhysioNet has below ``files/`` without that folder.
    streams, pause
        As in `WebMirror`.
    setting : str
        What names `mirror` in messages.

    Raises
    ------
    InputError
        If the URL is of another form, or if the folder does not exist.
    """
    wanted = f"{setting} {mirror!r}: expected https://host, http://host or file:///absolute/folder"
    try:
        parts, below = urlsplit(mirror), mirror.partition("://")[2]
    except ValueError as error:
        raise InputError(f"{wanted} ({error})") from error
    if parts.scheme in ("http", "https") and parts.netloc:
        if (parts.hostname or "").endswith(".amazonaws.com"):
            path = path.strip("/").removeprefix("files/")
        return WebMirror(f"{mirror.rstrip('/')}/{quote(path.strip('/'))}".rstrip("/"), streams, pause)
    if parts.scheme == "file" and below.startswith("/"):
        root = Path(unquote(below))
        if not root.is_dir():
            raise InputError(
                f"{setting} {mirror!r}: folder {root} does not exist; expected one that holds {path or 'the data set'}"
            )
        return FolderMirror(root / path)
    raise InputError(wanted)


class _TryAgain(Exception):
    """A failure that may pass: the reason, how many seconds to wait if that is known, and if the server is busy."""

    def __init__(self, reason: str, seconds: float | None = None, is_busy: bool = False) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.is_busy = is_busy

    def seconds_to_wait(self, n_tries: int) -> float:
        """Return how long to wait after this many previous failures."""
        if self.seconds is None:
            return FIRST_WAIT_SECONDS * 2.0 ** min(n_tries, MOST_DOUBLINGS)
        # A busy server that requests no wait at all would be queried endlessly.
        return min(max(self.seconds, FIRST_WAIT_SECONDS * self.is_busy), LONGEST_WAIT_SECONDS)


def _check_status(response: requests.Response) -> None:
    """Raise what an answer without the file means; 416 (no such range) is left to the caller."""
    url, status = response.url, response.status_code
    if status in (200, 206) or (status == 416 and "Range" in response.request.headers):
        return
    if status in (429, 503):
        seconds = _seconds_to_wait(response.headers.get("Retry-After"))
        raise _TryAgain(f"the server answers {status}", seconds, is_busy=True)
    if status == 408 or status >= 500:
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
