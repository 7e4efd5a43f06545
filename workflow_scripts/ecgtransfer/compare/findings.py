"""Findings over all runs: learning curves, and what transfer does against training from scratch."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.scores import MACRO_METRICS, load_resamples
from ecgtransfer.csv_tables import read_table
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.inference import percentile_interval, resampled_mean, verdict
from ecgtransfer.statistics.resampling import replicate_draws
from ecgtransfer.study import Cell

Array = NDArray[Any]
AnyCell = TypeVar("AnyCell", bound=Cell)

KEY_COLUMNS = ["target", "source", "model", "arm", "fraction"]
CELL_COLUMNS = [*KEY_COLUMNS, "n_train"]
CURVE_COLUMNS = [
    *CELL_COLUMNS,
    *("n_train_patients", "metric", "score", "ci_low", "ci_high", "replicate_sd", "n_replicates"),
]
VERDICT_COLUMNS = [*CELL_COLUMNS, "metric", "scratch", "transfer", "delta", "ci_low", "ci_high", "verdict"]

_ORDER = [*KEY_COLUMNS, "metric"]
_DECIMALS = 6


@dataclass(frozen=True)
class Run(Cell):
    """One cell of a study with all its replicates: what `ecgtransfer.compare.scores` found for it."""

    scores: pd.DataFrame
    resamples: dict[str, Array]  # each metric of label macro (R, B)
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


def load_run(
    target: str,
    model: str,
    arm: str,
    fraction: float,
    scores_path: str | os.PathLike[str],
    resamples_path: str | os.PathLike[str],
) -> Run:
    """Read a run's scores table and resamples, both written by the scoring stage."""
    resamples = load_resamples(resamples_path)
    n_train, n_train_patients = resamples.pop("n_train"), resamples.pop("n_train_patients")
    return Run(target, model, arm, fraction, read_table(scores_path), resamples, n_train, n_train_patients)


def read_findings(path: str | os.PathLike[str] | TextIO) -> pd.DataFrame:
    """Return a table of findings; scratch has an empty source, and a pre-training an empty target and arm."""
    return read_table(path).fillna({"target": "", "source": "", "arm": ""})


def learning_curves(runs: Sequence[Run], confidence: float, seed: int) -> pd.DataFrame:
    """Return the mean score over replicates of every run and macro metric, with interval.

    The interval covers test patients and replicates (`ecgtransfer.statistics.inference.resampled_mean`) and
    stays within [0, 1]; the Challenge's score can be below 0.
    ``replicate_sd`` is the standard deviation over replicates, empty for a single one. Columns: `CURVE_COLUMNS`.
    """
    rows = []
    for run in runs:
        for metric in run.resamples:
            values = run.macro_scores(metric)
            score, low, high = mean_with_interval(values, run.resamples[metric], confidence, seed)
            lowest = 0 if metric in MACRO_METRICS else -np.inf
            rows.append(
                {
                    **cell_of(run, metric),
                    "n_train_patients": round(float(run.n_train_patients.mean())),
                    "score": score,
                    "ci_low": float(np.clip(low, lowest, 1)),
                    "ci_high": float(np.clip(high, lowest, 1)),
                    "replicate_sd": values.std(ddof=1) if len(values) > 1 else np.nan,
                    "n_replicates": len(values),
                }
            )
    return sorted_table(rows, CURVE_COLUMNS)


def verdicts(runs: Sequence[Run], confidence: float, margin: float, seed: int) -> pd.DataFrame:
    """Return what every run with transferred weights gains over its partner from scratch, with interval and verdict.

    Partners have the same target, model and fraction; replicate r of one is compared with replicate r of the other, on
    the same patient resamples. Columns: `VERDICT_COLUMNS`; the verdict is by
    `ecgtransfer.statistics.inference.verdict`.

    Raises
    ------
    InputError
        If a partner is missing, or differs in its replicates, training subsets or resamples.
    """
    rows = []
    for run, scratch in pairs(runs):
        for metric in run.resamples:
            transferred, plain = run.macro_scores(metric), scratch.macro_scores(metric)
            resampled = run.resamples[metric] - scratch.resamples[metric]
            delta, low, high = mean_with_interval(transferred - plain, resampled, confidence, seed)
            rows.append(
                {
                    **cell_of(run, metric),
                    "scratch": plain.mean(),
                    "transfer": transferred.mean(),
                    "delta": delta,
                    "ci_low": low,
                    "ci_high": high,
                    "verdict": verdict(low, high, margin),
                }
            )
    return sorted_table(rows, VERDICT_COLUMNS)


def pairs(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Yield every run with transferred weights beside its partner from scratch: same target, model and fraction.

    Raises
    ------
    InputError
        If a partner is missing, or as `check_pair`.
    """
    for run, scratch in with_partners(runs):
        check_pair(run, scratch)
        yield run, scratch


def with_partners(cells: Sequence[AnyCell]) -> Iterator[tuple[AnyCell, AnyCell]]:
    """Yield every cell with transferred weights beside its partner from scratch, InputError if that is missing."""
    partners = {(cell.target, cell.model, cell.fraction): cell for cell in cells if cell.arm == SCRATCH}
    for cell in cells:
        if cell.arm == SCRATCH:
            continue
        scratch = partners.get((cell.target, cell.model, cell.fraction))
        if scratch is None:
            raise InputError(f"{cell.name}: no run from scratch of the same target, model and fraction to compare with")
        yield cell, scratch


def mean_with_interval(values: Array, resampled: Array, confidence: float, seed: int) -> tuple[float, float, float]:
    """Return mean over replicates, low and high from (R,) values and their (R, B) resamples."""
    mean = float(values.mean())
    draws = resampled_mean(values, resampled, replicate_draws(*resampled.shape, seed))
    low, high = percentile_interval(draws, mean, confidence)
    return mean, low, high


def key_of(cell: Cell) -> dict[str, object]:
    """Return the `KEY_COLUMNS` of a row on a cell."""
    return {name: getattr(cell, name) for name in KEY_COLUMNS}


def cell_of(run: Run, metric: str) -> dict[str, object]:
    """Return the first columns of a row on a run and a metric."""
    return {**key_of(run), "n_train": round(float(run.n_train.mean())), "metric": metric}


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


def sorted_table(rows: list[dict[str, object]], columns: list[str], order: list[str] = _ORDER) -> pd.DataFrame:
    """Return the rows in a fixed order, numbers rounded for a table that is the same on every machine."""
    table = pd.DataFrame(rows, columns=columns).sort_values(order, kind="stable", ignore_index=True)
    numbers = table.select_dtypes("float").columns.drop("fraction", errors="ignore")
    table[numbers] = table[numbers].round(_DECIMALS) + 0.0  # + 0.0: no "-0.0" in the file
    return table
