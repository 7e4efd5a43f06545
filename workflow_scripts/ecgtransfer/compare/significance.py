"""Significance: p-values of what transfer gains, adjusted for their number, and whether it is shown to be small."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecgtransfer.compare.findings import CELL_COLUMNS, Run, cell_of, pairs, sorted_table
from ecgtransfer.statistics.inference import equivalence, holm, percentile_interval, resampled_mean, two_sided_p
from ecgtransfer.statistics.resampling import replicate_draws

SIGNIFICANCE_COLUMNS = [
    *(*CELL_COLUMNS, "metric", "delta", "ci_low", "ci_high"),
    *("p_value", "p_holm", "equivalent", "n_resamples_valid"),
]
EQUIVALENCE_CONFIDENCE = 0.9
"""Of the interval that two one-sided tests at 5 % ask for."""


def significance(runs: Sequence[Run], confidence: float, margin: float, seed: int) -> pd.DataFrame:
    """Return p-values and tests of equivalence for every run with transferred weights against its partner.

    Parameters
    ----------
    runs
        All cells of a study.
    confidence, margin, seed
        As for `ecgtransfer.compare.findings.verdicts`, whose draws these are.

    Returns
    -------
    pandas.DataFrame
        Columns `SIGNIFICANCE_COLUMNS`, a row per cell with transferred weights and metric.

        ``delta``, ``ci_low``, ``ci_high``
            As in the verdicts.
        ``p_value``
            Two-sided, of no difference; below 1 - `confidence` exactly where the interval excludes 0.
        ``p_holm``
            The same, adjusted for all rows of its metric.
        ``equivalent``
            1 where two one-sided tests, at 5 % each, show the difference to lie within +-`margin`, else 0.
        ``n_resamples_valid``
            Resamples of test patients on which the difference is known in all replicates.

    Raises
    ------
    InputError
        If a partner is missing, or differs in its replicates, training subsets or resamples.

    Notes
    -----
    No p-value is below 2 / (B + 1), with B valid resamples. So of m rows none can have an adjusted p below 0.05 unless
    there are some 40 m resamples: a small ``p_holm`` needs a large ``score.n_resamples``.
    """
    rows: list[dict[str, object]] = []
    for run, scratch in pairs(runs):
        for metric in run.resamples:
            values = run.macro_scores(metric) - scratch.macro_scores(metric)
            resampled = run.resamples[metric] - scratch.resamples[metric]
            delta = float(values.mean())
            draws = resampled_mean(values, resampled, replicate_draws(*resampled.shape, seed))
            low, high = percentile_interval(draws, delta, confidence)
            low90, high90 = percentile_interval(draws, delta, EQUIVALENCE_CONFIDENCE)
            rows.append(
                {
                    **cell_of(run, metric),
                    **{"delta": delta, "ci_low": low, "ci_high": high},
                    "p_value": two_sided_p(draws, delta),
                    "equivalent": int(equivalence(low90, high90, margin)),
                    "n_resamples_valid": int(np.isfinite(resampled).all(axis=0).sum()),
                }
            )
    for tested in {row["metric"] for row in rows}:
        family = [row for row in rows if row["metric"] == tested]
        adjusted = holm(np.array([row["p_value"] for row in family], dtype=np.float64))
        for row, p in zip(family, adjusted, strict=True):
            row["p_holm"] = p
    return sorted_table(rows, SIGNIFICANCE_COLUMNS)
