"""Gains of cells put together: their means and differences, over the test patients of all targets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run
from ecgtransfer.errors import InputError

Array = NDArray[Any]

CONVOLUTIONAL, RECURRENT = "convolutional", "recurrent"
"""The families of models whose gains are compared."""

_ORDERS = 2  # a random stream in addition to those of patients and replicates


@dataclass(frozen=True)
class Gain:
    """What transfer gains in one cell, or a mean or difference of such gains of one target."""

    target: str
    model: str
    arm: str
    fraction: float
    values: Array  # (R,) of each replicate
    resampled: Array  # (R, B) on every resample
    n_cells: int = 1

    @classmethod
    def of(cls, run: Run, scratch: Run, metric: str) -> "Gain":
        """Return what a run gains over its partner from scratch."""
        values = run.macro_scores(metric) - scratch.macro_scores(metric)
        resampled = run.resamples[metric] - scratch.resamples[metric]
        return cls(run.target, run.model, run.arm, run.fraction, values, resampled)

    @property
    def name(self) -> str:
        """In words, for messages."""
        return f"{self.target}/{self.model}/{self.arm}"

    def minus(self, other: "Gain") -> "Gain":
        """Return the difference of two gains of one target, paired by replicate and resample."""
        _check_alike(self, other)
        values, resampled = self.values - other.values, self.resampled - other.resampled
        return replace(self, values=values, resampled=resampled, n_cells=self.n_cells + other.n_cells)


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Return the mean of gains, replicate by replicate and resample by resample."""
    for gain in gains[1:]:
        _check_alike(gain, gains[0])
    return replace(
        gains[0],
        values=np.mean([gain.values for gain in gains], axis=0),
        resampled=np.mean([gain.resampled for gain in gains], axis=0),
        n_cells=sum(gain.n_cells for gain in gains),
    )


def mean_over_targets(gains: Sequence[Gain], seed: int) -> Gain:
    """Return the mean of gains of any targets; those of one target have the same test patients.

    Resample b of one target is put together with any other one of the next target, as their patients are independent.
    So are replicates: their means over targets are independent of each other, whether or not what replicate r of two
    targets started from is the same.

    Raises
    ------
    InputError
        If gains differ in the number of replicates or resamples.
    """
    orders: dict[str, Array] = {}
    for number, target in enumerate(sorted({gain.target for gain in gains})):
        orders[target] = np.arange(gains[0].resampled.shape[1])
        if number:
            np.random.default_rng([seed, _ORDERS, number]).shuffle(orders[target])
    for gain in gains:
        _check_alike(gain, gains[0])
    return mean_gain([replace(gain, resampled=gain.resampled[:, orders[gain.target]]) for gain in gains])


def _check_alike(gain: Gain, other: Gain) -> None:
    if gain.resampled.shape != other.resampled.shape:
        raise InputError(
            f"{gain.name} and {other.name}: numbers of replicates and resamples differ ({gain.resampled.shape} and"
            f" {other.resampled.shape}); train and score both again"
        )
