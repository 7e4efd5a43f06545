"""One at a time across processes, for instance two checkouts that share their data folder."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

RUN_LOCK, JOBS_LOCK = Path(".snakemake", "run.lock"), Path(".snakemake", "jobs.lock")
"""Held by a run of the workflow in its folder, and shared by its jobs, which may outlive it."""


@contextmanager
def exclusive(path: Path, holder: str = "another download") -> Iterator[None]:
    """Hold the lock file `path` while the block runs; wait for whoever has it. The system frees it when they die.

    Processes that the block starts and gives all its files hold it as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning(f"{path}: waiting for {holder} that holds this lock")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems have no locks, and most runs are alone.
            logger.warning(f"{path}: no lock to be had here ({error}); run one at a time")
        yield


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the lock file `path` beside others who share it while the block runs, where there are locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            logger.info(f"{path}: no lock to be had here ({error})")
        yield
