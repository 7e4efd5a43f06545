"""Controls: how much of a gain is owed to the labels of a source, and how much to having seen its signals.

A network that is pre-trained on shuffled labels learns what signals look like, which can help (Maennel et al. 2020,
arXiv 2006.10455). So it is no null: the gain over it is specific to labels, and what it gains itself over weights that
were never trained is general. Fine-tuned untrained weights are training from scratch once more, the null of verdicts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.arms import arm_of
from ecgtransfer.compare.runs import Run, cell_of, check_pair, mean_with_interval
from ecgtransfer.compare.tables import CELL_COLUMNS, TableForm, sorted_table
from ecgtransfer.compare.variances import Compared, How, variances_of
from ecgtransfer.exhibits.forest import forest
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import BLUE, YELLOW, answered, bars, draw_points, legend_below, mark, nothing_to_show
from ecgtransfer.exhibits.tables import CELL, Columns, count, interval, value, word
from ecgtransfer.source import LABELS, UNTRAINED, Source

LABEL_SPECIFIC, GENERAL = "label-specific", "general"
CONTROL_COLUMNS = [*CELL_COLUMNS, "metric", "gain", "control", "delta", "ci_low", "ci_high"]
TABLES = {
    "controls": TableForm(
        CONTROL_COLUMNS,
        "what of a gain is owed to labels, and what to signals",
        "One row per source, method, metric and `gain`, where the study has the controls `<source>-shuffled` or"
        " `<source>-untrained` of a source.",
        {
            "target, source, model, arm, fraction, n_train, metric": "as in verdicts.csv",
            "gain": "`label-specific`: the source minus `<source>-shuffled`; `general`: `<source>-shuffled` minus"
            " `<source>-untrained`",
            "control": "what is subtracted",
            "delta, ci_low, ci_high": "difference of the two, paired by replicate, with interval",
        },
    )
}
CAPTION = """
What of the gain in macro AUROC is owed to the labels of a source (its score minus that of pre-training on the same
recordings with shuffled labels), and what to having seen its signals (shuffled labels minus untrained weights), with
{percent} interval over replicates and test patients. Where there are many cells, only the smallest and the largest
fraction are shown. The numbers, of all metrics, are in ``findings/controls.csv``.
"""


def compute(runs: Sequence[Run], confidence: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the table of `control_gains`."""
    return {"controls": control_gains(runs, confidence, seed, variance)}


def control_gains(runs: Sequence[Run], confidence: float, seed: int, variance: How = "own") -> pd.DataFrame:
    """Return label-specific and general gains wherever a study has the controls of a source.

    Parameters
    ----------
    runs
        All cells of a study.
    confidence, seed
        Of the intervals, and of their draws of replicates.
    variance
        Whether all gains of a kind and metric tell how far replicates vary, or each one's alone.

    Returns
    -------
    pandas.DataFrame
        Columns `CONTROL_COLUMNS`; ``source`` and ``arm`` are those of the source itself.

    Raises
    ------
    InputError
        If runs differ in replicates, training subsets or resamples.
    """
    pairs = list(_pairs(runs))
    rows: list[dict[str, object]] = []
    for gain in (LABEL_SPECIFIC, GENERAL):
        of_gain = [pair for pair in pairs if pair[0] == gain]
        for metric in dict.fromkeys(metric for _, _, run, _ in of_gain for metric in run.resamples):
            together = [pair for pair in of_gain if metric in pair[2].resamples]
            values = [run.macro_scores(metric) - control.macro_scores(metric) for _, _, run, control in together]
            compared = [
                Compared(of_pair, run.target, run.method, float(run.n_train.mean()), control.name)
                for of_pair, (_, _, run, control) in zip(values, together, strict=True)
            ]
            variances = variances_of(compared, variance)
            for of_pair, known, (_, source, run, control) in zip(values, variances, together, strict=True):
                resampled = run.resamples[metric] - control.resamples[metric]
                delta, low, high = mean_with_interval(of_pair, resampled, confidence, seed, known)
                named = replace(run, arm=arm_of(run.method, source))
                found = {"gain": gain, "control": control.source, "delta": delta, "ci_low": low, "ci_high": high}
                rows.append({**cell_of(named, metric), **found})
    return sorted_table(rows, CONTROL_COLUMNS, [*CELL_COLUMNS, "metric", "gain"])


def _pairs(runs: Sequence[Run]) -> Iterator[tuple[str, str, Run, Run]]:
    """Yield each kind of gain with its source, the run that has it, and the run that is subtracted."""
    by_cell = {(run.target, run.model, run.arm, run.fraction): run for run in runs}
    for run in runs:
        source = Source.of(run.source)
        if not run.source or source.is_control or source.task != LABELS:
            continue
        shuffled, untrained = (
            by_cell.get((run.target, run.model, arm_of(run.method, f"{run.source}-{suffix}"), run.fraction))
            for suffix in ("shuffled", UNTRAINED)
        )
        for gain, minuend, subtrahend in ((LABEL_SPECIFIC, run, shuffled), (GENERAL, shuffled, untrained)):
            if minuend is not None and subtrahend is not None:
                check_pair(minuend, subtrahend)
                yield gain, run.source, minuend, subtrahend


STYLES = {LABEL_SPECIFIC: {"color": BLUE, "marker": "o"}, GENERAL: {"color": YELLOW, "marker": "s"}}
_APART = 0.22  # of a row
_NOTE = "Bars: confidence interval over replicates and test patients."


def draw(controls: pd.DataFrame) -> Figure:
    """Return the figure from the table of `control_gains`."""
    table = answered(controls)
    if table.empty:
        return nothing_to_show(
            "No controls: name <source>-shuffled and <source>-untrained in transfer.sources to see what a gain is owed"
            " to."
        )
    figure, panels, rows, left_out = forest(table, f"gain in {METRIC_NAMES[ANSWERED_METRIC]}")
    shown = [gain for gain in STYLES if gain in set(rows["gain"])]
    shifts = (-_APART, _APART) if len(shown) > 1 else (0.0,)
    for target, axes in panels.items():
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        for gain, shift in zip(shown, shifts, strict=True):
            of_gain = rows[(rows["target"] == target) & (rows["gain"] == gain)]
            reach = bars(of_gain["delta"], of_gain["ci_low"], of_gain["ci_high"])
            place = of_gain["place"] + shift
            draw_points(axes, of_gain["delta"], place, STYLES[gain], xerr=reach, linestyle="none", capsize=0)
        axes.locator_params(axis="x", nbins=4)
    words = {LABEL_SPECIFIC: "source minus shuffled labels", GENERAL: "shuffled labels minus untrained"}
    legend_below(
        figure, [mark(STYLES[gain], linestyle="none") for gain in shown],
        [f"{gain}: {words[gain]}" for gain in shown], _NOTE + left_out,
    )  # fmt: skip
    return figure


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "recordings": count("n_train"),
        **{"gain": word("gain"), "difference": value("delta"), "interval": interval},
    }
    caption = "What of the gain is owed to the labels of a source, and what to having seen its signals."
    return exhibit(tables["controls"], "controls", caption, columns)
