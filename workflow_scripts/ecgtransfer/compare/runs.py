"""The runs of a study, each a cell with the scores of its replicates, in pairs with their partners from scratch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH, Cell
from ecgtransfer.compare.tables import key_of
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.inference import Variance, percentile_interval, resampled_mean
from ecgtransfer.statistics.resampling import replicate_draws

Array = NDArray[Any]
ALL_MODELS, ALL_SOURCES = "all models", "all sources"
"""Used as the model and the source of a mean."""
AnyCell = TypeVar("AnyCell", bound=Cell)


@dataclass(frozen=True)
class Run(Cell):
    """One cell of a study with all its replicates: what `ecgtransfer.compare.scores` found for it."""

    scores: pd.DataFrame
    resamples: Mapping[str, Array]  # each metric of label macro (R, B)
    n_train: Array  # (R,) training records
    n_train_patients: Array  # (R,)

    def macro_scores(self, metric: str) -> Array:
        """Return each replicate's value of a macro metric on the whole test set, (R,)."""
        rows = self.scores[(self.scores["label"] == "macro") & (self.scores["metric"] == metric)]
        values = rows.sort_values("replicate")["value"].to_numpy(dtype=np.float64)
        if len(values) != len(self.resamples[metric]):
            raise InputError(
                f"{self.name}: {len(values)} replicates in the scores, {len(self.resamples[metric])} in the resamples;"
                " score the run again"
            )
        return values


def pairs(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Yield every run with transferred weights with its partner from scratch: same target, model and fraction.

    Raises
    ------
    InputError
        If a partner is missing, or as `check_pair`.
    """
    for run, scratch in with_partners(runs):
        check_pair(run, scratch)
        yield run, scratch


def with_partners(cells: Sequence[AnyCell]) -> Iterator[tuple[AnyCell, AnyCell]]:
    """Yield every cell with transferred weights with its partner from scratch, InputError if that is missing."""
    partners = {(cell.target, cell.model, cell.fraction): cell for cell in cells if cell.arm == SCRATCH}
    for cell in cells:
        if cell.arm == SCRATCH:
            continue
        scratch = partners.get((cell.target, cell.model, cell.fraction))
        if scratch is None:
            raise InputError(f"{cell.name}: no run from scratch of the same target, model and fraction to compare with")
        yield cell, scratch


def check_pair(run: Run, scratch: Run) -> None:
    """Raise InputError if two runs differ in replicates, training subsets or resamples."""
    if not np.array_equal(run.n_train, scratch.n_train):
        raise InputError(
            f"{run.name} and {scratch.name}: replicates or training subsets differ ({run.n_train.tolist()} and"
            f" {scratch.n_train.tolist()} records), so they are no pair; train both again"
        )
    of_run, of_scratch = ({name: array.shape for name, array in each.resamples.items()} for each in (run, scratch))
    if of_run != of_scratch:
        raise InputError(f"{run.name} and {scratch.name}: resamples differ in number or metrics; score both again")


def mean_with_interval(
    values: Array, resampled: Array, confidence: float, seed: int, variance: Variance | None = None
) -> tuple[float, float, float]:
    """Return mean over replicates, low and high from (R,) values and their (R, B) resamples.

    `variance` is as in `ecgtransfer.statistics.inference.resampled_mean`.
    """
    mean = float(values.mean())
    draws = resampled_mean(values, resampled, replicate_draws(*resampled.shape, seed), variance)
    low, high = percentile_interval(draws, mean, confidence)
    return mean, low, high


def cell_of(run: Run, metric: str) -> dict[str, object]:
    """Return the first columns of a row on a run and a metric."""
    return {**key_of(run), "n_train": round(float(run.n_train.mean())), "metric": metric}
