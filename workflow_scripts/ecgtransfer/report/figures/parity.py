"""The same claims by clean rules and by the rules of the earlier study: estimates side by side, and who moved."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.report.figures.claims import NOT_EXAMINED, claim_rows, say_nothing, set_scale
from ecgtransfer.report.figures.style import (
    BLUE,
    LINE_HEIGHT,
    RED,
    SMALL,
    Style,
    bars,
    draw_points,
    mark,
    named_rows,
    nothing_to_show,
)

STYLES: dict[str, Style] = {
    "clean": {"color": BLUE, "marker": "o"},
    "parity": {"color": RED, "marker": "s", "markerfacecolor": "white"},
}
_BESIDE = 0.4  # of half the height of a scale
_NOTE = "Bars: confidence interval. Clean: patients stay apart. Parity: the choices of the earlier study."


def draw(parity: pd.DataFrame) -> Figure:
    """Return the figure from the table ``parity.csv``."""
    if parity.empty:
        return nothing_to_show("No claim that a clean study and a study in parity have in common.")
    figure, rows = claim_rows(list(parity["claim"]), list(parity["measure"]), below=3 * LINE_HEIGHT)
    for row, claim in zip(rows, named_rows(parity), strict=True):
        of_claim = parity.loc[[claim.Index]]
        shown = [name for name in STYLES if of_claim[name].notna().all()]
        for name, place in zip(STYLES, (_BESIDE, -_BESIDE), strict=True):
            if name in shown:
                reach = bars(of_claim[name], of_claim[f"{name}_low"], of_claim[f"{name}_high"])
                draw_points(row.axes, of_claim[name], [place], STYLES[name], xerr=reach)
        if shown:
            columns = [f"{name}{end}" for name in shown for end in ("", "_low", "_high")]
            set_scale(row.axes, claim.measure, of_claim[columns])
        else:
            say_nothing(row.axes)
        findings = [f"{name}: {_word(of_claim[f'{name}_finding'].iloc[0])}" for name in STYLES]
        moved = [] if pd.isna(claim.moved) else [f"moved by {claim.moved:+.3f}"]
        figure.text(*row.found, "\n".join([*findings, *moved]), fontsize=SMALL, va="center")
    figure.legend(
        [mark(style, linestyle="none") for style in STYLES.values()],
        list(STYLES),
        loc="lower center",
        ncols=len(STYLES),
        title=_NOTE,
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
    )
    return figure


def _word(finding: Any) -> str:
    return NOT_EXAMINED if pd.isna(finding) else str(finding)
