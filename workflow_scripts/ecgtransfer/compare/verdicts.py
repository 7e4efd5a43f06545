"""What transfer gains over training from scratch, run by run, with interval and verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run, cell_of, mean_with_interval, pairs
from ecgtransfer.compare.tables import CELL_COLUMNS, sorted_table
from ecgtransfer.compare.variances import Compared, How, variances_of
from ecgtransfer.statistics.inference import Variance, verdict

Array = NDArray[Any]

VERDICT_COLUMNS = [*CELL_COLUMNS, "metric", "scratch", "transfer", "delta", "ci_low", "ci_high", "verdict"]


@dataclass(frozen=True)
class Comparison:
    """A run with transferred weights and its partner from scratch, by one metric.

    Attributes
    ----------
    values, resampled
        What it gains in each replicate, (R,), and on every resample of the test patients, (R, B).
    variance
        How far replicates vary, None where only these replicates tell.
    """

    run: Run
    scratch: Run
    metric: str
    values: Array
    resampled: Array
    variance: Variance | None


def comparisons(runs: Sequence[Run], variance: How) -> Iterator[Comparison]:
    """Yield every run with transferred weights against its partner from scratch, by each metric.

    Partners have the same target, model and fraction; replicate r of one is compared with replicate r of the other, on
    the same patient resamples. With `variance` ``moderated``, all gains of a metric tell how far replicates vary.

    Raises
    ------
    InputError
        If a partner is missing, or differs in its replicates, training subsets or resamples.
    """
    paired = list(pairs(runs))
    for metric in dict.fromkeys(metric for run, _ in paired for metric in run.resamples):
        together = [(run, scratch) for run, scratch in paired if metric in run.resamples]
        gains = [run.macro_scores(metric) - scratch.macro_scores(metric) for run, scratch in together]
        compared = [
            Compared(values, run.target, run.method, float(run.n_train.mean()), scratch.name)
            for values, (run, scratch) in zip(gains, together, strict=True)
        ]
        known = variances_of(compared, variance)
        for values, each, (run, scratch) in zip(gains, known, together, strict=True):
            resampled = run.resamples[metric] - scratch.resamples[metric]
            yield Comparison(run, scratch, metric, values, resampled, each)


def verdicts(runs: Sequence[Run], confidence: float, margin: float, seed: int, variance: How = "own") -> pd.DataFrame:
    """Return what every run with transferred weights gains over its partner from scratch, with interval and verdict.

    The comparisons are those of `comparisons`, the verdict is by `ecgtransfer.statistics.inference.verdict`. Columns:
    `VERDICT_COLUMNS`.

    Raises
    ------
    InputError
        As `comparisons`.
    """
    rows = []
    for each in comparisons(runs, variance):
        delta, low, high = mean_with_interval(each.values, each.resampled, confidence, seed, each.variance)
        rows.append(
            {
                **cell_of(each.run, each.metric),
                "scratch": each.scratch.macro_scores(each.metric).mean(),
                "transfer": each.run.macro_scores(each.metric).mean(),
                "delta": delta,
                "ci_low": low,
                "ci_high": high,
                "verdict": verdict(low, high, margin),
            }
        )
    return sorted_table(rows, VERDICT_COLUMNS)
