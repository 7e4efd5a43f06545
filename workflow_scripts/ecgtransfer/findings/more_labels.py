"""More labels: what scores to expect with more recordings than there are, and how many scratch needs to catch up.

Learning curves are continued as inverse power laws; how well that can be done is shown by the largest fraction, which
the others predict.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.continuation import FEWEST_POINTS, Continuation, continuations
from ecgtransfer.compare.open_intervals import times, with_open_interval
from ecgtransfer.compare.runs import Run, cell_of, check_pair
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.tables import CELL_COLUMNS, RUN_MEANING, TableForm, sorted_table
from ecgtransfer.compare.variances import How
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    Style,
    answered,
    arm_legend,
    arm_styles,
    draw_points,
    dress,
    nothing_to_show,
    set_count_axis,
    target_model_panels,
)
from ecgtransfer.exhibits.tables import Columns, count, interval, table_of, trained, value, word
from ecgtransfer.statistics.inference import percentile_interval

Array = NDArray[Any]

TIMES = (2.0, 5.0, 10.0)
SAME_SCORE, CURVES_MEET = "same score", "curves meet"
MORE_LABELS_COLUMNS = [*CELL_COLUMNS, "metric", "times", "n_recordings", "score", "ci_low", "ci_high"]
LABELS_NEEDED_COLUMNS = [
    *(*CELL_COLUMNS, "metric", "goal", "n_scratch", "times", "relation"),
    *("ci_low", "ci_low_relation", "ci_high", "ci_high_relation", "least", "most"),
]
WITHHELD_COLUMNS = [*CELL_COLUMNS, "metric", "predicted", "observed", "difference", "ci_low", "ci_high", "held"]
_FEW = (
    f"No learning curve is continued here: it takes {FEWEST_POINTS} fractions or more, the largest at least twice the"
    " smallest (transfer.fractions). An inverse power law has three numbers of its own, and with fewer points hardly"
    " anything shows whether the curve is one."
)
TABLES = {
    "more_labels": TableForm(
        MORE_LABELS_COLUMNS,
        "scores to expect with more labels",
        f"One row per target, source, model, arm, metric and `times`. Of {FEWEST_POINTS} fractions or more, and no"
        " further beyond the largest than the smallest lies below it.",
        {
            **RUN_MEANING,
            "metric": "as in verdicts.csv",
            "times, n_recordings": "training recordings, in multiples of `n_train`, those of the largest fraction",
            "score, ci_low, ci_high": "that a continued learning curve has there, with interval",
        },
    ),
    "labels_needed": TableForm(
        LABELS_NEEDED_COLUMNS,
        "how many labels scratch needs to catch up",
        "Two rows per target, source, model, arm and metric, at the largest fraction, read off curves of"
        " more_labels.csv. Where a number is beyond `least` or `most` it is empty, and its relation is `less_than` or"
        " `more_than` in place of `equals`.",
        {
            **RUN_MEANING,
            "metric": "as in verdicts.csv",
            "goal": f"`{SAME_SCORE}`: scratch reaches the score that transfer has with `n_train` recordings;"
            f" `{CURVES_MEET}`: scratch reaches what transfer does with as many recordings",
            "n_scratch": "labelled recordings with which it does",
            "times, relation": "the same in multiples of `n_train`",
            "ci_low, ci_low_relation, ci_high, ci_high_relation": "interval of `times`",
            "least, most": "between which `times` is looked for",
        },
    ),
    "withheld": TableForm(
        WITHHELD_COLUMNS,
        "the largest fraction, predicted by the others",
        "One row per target, source, model, arm and metric of more_labels.csv, where the other fractions reach as far.",
        {
            **RUN_MEANING,
            "metric": "as in verdicts.csv",
            "predicted, observed": "score at the largest fraction: of the curve of the others, continued, and as it is",
            "difference, ci_low, ci_high": "observed minus predicted, with interval",
            "held": "whether this interval holds 0: 1 or 0",
        },
    ),
}
CAPTION = """
Macro AUROC on the test recordings against the number of labelled training recordings, and beyond the largest number the
learning curves continued as inverse power laws, with {percent} intervals over replicates and test patients as bands.
They hold if curves go on as they are. The numbers are in ``findings/more_labels.csv``, and how well the largest number
is predicted by the others in ``findings/withheld.csv``.
"""


def compute(runs: Sequence[Run], confidence: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the three tables, without rows where there are too few fractions.

    `confidence` is that of the intervals; `seed` and `variance` are as for
    `ecgtransfer.compare.continuation.continuations`.
    """
    curves = list(continuations(runs, seed, variance))
    from_scratch = {
        (curve.largest.target, curve.largest.model, curve.metric): curve
        for curve in curves
        if curve.largest.arm == SCRATCH
    }
    expected, needed, withheld = [], [], []
    for curve in curves:
        expected += list(_expected(curve, confidence))
        withheld += list(_withheld(curve, confidence))
        scratch = from_scratch.get((curve.largest.target, curve.largest.model, curve.metric))
        if curve.largest.arm != SCRATCH and scratch is not None:
            needed += list(_needed(curve, scratch, confidence))
    order = [*CELL_COLUMNS, "metric"]
    return {
        "more_labels": sorted_table(expected, MORE_LABELS_COLUMNS, [*order, "times"]),
        "labels_needed": sorted_table(needed, LABELS_NEEDED_COLUMNS, [*order, "goal"]),
        "withheld": sorted_table(withheld, WITHHELD_COLUMNS),
    }


def _expected(curve: Continuation, confidence: float) -> Iterator[dict[str, object]]:
    """Yield the rows of a curve at each of `TIMES` within its limit; no score is below what its metric can be."""
    lowest = 0.0 if curve.metric in MACRO_METRICS else -np.inf
    within = [multiple for multiple in TIMES if multiple <= curve.limit]
    for multiple, drawn in zip(within, curve.laws.scores_at(within), strict=True):
        score, low, high = _with_interval(np.maximum(drawn, lowest), confidence)
        at = {"times": multiple, "n_recordings": round(multiple * float(curve.sizes[-1]))}
        yield {**cell_of(curve.largest, curve.metric), **at, "score": score, "ci_low": low, "ci_high": high}


def _withheld(curve: Continuation, confidence: float) -> Iterator[dict[str, object]]:
    predicted = curve.withheld()
    if predicted is None:
        return
    observed = curve.points[-1]
    difference, low, high = _with_interval(observed - predicted, confidence)
    yield {
        **cell_of(curve.largest, curve.metric),
        **{"predicted": predicted[0], "observed": observed[0], "difference": difference, "ci_low": low},
        **{"ci_high": high, "held": int(low <= 0 <= high)},
    }


def _needed(curve: Continuation, scratch: Continuation, confidence: float) -> Iterator[dict[str, object]]:
    """Yield how many recordings scratch needs for the score of transfer, and to have caught up with it."""
    check_pair(curve.largest, scratch.largest)
    n_train = float(scratch.sizes[-1])
    smallest = float(scratch.sizes[0]) / n_train
    as_good = scratch.laws.times_to(curve.points[-1])
    as_good = np.where(as_good < smallest, 0.0, np.where(as_good > scratch.limit, np.inf, as_good))
    limit = min(curve.limit, scratch.limit)
    meeting = scratch.laws.times_to_meet(curve.laws, limit)
    for goal, found, least, most in (
        (SAME_SCORE, as_good, smallest, scratch.limit),
        (CURVES_MEET, meeting, 1.0, limit),
    ):
        columns = with_open_interval("times", found, confidence)
        n_scratch = n_train * found[0] if np.isfinite(found[0]) and found[0] > 0 else np.nan
        ends = {"least": least, "most": most}
        yield {**cell_of(curve.largest, curve.metric), "goal": goal, "n_scratch": n_scratch, **columns, **ends}


def _with_interval(drawn: Array, confidence: float) -> tuple[float, float, float]:
    return float(drawn[0]), *percentile_interval(drawn[1:], drawn[0], confidence)


_PANEL_HEIGHT = 2.7  # inches
_NOTE = (
    "Points: mean over replicates. With band: the curve continued, with confidence interval, if it goes on as it is."
)


def draw(curves: pd.DataFrame, more_labels: pd.DataFrame) -> Figure:
    """Return the figure from the tables of `learning_curves` and of continued curves."""
    expected = answered(more_labels)
    if expected.empty:
        return nothing_to_show(_FEW)
    measured = answered(curves)
    measured = measured[measured["target"].isin(expected["target"]) & measured["model"].isin(expected["model"])]
    styles = arm_styles(expected["arm"])
    panels = target_model_panels(expected, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        for model, axes in by_model.items():
            for arm, style in styles.items():
                points, beyond = (
                    table[(table["target"] == target) & (table["model"] == model) & (table["arm"] == arm)]
                    for table in (measured, expected)
                )
                _draw_arm(axes, points, beyond, style)
            dress(axes, "labelled training recordings", f"{METRIC_NAMES[ANSWERED_METRIC]} on test recordings")
        counts = [measured["n_train"][measured["target"] == target]]
        counts.append(expected["n_recordings"][expected["target"] == target])
        set_count_axis(by_model.values(), pd.concat(counts), panels.width)
    arm_legend(panels.figure, styles, _NOTE)
    return panels.figure


def _draw_arm(axes: Axes, measured: pd.DataFrame, expected: pd.DataFrame, style: Style) -> None:
    """Draw the points that there are, and beyond the last of them the continued curve with its interval as a band."""
    measured, expected = measured.sort_values("n_train"), expected.sort_values("times")
    draw_points(axes, measured["n_train"], measured["score"], style)
    last, names = measured[-1:], ["score", "ci_low", "ci_high"]
    places = pd.concat([last["n_train"], expected["n_recordings"]]).to_numpy(dtype=float)
    score, low, high = pd.concat([last[names], expected[names]]).to_numpy(dtype=float).T
    axes.plot(places, score, color=style["color"], linestyle=style["linestyle"], linewidth=0.8)
    axes.fill_between(places, low, high, color=style["color"], alpha=0.12, linewidth=0)


_ON_PAGE = """
<p>{{ its.checked }}</p>
{{ shown(its.exhibit) }}
<details>
<summary>How many labels training from scratch needs to catch up</summary>
{{ laid_out(its.needed) }}
<p class="note">In multiples of the recordings of the largest fraction. Same score: until scratch reaches the score that
transfer has there. Curves meet: until scratch is as good as transfer with as many recordings. More than (>) and less
than (<) are the ends between which it was looked for.
<a href="../findings/labels_needed.csv">findings/labels_needed.csv</a>,
<a href="../findings/withheld.csv">findings/withheld.csv</a></p>
</details>
"""
_KEY: Columns = {"target": word("target"), "model": word("model"), "trained": trained}
_WORDS = {1.0: "as predicted", 0.0: "missed"}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Return the figure with its numbers, and how far they can be trusted; or why there are none."""
    withheld = answered(tables["withheld"])
    key = ["target", "model", "arm"]
    words = withheld.set_index(key)["held"].map(_WORDS).rename("largest")
    columns: Columns = {
        **_KEY,
        **{"times the labels": lambda row: f"{row.times:g}", "recordings": count("n_recordings")},
        **{"score": value("score"), "interval": interval, "largest fraction": word("largest")},
    }
    shown = answered(tables["more_labels"]).join(words, on=key)
    part = exhibit(shown, "more_labels", "Learning curves, continued beyond the largest fraction.", columns)
    if part is None:
        return Part("<p>{{ its.few }}</p>\n", {"few": _FEW})
    needed = answered(tables["labels_needed"])
    needs: Columns = {
        **_KEY,
        **{
            "goal": word("goal"),
            "recordings": count("n_scratch"),
            "times": lambda row: times(row, "times", "relation"),
        },
        "interval": lambda row: (
            f"[{times(row, 'ci_low', 'ci_low_relation')}, {times(row, 'ci_high', 'ci_high_relation')}]"
        ),
    }
    values = {"checked": _checked(withheld), "needed": table_of(needed, needs, n_words=4)}
    return Part(_ON_PAGE, {**part.values, **values})


def _checked(withheld: pd.DataFrame) -> str:
    """Return in words how well the largest fraction is predicted by the others."""
    n, n_held = len(withheld), int(withheld["held"].sum())
    if not n:
        return "Without the largest fraction, the others do not reach far enough to predict it."
    found = (
        f"The score at the largest fraction, predicted by the others, is within its interval for {n_held} of {n}"
        f" curve{'s' if n > 1 else ''}."
    )
    if n_held < n:
        found += " Curves that missed it do not go on as inverse power laws: do not rely on what is said of them."
    return found
