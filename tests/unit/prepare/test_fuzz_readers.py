"""Ten thousand broken files, the same in every run: read as an independent reader reads them, or refused in a line.

The cases run in a process of their own with little memory, so that a crash, a hang or a blow-up is seen as one.
"""

import faulthandler
import random
import resource
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from broken_files import KINDS

SLOWEST_S = 5
ADDRESS_SPACE = 1 << 29  # in addition to what the interpreter and its packages take
LARGEST_GROWTH_KB = 100_000


class Hang(BaseException):
    """A case that takes too long; no `Exception`, so that no reader takes it for a broken file."""


def run_cases(name: str) -> tuple[int, list[str]]:
    """Return how many cases of a kind were read, and what went wrong, for a process of its own."""
    kind = KINDS[name]
    signal.signal(signal.SIGALRM, _hang)
    n_read, failures = 0, []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        breakers = kind.write(folder)
        sound = {file: (folder / file).read_bytes() for file in breakers}
        if not kind.judge(folder):
            return 0, ["the sound file is refused"]
        limit_memory()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(kind.n_cases):
            rng = random.Random(f"{name} {i}")
            chosen = rng.choice(list(breakers)) if rng.random() < 0.4 else next(iter(breakers))
            for file, content in sound.items():
                (folder / file).write_bytes(breakers[file](rng, content) if file == chosen else content)
            faulthandler.dump_traceback_later(4 * SLOWEST_S, exit=True)
            signal.setitimer(signal.ITIMER_REAL, SLOWEST_S)
            try:
                n_read += kind.judge(folder)
            except (Exception, Hang) as error:
                failures.append(f"{name} {i} ({chosen}): {type(error).__name__}: {str(error)[:300]}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                faulthandler.cancel_dump_traceback_later()
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if growth > LARGEST_GROWTH_KB:
        failures.append(f"memory grew by {growth} kB")
    return n_read, failures


def _hang(*_: object) -> None:
    raise Hang(f"longer than {SLOWEST_S} s")


def limit_memory() -> None:
    """Let this process have little more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


@pytest.fixture(scope="module")
def processes() -> Iterator[Iterator[ProcessPoolExecutor]]:
    """Yield an endless row of single processes; the next is started when one has died."""
    started: list[ProcessPoolExecutor] = []

    def fresh() -> Iterator[ProcessPoolExecutor]:
        while True:
            if not started or started[-1]._broken:
                started.append(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
            yield started[-1]

    yield fresh()
    for process in started:
        process.shutdown()


def test_there_are_ten_thousand() -> None:
    assert sum(kind.n_cases for kind in KINDS.values()) == 10_000


@pytest.mark.parametrize("name", KINDS)
def test_broken_files(processes: Iterator[ProcessPoolExecutor], name: str) -> None:
    n_read, failures = next(processes).submit(run_cases, name).result()
    assert not failures, "\n".join([f"{len(failures)} wrong, the first:", *failures[:10]])
    assert KINDS[name].n_cases / 50 < n_read < KINDS[name].n_cases, (
        "cases that are all read or all refused show nothing"
    )
