"""One at a time across processes, for instance two checkouts that share their data folder."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from secrets import token_hex

from ecgtransfer.errors import InputError

logger = logging.getLogger(__name__)

RUN_LOCK, JOBS_LOCK = Path(".snakemake", "run.lock"), Path(".snakemake", "jobs.lock")
"""Held by a run in the folder of the workflow, and shared by its jobs, which may outlive it."""

_TOKEN = Path(".snakemake", "run.token")
_ENTITLED = "ECG_TRANSFER_RUN"  # in the environment of jobs: the token of the run that started them


@contextmanager
def alone_in_this_folder() -> Iterator[None]:
    """Wait for other runs in this folder and for jobs that a killed one left, and let no job of those begin."""
    with exclusive(RUN_LOCK, "another run in this folder"), ExitStack() as until_known:
        until_known.enter_context(exclusive(JOBS_LOCK, "the last jobs of a killed run"))
        os.environ[_ENTITLED] = token_hex(8)
        _TOKEN.write_text(os.environ[_ENTITLED], encoding="utf-8")
        until_known.close()
        yield


@contextmanager
def as_job() -> Iterator[None]:
    """Let the next run wait for the block.

    Raises
    ------
    InputError
        If another run has begun since the one that started this job.
    """
    with shared(JOBS_LOCK, wait=True):
        entitled = os.environ.get(_ENTITLED)
        if entitled is not None and (not _TOKEN.is_file() or _TOKEN.read_text(encoding="utf-8") != entitled):
            raise InputError("this job was started by a run that was killed, and another has begun; it writes nothing")
        yield


@contextmanager
def as_snakemake() -> Iterator[None]:
    """Let `make run` wait for Snakemake, where it was not started by it."""
    with nullcontext() if _ENTITLED in os.environ else shared(RUN_LOCK, wait=False):
        yield


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
            logger.warning(f"{path}: cannot be locked here ({error}); run one at a time")
        yield


@contextmanager
def shared(path: Path, wait: bool) -> Iterator[None]:
    """Hold the lock file `path`, shared with others, while the block runs, where there are locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            logger.info(f"{path}: cannot be locked here ({error})")
        yield
