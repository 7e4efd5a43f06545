"""The headline of a target: what one method of transfer brings there, mean over all models and sources of the study.

Choosing the best model or source by its test scores, and reporting that, would be too good to be true; a mean is not.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecgtransfer.arms import SCRATCH, arm_of
from ecgtransfer.compare.label_saving import LABEL_SAVING_COLUMNS, label_savings
from ecgtransfer.compare.runs import ALL_MODELS, ALL_SOURCES, Run, pairs
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.tables import TableForm
from ecgtransfer.compare.variances import How
from ecgtransfer.compare.verdicts import VERDICT_COLUMNS, verdicts
from ecgtransfer.errors import InputError
from ecgtransfer.source import Source

TABLES = {
    "headlines": TableForm(
        VERDICT_COLUMNS,
        "verdicts, mean over all models and sources",
        "One row per target, fraction and metric, of the first of `transfer.methods`; controls do not count.",
        {", ".join(VERDICT_COLUMNS): "as in verdicts.csv, with `all models` and `all sources` in place of names"},
    ),
    "headline_savings": TableForm(
        LABEL_SAVING_COLUMNS,
        "label savings, mean over all models and sources",
        "One row per row of headlines.csv.",
        {", ".join(LABEL_SAVING_COLUMNS): "as in label_saving.csv"},
    ),
}


def compute(
    runs: Sequence[Run], method: str, confidence: float, margin: float, seed: int, variance: How
) -> dict[str, pd.DataFrame]:
    """Return verdicts and label savings of `mean_runs`."""
    all_together = mean_runs(runs, method)
    return {
        "headlines": verdicts(all_together, confidence, margin, seed, variance),
        "headline_savings": label_savings(all_together, confidence, seed, variance),
    }


def mean_runs(runs: Sequence[Run], method: str) -> list[Run]:
    """Return two runs per target and fraction that represent all: with transferred weights, and their partner.

    Every comparison of a model and a source counts once, so a model from scratch counts as often as it has sources.
    Replicate r of all comparisons of a target has the same subset, and resample b the same patients, so means over them
    are scores like any other. Controls do not count. Verdicts and label savings of
    these runs hold for the models and sources of the study, whose choice their intervals do not cover.

    Parameters
    ----------
    runs
        All cells of a study.
    method
        The method of transfer that counts, such as ``finetune``.

    Raises
    ------
    InputError
        If a partner from scratch is missing, or comparisons of a target differ in replicates, subsets or resamples.
    """
    compared: defaultdict[tuple[str, float], list[tuple[Run, Run]]] = defaultdict(list)
    for run, scratch in pairs(runs):
        if run.method == method and not Source.of(run.source).is_control:
            compared[run.target, run.fraction].append((run, scratch))
    return [
        _mean([pair[place] for pair in members], arm)
        for members in compared.values()
        for place, arm in enumerate((arm_of(method, ALL_SOURCES), SCRATCH))
    ]


def _mean(runs: Sequence[Run], arm: str) -> Run:
    first = runs[0]
    for run in runs[1:]:
        same_resamples = run.resamples[MACRO_METRICS[0]].shape == first.resamples[MACRO_METRICS[0]].shape
        if not np.array_equal(run.n_train, first.n_train) or not same_resamples:
            raise InputError(f"{run.name} and {first.name}: replicates or resamples differ; train and score both again")
    scores = pd.concat(
        pd.DataFrame(
            {"label": "macro", "metric": metric, "value": np.mean([run.macro_scores(metric) for run in runs], axis=0)}
        ).rename_axis("replicate").reset_index()
        for metric in first.resamples
    )  # fmt: skip
    resamples = {metric: np.mean([run.resamples[metric] for run in runs], axis=0) for metric in first.resamples}
    return Run(first.target, ALL_MODELS, arm, first.fraction, scores, resamples, first.n_train, first.n_train_patients)
