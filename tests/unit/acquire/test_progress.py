"""What is reported about a download in progress."""

import io
import logging

import pytest

from ecgtransfer.acquire.progress import Progress
from ecgtransfer.acquire.space import in_words


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Fetched:
    n_bytes = 5_000  # of lists, before it begins

    def __call__(self):
        return self.n_bytes


def progress_of(clock, fetched, n_bytes, terminal=None):
    return Progress("here", 10, n_bytes, fetched, terminal or io.StringIO(), clock)


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_940, "99.9 kB"), (2.64e9, "2.6 GB"), (999_600, "1.0 MB")],
)
def test_bytes_in_words(n_bytes, words):
    assert in_words(n_bytes) == words


def test_rate_and_time_left_are_those_of_the_last_minute(clock):
    fetched = Fetched()
    progress = progress_of(clock, fetched, 1_000_000_000)
    for second in range(1, 301):
        clock.now = second
        fetched.n_bytes += 100_000 if second <= 200 else 1_000_000
        progress.show()
    assert progress.in_words() == "0 of 10 files, 120 MB of 1.0 GB, 1.0 MB/s, 15 min left"


def test_without_sizes_files_tell_the_time_left(clock):
    progress = progress_of(clock, Fetched(), None)
    progress.file_is_done()
    clock.now = 8.0
    progress.show()
    assert progress.in_words() == "1 of 10 files, 0 B, 0 B/s, 72 s left"


def test_total_that_was_too_low_an_estimate(clock):
    fetched, terminal = Fetched(), Terminal()
    progress = progress_of(clock, fetched, 1000.0, terminal)
    fetched.n_bytes += 2000
    clock.now = 1.0
    progress.show()
    assert "0 of 10 files, 2.0 kB of 1.0 kB, 2.0 kB/s, 0 s left" in terminal.getvalue()
    assert "[########################]" in terminal.getvalue()


def test_bar_on_a_terminal_and_lines_in_the_log(clock, caplog):
    fetched, terminal = Fetched(), Terminal()
    progress = progress_of(clock, fetched, 1000.0, terminal)
    with caplog.at_level(logging.INFO):
        for second in range(1, 26):
            clock.now, fetched.n_bytes = float(second), fetched.n_bytes + 20
            progress.show()
        progress.close()
    bars = terminal.getvalue().split("\r")[1:]
    assert len(bars) == 26 and terminal.getvalue().endswith("\n") and "\n" not in terminal.getvalue()[:-1]
    assert bars[-1].startswith("[############------------] 0 of 10 files, 500 B of 1.0 kB, 20 B/s, 25 s left")
    assert len(caplog.records) == 3  # after 10 s, after 20 s, at the end


def test_no_bar_without_a_terminal(clock):
    terminal = io.StringIO()
    progress = progress_of(clock, Fetched(), 1000.0, terminal)
    progress.show()
    progress.close()
    assert terminal.getvalue() == ""
