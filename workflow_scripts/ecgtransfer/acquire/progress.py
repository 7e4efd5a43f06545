"""How far a download is: lines in the log, and a bar where people watch."""

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from ecgtransfer.acquire.space import in_words

LOG_SECONDS = 10.0
BAR_SECONDS = 0.5
WINDOW_SECONDS = 60.0
"""The rate is that of the last minute: hosts change theirs."""
BAR_WIDTH = 24

logger = logging.getLogger(__name__)


class Progress:
    """The state of a download in words.

    Parameters
    ----------
    name : str
        What is downloaded.
    n_files : int
        How many files it has.
    n_bytes : float or None
        How many bytes that is, None if unknown.
    fetched : callable
        Returns how many bytes have been fetched so far.
    terminal : file
        Where the bar is drawn, if it is a terminal.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        name: str,
        n_files: int,
        n_bytes: float | None,
        fetched: Callable[[], int],
        terminal: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._n_files, self._n_bytes = name, n_files, n_bytes
        self._fetched, self._terminal, self._clock = fetched, terminal, clock
        self._has_bar = terminal.isatty()
        self._past = deque([(clock(), fetched(), 0)])
        self._start_bytes = fetched()
        self._logged_at = clock()
        self._came_at = clock()
        self._n_done = 0
        self._lock = threading.Lock()

    @property
    def interval_s(self) -> float:
        """How often `show` is worth calling."""
        return BAR_SECONDS if self._has_bar else LOG_SECONDS

    def file_is_done(self) -> None:
        """Count a file; may be called from any thread."""
        with self._lock:
            self._n_done += 1

    def show(self) -> None:
        """Redraw the bar, and write a line into the log if the last one is some time ago."""
        now, fetched = self._clock(), self._fetched()
        if fetched != self._past[-1][1]:
            self._came_at = now
        self._past.append((now, fetched, self._n_done))
        while len(self._past) > 2 and now - self._past[1][0] >= WINDOW_SECONDS:
            self._past.popleft()
        line = self.in_words()
        if self._has_bar:
            filled = round(BAR_WIDTH * self._fraction())
            self._terminal.write(f"\r[{'#' * filled:-<{BAR_WIDTH}}] {line}\033[K")
            self._terminal.flush()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            logger.info(f"{self._name}: {line}")

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the state while the block runs, and nothing of what is soon over."""
        ended = threading.Event()

        def show() -> None:
            while not ended.wait(self.interval_s):
                self.show()

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self._has_bar:
                self._terminal.write("\r\033[K")
                self._terminal.flush()

    def close(self) -> None:
        """Leave the last state in the log and the terminal's line to others."""
        self._logged_at = float("-inf")
        self.show()
        if self._has_bar:
            self._terminal.write("\n")
            self._terminal.flush()

    def in_words(self) -> str:
        """Return what is done, the rate of the last minute and the time left."""
        (first, first_bytes, first_files), (last, last_bytes, last_files) = self._past[0], self._past[-1]
        seconds = max(last - first, 1e-3)
        fetched, rate = last_bytes - self._start_bytes, (last_bytes - first_bytes) / seconds
        of_bytes = "" if self._n_bytes is None else f" of {in_words(self._n_bytes)}"
        words = f"{self._n_done} of {self._n_files} files, {in_words(fetched)}{of_bytes}, {in_words(rate)}/s"
        left = self._n_files - self._n_done
        if left and last - self._came_at >= LOG_SECONDS:
            return f"{words}, waiting: nothing received for {_time_in_words(last - self._came_at)}"
        if self._n_bytes is not None:
            seconds_left = max(self._n_bytes - fetched, 0) / rate if rate else None
        else:
            seconds_left = left * seconds / (last_files - first_files) if last_files > first_files else None
        return words + (f", {_time_in_words(seconds_left)} left" if left and seconds_left is not None else "")

    def _fraction(self) -> float:
        """Return how much is done; a total that is an estimate may be passed."""
        if self._n_bytes:
            return min((self._past[-1][1] - self._start_bytes) / self._n_bytes, 1.0)
        return self._n_done / max(self._n_files, 1)


def _time_in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
