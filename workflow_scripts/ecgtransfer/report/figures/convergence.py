"""Convergence: how much faster or slower transfer is than training from scratch, to the same validation score."""

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.report.figures.forest import forest
from ecgtransfer.report.figures.style import (
    BLUE,
    RED,
    SMALL,
    bars,
    draw_points,
    legend_below,
    mark,
    nothing_to_show,
    set_ratio_axis,
)

STYLES = {
    "epochs": {"color": BLUE, "marker": "o"},
    "seconds": {"color": RED, "marker": "s", "markerfacecolor": "white"},
}
_BESIDE = 0.2  # rows, by which the two measures stand apart
_NOTE = (
    "Time until 99 % of the best validation score from scratch, transfer over scratch, geometric mean over replicates"
    " with interval: left of 1, transfer is faster. On the right: in how many replicates transfer reached that score;"
    " where it was not reached by all, there is no ratio. Bars may go on beyond the frame."
)


def draw(convergence: pd.DataFrame) -> Figure:
    """Return the figure from the table of `ecgtransfer.compare.convergence.convergence`."""
    table = convergence[convergence["measure"].isin(list(STYLES))]
    if table.empty:
        return nothing_to_show("No times to compare: nothing was transferred in this study.")
    figure, panels, rows, left_out = forest(table, "time to the same score, transfer / scratch")
    for target, axes in panels.items():
        of_target = rows[rows["target"] == target]
        axes.axvline(1, color="0.3", linewidth=0.8, zorder=1)
        for (measure, style), step in zip(STYLES.items(), (-_BESIDE, _BESIDE), strict=True):
            of_measure = of_target[of_target["measure"] == measure]
            reach = bars(of_measure["ratio"], of_measure["ci_low"], of_measure["ci_high"])
            places = of_measure["place"] + step
            draw_points(
                axes, of_measure["ratio"], places, style, xerr=reach, linestyle="none", markersize=3.5, capsize=0
            )
        epochs = of_target[of_target["measure"] == "epochs"]
        for place, reached, n in zip(epochs["place"], epochs["n_reached"], epochs["n_replicates"], strict=True):
            text = f"{reached:.0f}/{n:.0f}"
            axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="center")
        set_ratio_axis(axes, "x", of_target["ratio"], of_target[["ci_low", "ci_high"]], most_ticks=5)
    handles = [mark(style, linestyle="none") for style in STYLES.values()]
    legend_below(figure, handles, list(STYLES), _NOTE + left_out)
    return figure
