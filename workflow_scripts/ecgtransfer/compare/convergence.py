"""Convergence: how long transfer and training from scratch take to the same validation score, and who catches up when.

The goal of a pair is `GOAL` of the best validation macro AUROC of the run from scratch: of the score itself, not of its
distance from 0.5. Nothing here reads test records.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from ecgtransfer.arms import SCRATCH, Cell
from ecgtransfer.compare.runs import with_partners
from ecgtransfer.compare.tables import KEY_COLUMNS, key_of, sorted_table
from ecgtransfer.errors import InputError
from ecgtransfer.methods import method_of
from ecgtransfer.train.settings import TrainingSettings

Array = NDArray[Any]

GOAL = 0.99
MEASURES = ("epochs", "steps", "seconds")

REPLICATE_CONVERGENCE_COLUMNS = [
    *(*KEY_COLUMNS, "replicate", "goal"),
    *(f"{measure}_{arm}" for measure in MEASURES for arm in ("scratch", "transfer")),
    *("epochs_run_scratch", "epochs_run_transfer", "transfer_best", "catch_up_epoch"),
]

_COUNTS = ["epochs_scratch", "epochs_transfer", "steps_scratch", "steps_transfer", "catch_up_epoch"]
_SAME_SCORE = 1e-9  # as in the choice of the best epoch


@dataclass(frozen=True)
class Training(Cell):
    """How the replicates of one cell were trained.

    Attributes
    ----------
    epochs
        The cell's ``history.csv``: ``replicate``, ``epoch``, ``valid_loss``, ``valid_macro_auroc``, ``seconds``.
    steps_per_epoch
        Optimiser steps in an epoch of each replicate, (R,); NaN where there is no optimiser, as with ``svm``.
    """

    epochs: pd.DataFrame
    steps_per_epoch: Array

    def replicate(self, number: int) -> "Trajectory":
        """Return how one replicate went."""
        rows = self.epochs[self.epochs["replicate"] == number].sort_values("epoch")
        scores = rows["valid_macro_auroc"].to_numpy(dtype=np.float64)
        if not math.isnan(self.steps_per_epoch[number]):  # one without a finite loss has diverged
            scores = np.where(np.isfinite(rows["valid_loss"].to_numpy(dtype=np.float64)), scores, np.nan)
        seconds = rows["seconds"].to_numpy(dtype=np.float64)
        return Trajectory(scores, seconds.cumsum(), float(self.steps_per_epoch[number]))


@dataclass(frozen=True)
class Trajectory:
    """One training: the validation score after each epoch, NaN where there is none, and what it had cost by then."""

    scores: Array  # (E,)
    seconds: Array  # (E,) from the start
    steps_per_epoch: float

    @property
    def best(self) -> float:
        """The highest score; NaN where no epoch has one."""
        known = self.scores[~np.isnan(self.scores)]
        return float(known.max()) if len(known) else math.nan

    def epochs_until(self, score: float) -> float:
        """Return the first epoch, from 1, with such a score or a higher one; NaN if there is none."""
        reached = np.flatnonzero(self.scores >= score - _SAME_SCORE)
        return float(reached[0] + 1) if len(reached) else math.nan

    def cost_until(self, score: float) -> dict[str, float]:
        """Return each of `MEASURES` until the first epoch with such a score or a higher one; NaN if there is none."""
        epochs = self.epochs_until(score)
        seconds = math.nan if math.isnan(epochs) else float(self.seconds[int(epochs) - 1])
        return dict(zip(MEASURES, (epochs, epochs * self.steps_per_epoch, seconds), strict=True))


def training_of(cell: Cell, history: pd.DataFrame, metadata: Mapping[str, Any]) -> Training:
    """Return how a cell was trained, from its ``history.csv`` and ``run.json``."""
    settings = TrainingSettings(**metadata["settings"])
    by_gradients = cell.arm == SCRATCH or method_of(cell.method).by_gradients
    steps = [
        settings.steps_per_epoch(replicate["n_train"]) if by_gradients else math.nan
        for replicate in metadata["replicates"]
    ]
    return Training(cell.target, cell.model, cell.arm, cell.fraction, history, np.asarray(steps, dtype=np.float64))


def trainings_of(metadata: Mapping[Cell, Mapping[str, Any]], histories: Mapping[Cell, pd.DataFrame]) -> list[Training]:
    """Return how all cells were trained, from the ``run.json`` and the ``history.csv`` of each."""
    return [training_of(cell, histories[cell], of_cell) for cell, of_cell in metadata.items()]


def replicate_convergence(trainings: Sequence[Training]) -> pd.DataFrame:
    """Return, for every replicate of every cell with transferred weights, how long it and its partner took.

    Parameters
    ----------
    trainings
        All cells of a study. Replicate r of a cell is compared with replicate r of the cell from scratch with the same
        target, model and fraction.

    Returns
    -------
    pandas.DataFrame
        Columns `REPLICATE_CONVERGENCE_COLUMNS`.

        ``goal``
            `GOAL` of the best validation macro AUROC of the partner from scratch.
        ``epochs_...``, ``steps_...``, ``seconds_...``
            Until the first epoch that reached the goal, this epoch included; wall time. Empty where none did, and for
            steps of an arm without an optimiser.
        ``epochs_run_...``
            All epochs that it was trained for.
        ``transfer_best``
            The best validation macro AUROC of the run with transferred weights.
        ``catch_up_epoch``
            The epoch in which the run from scratch first reached that; empty where it never did in the
            ``epochs_run_scratch`` that it had.

    Raises
    ------
    InputError
        If a partner is missing or has other replicates.
    """
    rows = [
        _compared(transfer, scratch, replicate)
        for transfer, scratch in _pairs(trainings)
        for replicate in range(len(transfer.steps_per_epoch))
    ]
    table = sorted_table(rows, REPLICATE_CONVERGENCE_COLUMNS, [*KEY_COLUMNS, "replicate"])
    return table.astype(dict.fromkeys(_COUNTS, "Int64"))


def mean_over_replicates(values: Array, confidence: float) -> tuple[float, float, float]:
    """Return mean, low and high by Student's t; NaN where a value is, and for the interval of a single one."""
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, 0.5 + confidence / 2) * values.std(ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def _pairs(trainings: Sequence[Training]) -> Iterator[tuple[Training, Training]]:
    """Yield every training with transferred weights with its partner from scratch."""
    for training, scratch in with_partners(trainings):
        if len(scratch.steps_per_epoch) != len(training.steps_per_epoch):
            raise InputError(f"{training.name} and {scratch.name}: replicates differ in number; train both again")
        yield training, scratch


def _compared(training: Training, partner: Training, replicate: int) -> dict[str, object]:
    """Return the row of one replicate."""
    transfer, scratch = training.replicate(replicate), partner.replicate(replicate)
    goal = GOAL * scratch.best
    costs = {"scratch": scratch.cost_until(goal), "transfer": transfer.cost_until(goal)}
    return {
        **key_of(training),
        "replicate": replicate,
        "goal": goal,
        **{f"{measure}_{arm}": costs[arm][measure] for measure in MEASURES for arm in costs},
        "epochs_run_scratch": len(scratch.scores),
        "epochs_run_transfer": len(transfer.scores),
        "transfer_best": transfer.best,
        "catch_up_epoch": scratch.epochs_until(transfer.best),
    }
