"""Parity: what a study finds on the published claims, compared with the same study done as the authors did it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ecgtransfer.compare.tables import TableForm, sorted_table
from ecgtransfer.exhibits.claim_rows import NOT_EXAMINED, claim_rows, say_nothing, set_scale
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.style import (
    BLUE,
    LINE_HEIGHT,
    RED,
    SMALL,
    Style,
    bars,
    draw_points,
    mark,
    nothing_to_show,
)
from ecgtransfer.exhibits.tables import Table, named_rows, number

_MODES = ("clean", "parity")
PARITY_COLUMNS = [
    *("claim", "measure"),
    *(f"{mode}{end}" for mode in _MODES for end in ("", "_low", "_high", "_finding")),
    "moved",
]
TABLES = {
    "parity": TableForm(
        PARITY_COLUMNS,
        "leaky studies compared with a clean one",
        "Every claim by the `clean` study that `compare.beside` names and by this one (`parity`).",
        {
            "claim, measure": "as in claims.csv",
            "clean, clean_low, clean_high, clean_finding": "estimate, interval and finding of the clean study",
            "parity, parity_low, parity_high, parity_finding": "the same of this one",
            "moved": "the difference of the estimates",
        },
    )
}
CAPTION = """
The claims of earlier studies by the rules of this workflow (clean) and by the choices of the earlier study (parity),
each with its interval and finding; the difference shows what those choices do. The numbers are in
``findings/parity.csv``.
"""


def compute(claims: pd.DataFrame, beside: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Return the table of `parity`, without rows where there is no study to compare this one with."""
    return {"parity": parity(claims.iloc[:0] if beside is None else beside, claims)}


def parity(clean_claims: pd.DataFrame, parity_claims: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates of two studies side by side, and how far the authors' choices move them.

    Parameters
    ----------
    clean_claims, parity_claims
        The tables of `ecgtransfer.findings.claims.claims` of the two studies.

    Returns
    -------
    pandas.DataFrame
        Columns `PARITY_COLUMNS`, a row per claim that both have, in the order of `parity_claims`; ``moved`` is the
        estimate of ``parity`` minus that of ``clean``, empty where a study does not examine the claim. It has no
        interval: the two studies have other test patients.
    """
    clean = clean_claims.set_index("claim")
    rows: list[dict[str, object]] = []
    for _, found in parity_claims.iterrows():
        if found["claim"] in clean.index:
            row: dict[str, object] = {"claim": found["claim"], "measure": found["measure"]}
            for mode, claim in zip(_MODES, (clean.loc[found["claim"]], found), strict=True):
                row |= {mode: claim["estimate"], f"{mode}_finding": claim["finding"]}
                row |= {f"{mode}_low": claim["ci_low"], f"{mode}_high": claim["ci_high"]}
            row["moved"] = found["estimate"] - clean.loc[found["claim"], "estimate"]
            rows.append(row)
    return sorted_table(rows, PARITY_COLUMNS, [])


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


_ON_PAGE = """
{% if its.table.rows %}
<h3>Leaky next to clean</h3>
<p>The same claims in {{ config.compare.beside }}, which lets no test recording into training, and how far each
estimate moves.</p>
<div class="claims">
{{ laid_out(its.table) }}
</div>
<figure>
{{ drawn("parity", "Each claim by the leaky and by the clean study. The table above holds the same.") }}
<figcaption>Each claim by the clean and by the leaky study.
<a href="../findings/parity.csv">findings/parity.csv</a></figcaption>
</figure>
{% elif config.compare.beside %}
<p class="note">{{ config.compare.beside }}, which this study is to be compared with (compare.beside), has not run in
this folder yet: run it, then this study again.</p>
{% endif %}
"""
_HEADS = ["claim", "measured as", "clean", "interval", "finding", "leaky", "interval", "finding", "moved by"]


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Return every claim by the clean study and by this one, and how far it moves."""
    rows = [
        [
            *(row.claim, row.measure),
            *(number(row.clean), f"[{number(row.clean_low)}, {number(row.clean_high)}]", row.clean_finding),
            *(number(row.parity), f"[{number(row.parity_low)}, {number(row.parity_high)}]", row.parity_finding),
            number(row.moved),
        ]
        for row in named_rows(tables["parity"])
    ]
    return Part(_ON_PAGE, {"table": Table(_HEADS, rows, n_words=2)})
