"""Calibration: how often a label is there against how probable a model says it is, from scratch and after transfer.

One panel per target and model, at the largest fraction: the model that one would use.
"""

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.report.figures.style import (
    SMALL,
    arm_legend,
    arm_styles,
    dress,
    mark,
    nothing_to_show,
    percent,
    target_model_panels,
)

_METRIC = "macro_ece"
_PANEL_HEIGHT = 2.9  # inches


def draw(calibration: pd.DataFrame, reliability: pd.DataFrame) -> Figure:
    """Return the figure from ``calibration.csv``, for the errors, and ``reliability.csv``, which is drawn."""
    table = reliability[reliability["probability"].notna() & reliability["observed"].notna()]
    if table.empty:
        return nothing_to_show("No probabilities to compare with labels in this study.")
    fraction = table["fraction"].max()
    rows = table[table["fraction"] == fraction]
    errors = calibration[(calibration["metric"] == _METRIC) & (calibration["fraction"] == fraction)]
    error_of = errors.set_index(["target", "model", "arm"])["score"].to_dict()
    styles = arm_styles(rows["arm"])
    panels = target_model_panels(rows, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        for model, axes in by_model.items():
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=1)
            handles, names = [], []
            for arm, style in styles.items():
                of_arm = rows[(rows["target"] == target) & (rows["model"] == model) & (rows["arm"] == arm)]
                of_arm = of_arm.sort_values("bin")
                axes.plot(of_arm["probability"], of_arm["observed"], **style, markersize=3.5, linewidth=1.1)
                if (target, model, arm) in error_of:
                    handles.append(mark(style, markersize=4))
                    names.append(f"{error_of[target, model, arm]:.3f}")
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            dress(axes, "probability by the model", "share that has the label")
            axes.legend(
                handles,
                names,
                title="error (ECE)",
                loc="upper left",
                fontsize=SMALL,
                title_fontsize=SMALL,
                handlelength=2.5,
                labelspacing=0.25,
                borderpad=0.2,
                framealpha=0.8,
                edgecolor="none",
            )
    note = (
        f"At {percent(fraction)} of the training patients, all labels, replicates and test recordings together; on the"
        " grey line, probabilities are right. ECE: expected calibration error, mean over labels."
    )
    if table["fraction"].nunique() > 1:
        note += " The other fractions are in the table."
    arm_legend(panels.figure, styles, note)
    return panels.figure
