"""Processes of tests: started by a fork, so that PyTorch is there at once, and watched until they are gone."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")


def started(function: Callable[..., Any], *arguments: Any) -> ForkProcess:
    """Start a process that can start processes itself."""
    process = FORK.Process(target=function, args=arguments)
    process.start()
    return process


def kill(process: ForkProcess) -> None:
    """Kill one process, and none that it has started."""
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def note_process(folder: Path) -> None:
    """Leave a file with the name of this process."""
    (folder / str(os.getpid())).touch()


def noted_processes(folder: Path) -> list[int]:
    """Return the processes that have left a file."""
    return [int(path.name) for path in folder.iterdir()]


def alive(processes: Iterable[int]) -> list[int]:
    """Return which of some processes still run; one that nobody has asked about since its end does not."""
    return [pid for pid in processes if _state_of(pid) not in ("Z", "X", "")]


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once something holds; fail if it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)
