"""The verdicts: what each run with transferred weights gains over its partner from scratch, and tests of all at once.

The tests are p-values, adjusted for their number, and whether a difference is shown to be small.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ecgtransfer.compare.runs import Run, cell_of
from ecgtransfer.compare.tables import CELL_COLUMNS, CELL_MEANING, TableForm, sorted_table
from ecgtransfer.compare.variances import How
from ecgtransfer.compare.verdicts import VERDICT_COLUMNS, comparisons, verdicts
from ecgtransfer.exhibits.forest import forest
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.style import (
    BLUE,
    GREEN,
    RED,
    answered,
    bars,
    draw_points,
    legend_below,
    mark,
    nothing_to_show,
)
from ecgtransfer.exhibits.tables import Columns, Table, fraction, interval, source_and_method, table_of, value, word
from ecgtransfer.source import Source
from ecgtransfer.statistics.inference import equivalence, holm, percentile_interval, resampled_mean, two_sided_p
from ecgtransfer.statistics.resampling import replicate_draws

SIGNIFICANCE_COLUMNS = [
    *(*CELL_COLUMNS, "metric", "delta", "ci_low", "ci_high"),
    *("p_value", "p_holm", "equivalent", "n_resamples_valid"),
]
EQUIVALENCE_CONFIDENCE = 0.9
"""Of the interval that two one-sided tests at 5 % require."""

TABLES = {
    "verdicts": TableForm(
        VERDICT_COLUMNS,
        "transfer against scratch",
        "One row per target, source, model, arm, fraction and metric.",
        {
            **CELL_MEANING,
            "metric": "`macro_auroc`, `macro_auprc` (average precision) or `macro_f1`: means over the labels that"
            " enough test patients have (`score.min_positives`); `weighted_f1`: see scores/",
            "scratch, transfer": "mean score over replicates on the test recordings",
            "delta": "`transfer` minus `scratch`, paired by replicate",
            "ci_low, ci_high": "interval of `delta` over replicates and test patients, at `compare.confidence`",
            "verdict": "`helps` or `hurts`: the interval excludes 0; `equivalent`: it lies within ±`compare.margin`;"
            " else `undecided`",
        },
    ),
    "significance": TableForm(
        SIGNIFICANCE_COLUMNS,
        "p values over all comparisons of the study, equivalence",
        "One row per row of verdicts.csv.",
        {
            "target, source, model, arm, fraction, n_train, metric, delta, ci_low, ci_high": "as in verdicts.csv",
            "p_value": "two-sided, of no difference",
            "p_holm": "the same over all comparisons of the metric in this study (Holm)",
            "equivalent": "1 if the 90 % interval lies within ±`compare.margin` (two one-sided tests)",
            "n_resamples_valid": "resamples of the test patients on which the difference exists in every replicate",
        },
    ),
}
CAPTION = """
What every run with transferred weights gains over its partner from scratch, with {percent} interval and verdict: helps
or hurts where the interval excludes 0, equivalent where it lies within ±{margin}, else undecided. The figure shows
macro AUROC; where there are many cells, only the smallest and the largest fraction. The numbers, of all metrics, are in
``findings/verdicts.csv``.
"""


def compute(runs: Sequence[Run], confidence: float, margin: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the verdicts and the table of `significance`."""
    return {
        "verdicts": verdicts(runs, confidence, margin, seed, variance),
        "significance": significance(runs, confidence, margin, seed, variance),
    }


def significance(
    runs: Sequence[Run], confidence: float, margin: float, seed: int, variance: How = "own"
) -> pd.DataFrame:
    """Return p-values and tests of equivalence for every run with transferred weights against its partner.

    Parameters
    ----------
    runs
        All cells of a study.
    confidence, margin, seed, variance
        As for `ecgtransfer.compare.verdicts.verdicts`, whose draws these are.

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
    for each in comparisons(runs, variance):
        delta = float(each.values.mean())
        draws = resampled_mean(each.values, each.resampled, replicate_draws(*each.resampled.shape, seed), each.variance)
        low, high = percentile_interval(draws, delta, confidence)
        low90, high90 = percentile_interval(draws, delta, EQUIVALENCE_CONFIDENCE)
        rows.append(
            {
                **cell_of(each.run, each.metric),
                **{"delta": delta, "ci_low": low, "ci_high": high},
                "p_value": two_sided_p(draws, delta),
                "equivalent": int(equivalence(low90, high90, margin)),
                "n_resamples_valid": int(np.isfinite(each.resampled).all(axis=0).sum()),
            }
        )
    for tested in {row["metric"] for row in rows}:
        family = [row for row in rows if row["metric"] == tested]
        adjusted = holm(np.array([row["p_value"] for row in family], dtype=np.float64))
        for row, p in zip(family, adjusted, strict=True):
            row["p_holm"] = p
    return sorted_table(rows, SIGNIFICANCE_COLUMNS)


STYLES = {
    "helps": {"color": BLUE, "marker": "^"},
    "hurts": {"color": RED, "marker": "v"},
    "equivalent": {"color": GREEN, "marker": "s"},
    "undecided": {"color": "0.35", "marker": "o", "markerfacecolor": "white"},
}
_BAND = "0.88"
_NOTE = "Bars: confidence interval over replicates and test patients."


def draw(verdicts: pd.DataFrame, margin: float) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.verdicts.verdicts`; `margin` as in the config."""
    table = answered(verdicts)
    if table.empty:
        return nothing_to_show("No verdicts: nothing was transferred in this study.")
    figure, panels, rows, left_out = forest(table, f"gain in {METRIC_NAMES[ANSWERED_METRIC]} over scratch")
    for target, axes in panels.items():
        axes.axvspan(-margin, margin, color=_BAND, linewidth=0, zorder=0)
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        for name, style in STYLES.items():
            of_word = rows[(rows["target"] == target) & (rows["verdict"] == name)]
            reach = bars(of_word["delta"], of_word["ci_low"], of_word["ci_high"])
            draw_points(axes, of_word["delta"], of_word["place"], style, xerr=reach, linestyle="none", capsize=0)
        axes.locator_params(axis="x", nbins=4)
    handles = [*(mark(style, linestyle="none") for style in STYLES.values()), Patch(color=_BAND, linewidth=0)]
    legend_below(figure, handles, [*STYLES, f"within the margin of ±{margin:g}"], _NOTE + left_out)
    return figure


_ON_PAGE = """
<p>The scores are {{ metric_name }} on the test recordings, from scratch and with transfer; the difference is transfer
minus scratch.
Also as a file: <a href="../findings/verdicts.csv">findings/verdicts.csv</a>.</p>
<figure>
{{ drawn("verdicts", "The difference with its interval for every target, model and source. The table below holds"
   ~ " the same.") }}
</figure>
<details{% if its.table.rows | length <= 60 %} open{% endif %}>
<summary>All verdicts</summary>
{{ laid_out(its.table, True) }}
</details>
<p class="note">helps, hurts: the interval excludes 0. equivalent: it includes 0 and lies within
±{{ "%g" | format(config.compare.margin) }}. undecided: none of these; more test patients or replicates might
decide.</p>
<details>
<summary>Tests of all comparisons at once</summary>
<p>p: two-sided, of no difference; Holm: the same over all {{ its.tests.rows | length }} comparisons of the study, so
that one in twenty is not a
finding by chance. {% if 2 * its.tests.rows | length > 0.05 * (config.score.n_resamples + 1) %}
So many comparisons need more resamples (score.n_resamples) than the {{ "{:,}".format(config.score.n_resamples) }} of
this study, or Holm can find nothing.
{% endif %}
equivalent: the 90 % interval lies within ±{{ "%g" | format(config.compare.margin) }} (two one-sided tests).
<a href="../findings/significance.csv">findings/significance.csv</a></p>
{{ laid_out(its.tests) }}
</details>
<details>
<summary>Other metrics: {{ its.others | join(", ") }}</summary>
{% for name, table in its.others.items() %}
<h3>{{ name }}</h3>
{{ laid_out(table, True) }}
{% endfor %}
</details>
"""
_CELL: Columns = {
    **{"target": word("target"), "model": word("model"), "pre-trained on": source_and_method},
    "fraction": fraction,
}
_VERDICTS: Columns = {
    **{**_CELL, "recordings": lambda row: f"{row.n_train:,}", "scratch": value("scratch")},
    **{"transfer": value("transfer"), "difference": value("delta"), "interval": interval, "verdict": word("verdict")},
}
_TESTS: Columns = {
    **{**_CELL, "difference": value("delta"), "interval": interval, "p": value("p_value"), "Holm": value("p_holm")},
    "equivalent": lambda row: "yes" if row.equivalent else "no",
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Return the verdicts of the metric that the page speaks of, tests of all of them, and those of other metrics."""
    of_all = tables["verdicts"]
    others = [metric for metric in METRIC_NAMES if metric in set(of_all["metric"]) - {ANSWERED_METRIC}]
    tests = answered(tables["significance"]).sort_values("p_value")
    values = {
        "table": verdict_table(of_all, ANSWERED_METRIC),
        "tests": table_of(tests, _TESTS, n_words=3),
        "others": {METRIC_NAMES[metric]: verdict_table(of_all, metric) for metric in others},
    }
    return Part(_ON_PAGE, values)


def verdict_table(verdicts: pd.DataFrame, metric: str) -> Table:
    """Return the rows of one metric, controls last; the last column is the verdict, which the page colours."""
    rows = verdicts[verdicts["metric"] == metric]
    rows = rows.assign(control=[Source.of(source).is_control for source in rows["source"]])
    rows = rows.sort_values(["target", "model", "control", "source", "arm", "fraction"])
    return table_of(rows, _VERDICTS, n_words=3)
