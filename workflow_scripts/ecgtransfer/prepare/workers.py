"""Work on chunks of a data set by several processes, with results in order and one clear line when one is killed."""

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ecgtransfer.errors import InputError

CHUNKS_AHEAD = 3
"""Chunks per process that are handed out before the first of them is returned: they bound the memory."""

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Workers:
    """Processes that apply a function to chunks; none other than this one where `pool` is None."""

    def __init__(self, pool: ProcessPoolExecutor | None, n_ahead: int) -> None:
        self._pool = pool
        self._n_ahead = n_ahead

    def each(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield what `function`, one that can be pickled, returns for each chunk, in the order of the chunks."""
        if self._pool is None:
            yield from map(function, chunks)
            return
        under_way: deque[Future[Result]] = deque()
        for chunk in chunks:
            under_way.append(self._pool.submit(function, chunk))
            if len(under_way) == self._n_ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


@contextmanager
def workers(n_workers: int) -> Iterator[Workers]:
    """Yield `n_workers` processes, with one thread for linear algebra in each.

    The matrix products of a recording are too small to share, and their last digits depend on how they are shared.

    Raises
    ------
    InputError
        If one of the processes is killed.
    """
    if n_workers == 1:
        with threadpool_limits(1):
            yield Workers(None, 0)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(n_workers, mp_context=context, initializer=threadpool_limits, initargs=(1,)) as pool:
        try:
            yield Workers(pool, CHUNKS_AHEAD * n_workers)
        except BrokenProcessPool as error:
            raise InputError(
                "a process that this one had started was killed, perhaps because memory ran out; run again with fewer"
                " threads or more memory"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
