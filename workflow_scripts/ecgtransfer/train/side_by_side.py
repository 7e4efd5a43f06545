"""Trainings that share their data and nothing else, in processes side by side."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import torch

from ecgtransfer.errors import InputError

Result = TypeVar("Result")

_function: Callable[[int], Any]  # of a worker process: handed over by the fork, not through a pipe


def side_by_side(function: Callable[[int], Result], n_calls: int, n_processes: int) -> list[Result]:
    """Return what `function` returns for 0 to `n_calls` - 1, called in up to `n_processes` processes at a time.

    Each has one thread: small models gain little from a second one, and the last digits of their sums do not depend on
    how many there are. The processes are forked, so what `function` holds is in memory once.

    Raises
    ------
    InputError
        If one of the processes is killed; and what `function` raises.
    """
    torch.set_num_threads(1)
    if min(n_processes, n_calls) == 1:
        return [function(number) for number in range(n_calls)]
    with ProcessPoolExecutor(
        min(n_processes, n_calls), multiprocessing.get_context("fork"), initializer=_take, initargs=(function,)
    ) as pool:
        try:
            return list(pool.map(_call, range(n_calls)))
        except BrokenProcessPool as error:
            raise InputError(
                "a process that this one had started was killed, perhaps because memory ran out; run again with fewer"
                " threads or more memory"
            ) from error


def _take(function: Callable[[int], Any]) -> None:
    global _function
    end_with_parent()
    _function = function
    torch.set_num_threads(1)


def _call(number: int) -> Any:
    return _function(number)


def end_with_parent() -> None:
    """Let this process, which multiprocessing has started, end as soon as the one that started it does.

    When a job is killed, what it has forked is not: it would go on training, and then wait for ever for its next call,
    while the job's next attempt waits for the GPUs that it holds.
    """
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
