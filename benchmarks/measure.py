"""Times of two ways to do the same thing, and how a result compares with its goal."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import NamedTuple

LEAST_REPEATS = 5
"""Fewer runs make no median worth printing."""


@dataclass(frozen=True)
class Result:
    """One measured value, in `unit`, and the goal that it should reach, or stay under where `at_most` is set."""

    name: str
    value: float
    unit: str
    goal: float
    at_most: bool = False

    @property
    def meets(self) -> bool:
        """Whether the value is as good as the goal; a value that is no number is not."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def as_json(self) -> dict[str, str | float | bool]:
        """Return the entry of ``results/<bench>.json``; the unit says which way the goal goes."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": f"{self.unit}, at {'most' if self.at_most else 'least'}",
            "goal": self.goal,
            "meets": self.meets,
        }


class Times(NamedTuple):
    """Median seconds of two functions, and the median over turns of how many times longer the second took."""

    first_s: float
    second_s: float
    second_to_first: float


def interleaved(first: Callable[[], object], second: Callable[[], object], repeats: int) -> Times:
    """Return the medians of two functions that are run in turn.

    A slow minute of the machine then slows both, and the ratio is taken within each turn, so that it cancels. Each
    function runs once beforehand without being timed; the one that goes first changes with every turn.

    Parameters
    ----------
    first, second
        What to time.
    repeats
        How many turns, at least `LEAST_REPEATS`.
    """
    _check(repeats)
    first()
    second()
    turns: list[tuple[float, float]] = []
    for turn in range(repeats):
        if turn % 2 == 0:
            of_first, of_second = _seconds(first), _seconds(second)
        else:
            of_second, of_first = _seconds(second), _seconds(first)
        turns.append((of_first, of_second))
    return Times(
        median(of_first for of_first, _ in turns),
        median(of_second for _, of_second in turns),
        median(of_second / of_first for of_first, of_second in turns),
    )


def repeated(function: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of one function, run once beforehand; for limits in seconds, which have no peer."""
    _check(repeats)
    function()
    return median(_seconds(function) for _ in range(repeats))


def measured_by(bench: str) -> list[Result]:
    """Return what the module `bench` of this package measures."""
    results: list[Result] = import_module(f"benchmarks.{bench}").measure()
    return results


def _check(repeats: int) -> None:
    if repeats < LEAST_REPEATS:
        raise ValueError(f"{repeats} repeats, expected at least {LEAST_REPEATS}")


def _seconds(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start
