"""What transfer gains over training from scratch, run by run, with interval and verdict."""

from collections.abc import Sequence

import pandas as pd

from ecgtransfer.compare.runs import Run, cell_of, mean_with_interval, pairs
from ecgtransfer.compare.tables import CELL_COLUMNS, sorted_table
from ecgtransfer.statistics.inference import verdict

VERDICT_COLUMNS = [*CELL_COLUMNS, "metric", "scratch", "transfer", "delta", "ci_low", "ci_high", "verdict"]


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
