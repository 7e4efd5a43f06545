"""The verdicts as a forest plot: what each run with transferred weights gains over its partner from scratch."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ecgtransfer.report.figures.forest import forest
from ecgtransfer.report.figures.style import (
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
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES

STYLES = {
    "helps": {"color": BLUE, "marker": "^"},
    "hurts": {"color": RED, "marker": "v"},
    "equivalent": {"color": GREEN, "marker": "s"},
    "undecided": {"color": "0.35", "marker": "o", "markerfacecolor": "white"},
}
_BAND = "0.88"
_NOTE = "Bars: confidence interval over replicates and test patients."


def draw(verdicts: pd.DataFrame, margin: float) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.findings.verdicts`; `margin` as in the config."""
    table = answered(verdicts)
    if table.empty:
        return nothing_to_show("No verdicts: nothing was transferred in this study.")
    figure, panels, rows, left_out = forest(table, f"gain in {METRIC_NAMES[ANSWERED_METRIC]} over scratch")
    for target, axes in panels.items():
        axes.axvspan(-margin, margin, color=_BAND, linewidth=0, zorder=0)
        axes.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        for word, style in STYLES.items():
            of_word = rows[(rows["target"] == target) & (rows["verdict"] == word)]
            reach = bars(of_word["delta"], of_word["ci_low"], of_word["ci_high"])
            draw_points(axes, of_word["delta"], of_word["place"], style, xerr=reach, linestyle="none", capsize=0)
        axes.locator_params(axis="x", nbins=4)
    handles = [*(mark(style, linestyle="none") for style in STYLES.values()), Patch(color=_BAND, linewidth=0)]
    legend_below(figure, handles, [*STYLES, f"within the margin of ±{margin:g}"], _NOTE + left_out)
    return figure
