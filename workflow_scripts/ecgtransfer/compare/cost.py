"""What trainings cost, and after how many targets a pre-training has paid for itself."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.compare.convergence import mean_over_replicates
from ecgtransfer.compare.findings import KEY_COLUMNS, key_of, sorted_table
from ecgtransfer.study import Cell

Facts = Mapping[str, Any]

COST_COLUMNS = [
    *("stage", *KEY_COLUMNS, "n_trainings", "wall_seconds", "device_seconds", "joules"),
    *("device", "threads", "processes"),
]
BREAK_EVEN_COLUMNS = [
    *(*KEY_COLUMNS, "pretraining_seconds", "saved_seconds", "ci_low", "ci_high"),
    *("break_even", "n_targets", "n_targets_low", "n_targets_high"),
]

PRETRAINING, TRAINING = "pretraining", "training"
AFTER, NEVER, UNKNOWN = "after", "never", "unknown"


def costs(cells: Mapping[Cell, Facts], pretrainings: Mapping[tuple[str, str], Sequence[Facts]]) -> pd.DataFrame:
    """Return what each cell and each pre-training cost.

    Parameters
    ----------
    cells
        The ``run.json`` of every cell.
    pretrainings
        Those of the pre-trainings by source and model, one per replicate of the pre-training. Sources whose weights
        come from outside have none.

    Returns
    -------
    pandas.DataFrame
        Columns `COST_COLUMNS`; ``stage`` is ``training`` for a cell, or ``pretraining``, which has a source and a model
        but no target, arm and fraction.

        ``n_trainings``
            Replicates.
        ``wall_seconds``, ``device_seconds``
            Of all epochs of all replicates, validation included. Side by side, in ``processes``, they took less
            together.
        ``joules``
            Of the device; empty where it does not tell.
        ``device``, ``threads``, ``processes``
            On what they ran. Costs on different devices do not compare.
    """
    rows = [
        {"stage": TRAINING, **key_of(cell), **_sums([facts], len(facts["replicates"]))} for cell, facts in cells.items()
    ]
    rows += [
        {"stage": PRETRAINING, "target": "", "source": source, "model": model, "arm": "", "fraction": math.nan}
        | _sums(replicates, len(replicates))
        for (source, model), replicates in pretrainings.items()
    ]
    return sorted_table(rows, COST_COLUMNS, ["stage", *KEY_COLUMNS])


def by_source_and_model(pretrainings: Iterable[Facts]) -> dict[tuple[str, str], list[Facts]]:
    """Return the ``run.json`` of pre-trainings as `costs` takes them; weights from outside are left out."""
    grouped: dict[tuple[str, str], list[Facts]] = {}
    for facts in pretrainings:
        if facts["task"] != "outside":
            grouped.setdefault((facts["source"], facts["model"]), []).append(facts)
    return grouped


def break_even(
    by_replicate: pd.DataFrame, pretrainings: Mapping[tuple[str, str], Sequence[Facts]], confidence: float
) -> pd.DataFrame:
    """Return after how many targets each pre-training has paid for itself, in wall time.

    Fine-tuning saves a target the time by which it reaches the goal, the same validation score, sooner than training
    from scratch does. Targets are taken to be like this one, each trained once.

    Parameters
    ----------
    by_replicate
        The table of `ecgtransfer.compare.convergence.replicate_convergence`.
    pretrainings
        As for `costs`. Of several replicates of a pre-training one is needed: the mean counts.
    confidence
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        Columns `BREAK_EVEN_COLUMNS`, a row per cell with transferred weights.

        ``pretraining_seconds``
            What the pre-training took; empty for weights from outside.
        ``saved_seconds``, ``ci_low``, ``ci_high``
            Per target, mean over replicates with Student's interval, which is empty for one replicate; below 0 where
            fine-tuning takes longer. Empty where fine-tuning never reached the goal in some replicate.
        ``break_even``
            ``after`` so many targets; ``never`` where nothing is saved or the goal is not reached; ``unknown`` where
            the cost of the pre-training is, or where there is no goal.
        ``n_targets``
            The first number of targets after which no more time was spent than without pre-training.
        ``n_targets_low``, ``n_targets_high``
            The same at the ends of the interval; the higher one is empty where that end saves nothing.
    """
    rows: list[dict[str, object]] = []
    for key, replicates in by_replicate.groupby(KEY_COLUMNS, sort=False):
        cell = dict(zip(KEY_COLUMNS, key, strict=True))
        pretraining = _wall_seconds(pretrainings.get((str(cell["source"]), str(cell["model"])), []))
        seconds = (replicates["seconds_scratch"] - replicates["seconds_transfer"]).to_numpy(dtype=np.float64)
        saved, low, high = mean_over_replicates(seconds, confidence)
        if replicates["goal"].isna().any() or (saved > 0 and math.isnan(pretraining)):
            answer = UNKNOWN
        else:
            answer = AFTER if saved > 0 else NEVER
        ends = {"n_targets": saved, "n_targets_low": high, "n_targets_high": low}
        rows.append(
            {
                **{**cell, "pretraining_seconds": pretraining},
                **{"saved_seconds": saved, "ci_low": low, "ci_high": high, "break_even": answer},
                **{name: _targets_to_pay(pretraining, each) for name, each in ends.items()},
            }
        )
    table = sorted_table(rows, BREAK_EVEN_COLUMNS, KEY_COLUMNS)
    return table.astype(dict.fromkeys(("n_targets", "n_targets_low", "n_targets_high"), "Int64"))


def _targets_to_pay(pretraining: float, saved: float) -> float:
    """Return after how many targets the savings reach the price; NaN where they never do or a number is missing."""
    if math.isnan(pretraining) or not saved > 0:
        return math.nan
    return math.ceil(round(pretraining / saved, 9))  # 100.00000000000001 is 100


def _wall_seconds(replicates: Sequence[Facts]) -> float:
    """Return the mean wall time of one pre-training; NaN where there is none."""
    return float(np.mean([facts["wall_seconds"] for facts in replicates])) if replicates else math.nan


def _sums(facts: Sequence[Facts], n_trainings: int) -> dict[str, object]:
    """Return what one or several files say together; their device is that of the first one."""
    joules = [each["energy_joules"] for each in facts]
    return {
        "n_trainings": n_trainings,
        "wall_seconds": float(sum(each["wall_seconds"] for each in facts)),
        "device_seconds": float(sum(each["device_seconds"] for each in facts)),
        "joules": math.nan if None in joules else float(sum(joules)),
        **{name: facts[0][name] for name in ("device", "threads", "processes")},
    }
