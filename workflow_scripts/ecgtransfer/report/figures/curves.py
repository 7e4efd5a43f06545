"""The learning curves: score against labelled recordings, from scratch and after each pre-training.

One panel per target and model.
"""

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.errors import InputError
from ecgtransfer.report.figures.style import (
    BARS,
    arm_legend,
    arm_styles,
    bars,
    dodges,
    draw_points,
    dress,
    set_count_axis,
    target_model_panels,
)
from ecgtransfer.report.names import ANSWERED_METRIC, METRIC_NAMES

_PANEL_HEIGHT = 2.7  # inches


def draw(curves: pd.DataFrame, metric: str = ANSWERED_METRIC) -> Figure:
    """Return the figure of one metric from the table of `ecgtransfer.compare.findings.learning_curves`.

    The models of a target share both axes. The x axis is logarithmic with a tick at each number of recordings that was
    used; series stand a little beside the tick so that their intervals stay apart.

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
