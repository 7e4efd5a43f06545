"""Which labels gain by transfer: the gain of each label against how frequent it is among the training recordings.

One panel per target and model, at the smallest fraction, where a label has the fewest recordings to be learnt from.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ecgtransfer.report.figures.style import (
    NORMAL,
    arm_legend,
    arm_styles,
    dress,
    nothing_to_show,
    percent,
    target_model_panels,
)

_METRIC = "auroc"
_PANEL_HEIGHT = 2.6  # inches
_NEVER = 0.5  # of the lowest prevalence: where labels stand that no training recording has


def draw(gains: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """Return the figure from the tables of `per_label_gains` and `prevalence_correlations` in `compare.per_label`."""
    table = gains[(gains["metric"] == _METRIC) & gains["delta"].notna() & gains["prevalence_train"].notna()]
    if table.empty:
        return nothing_to_show("No gains per label: nothing was transferred, or no label can be scored.")
    fraction = table["fraction"].min()
    rows = table[table["fraction"] == fraction]
    of_fraction = correlations[(correlations["metric"] == _METRIC) & (correlations["fraction"] == fraction)]
    spearman = of_fraction.set_index(["target", "model", "arm"])["spearman"].to_dict()
    styles = arm_styles(rows["arm"])
    panels = target_model_panels(rows, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        of_target = rows[rows["target"] == target]
        prevalence = of_target["prevalence_train"]
        shown = prevalence.where(prevalence > 0, _NEVER * prevalence[prevalence > 0].min())
        for model, axes in by_model.items():
            axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
            for arm, style in styles.items():
                of_arm = of_target[(of_target["model"] == model) & (of_target["arm"] == arm)]
                axes.plot(shown[of_arm.index], of_arm["delta"], **{**style, "linestyle": "none"}, markersize=4)
            found = [spearman.get((target, model, arm), np.nan) for arm in styles]
            axes.set_title(f"{axes.get_title()}\n{_in_words(found)}", fontsize=NORMAL)
            dress(axes, "training recordings with the label", "gain in AUROC")
        _set_share_axis(next(iter(by_model.values())))
    note = f"One mark per label, at {percent(fraction)} of the training patients; below 0, transfer hurts the label."
    if len(styles) > 1:
        note += " Spearman's correlations of gain and frequency stand in the order of the names."
    if (rows["prevalence_train"] == 0).any():
        note += " Furthest left: labels that no training recording has."
    if table["fraction"].nunique() > 1:
        note += " The other fractions are in the table."
    arm_legend(panels.figure, styles, note, linestyle="none")
    return panels.figure


def _in_words(correlations: list[float]) -> str:
    return "Spearman " + ", ".join("–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}" for value in correlations)


def _set_share_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())
