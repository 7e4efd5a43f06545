"""The learning curves: score against labelled recordings, from scratch and after each pre-training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.compare.runs import Run, cell_of, mean_with_interval
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.tables import CELL_COLUMNS, TableForm, sorted_table
from ecgtransfer.compare.variances import How, score_variances
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.style import (
    BARS,
    answered,
    arm_legend,
    arm_styles,
    bars,
    dodges,
    draw_points,
    dress,
    set_count_axis,
    target_model_panels,
)
from ecgtransfer.exhibits.tables import Columns, fraction, interval, table_of, trained, value, word

CURVE_COLUMNS = [
    *CELL_COLUMNS,
    *("n_train_patients", "metric", "score", "ci_low", "ci_high", "replicate_sd", "n_replicates"),
]
TABLES = {
    "curves": TableForm(
        CURVE_COLUMNS,
        "learning curves: score against labelled recordings",
        "One row per target, model, arm, fraction and metric; `source` is empty for `scratch`.",
        {
            "target, source, model, arm, fraction": "what was trained",
            "n_train, n_train_patients": "training recordings and patients, means over replicates",
            "metric": "as in verdicts.csv",
            "score, ci_low, ci_high": "mean over replicates, with interval",
            "replicate_sd": "standard deviation over replicates; empty for one",
            "n_replicates": "trainings",
        },
    )
}
CAPTION = """
Macro AUROC on the test recordings against the number of labelled training recordings, from scratch and after each
pre-training. Points are means over replicates ({replicates}); bars are {percent} intervals over replicates and test
patients. The numbers are in ``findings/curves.csv``.
"""


def compute(runs: Sequence[Run], confidence: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the table of `learning_curves`."""
    return {"curves": learning_curves(runs, confidence, seed, variance)}


def learning_curves(runs: Sequence[Run], confidence: float, seed: int, variance: How = "own") -> pd.DataFrame:
    """Return the mean score over replicates of every run and macro metric, with interval.

    The interval covers test patients and replicates (`ecgtransfer.statistics.inference.resampled_mean`) and
    stays within [0, 1]; the Challenge's score can be below 0. With `variance` ``moderated``, the scores of all runs
    tell how far replicates vary.
    ``replicate_sd`` is the standard deviation over replicates, empty for a single one. Columns: `CURVE_COLUMNS`.
    """
    rows = []
    known = score_variances(runs, variance)
    for run in runs:
        for metric in run.resamples:
            values, of_run = run.macro_scores(metric), known[run.name, metric]
            score, low, high = mean_with_interval(values, run.resamples[metric], confidence, seed, of_run)
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


_PANEL_HEIGHT = 3.1  # inches


def draw(curves: pd.DataFrame, metric: str = ANSWERED_METRIC) -> Figure:
    """Return the figure of one metric from the table of `learning_curves`.

    The models of a target share both axes. The x axis is logarithmic with a tick at each number of recordings that was
    used; series are shifted a little from the tick so that their intervals stay apart.

    Raises
    ------
    InputError
        If the table has no row of that metric.
    """
    rows = curves[curves["metric"] == metric]
    if rows.empty:
        found = ", ".join(sorted(curves["metric"].unique())) or "none"
        raise InputError(f"learning curves: no row of metric {metric}, found {found}")
    styles = arm_styles(rows["arm"])
    panels = target_model_panels(rows, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        of_target = rows[rows["target"] == target]
        beside = dodges(of_target["n_train"], styles)
        for model, axes in by_model.items():
            of_model = of_target[of_target["model"] == model]
            for order, (arm, style) in enumerate(styles.items()):
                of_arm = of_model[of_model["arm"] == arm].sort_values("n_train")
                reach = bars(of_arm["score"], of_arm["ci_low"], of_arm["ci_high"])
                draw_points(axes, of_arm["n_train"] * beside[arm], of_arm["score"], style, yerr=reach, zorder=3 + order)
            dress(axes, "labelled training recordings", f"{METRIC_NAMES.get(metric, metric)} on test recordings")
        set_count_axis(by_model.values(), of_target["n_train"], panels.width)
    arm_legend(panels.figure, styles, BARS)
    return panels.figure


_ON_PAGE = """
<figure>
{{ drawn("curves", "Learning curves: " ~ metric_name ~ " against the number of labelled training recordings, for each"
   ~ " target and model, from scratch and after each pre-training. The table below holds the same numbers.") }}
<figcaption>The figure shows {{ metric_name }} on the test recordings against the number of labelled training recordings
(logarithmic).
Points are means over {{ replicates }} replicate{{ "s" if replicates != 1 }}; bars are {{ percent }} intervals
{{ "over replicates and test patients" if replicates > 1 else "over test patients alone" }}.
All metrics: <a href="../findings/curves.csv">findings/curves.csv</a>. This link and those below work where the
page still lies in its results folder; the tables themselves are in the page.</figcaption>
</figure>
<details>
<summary>The numbers behind the figure</summary>
{{ laid_out(its.table) }}
</details>
"""
_COLUMNS: Columns = {
    **{"target": word("target"), "model": word("model"), "trained": trained, "fraction": fraction},
    **{"recordings": lambda row: f"{row.n_train:,}", "patients": lambda row: f"{row.n_train_patients:,}"},
    **{"score": value("score"), "interval": interval, "sd": value("replicate_sd")},
    "replicates": lambda row: str(row.n_replicates),
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Return the figure with the numbers of the metric that the page speaks of."""
    rows = answered(tables["curves"]).sort_values(["target", "model", "arm", "fraction"])
    return Part(_ON_PAGE, {"table": table_of(rows, _COLUMNS, n_words=3)})
