"""Parity: what a study says of the published claims, beside the same study done as the authors did it."""

import pandas as pd

from ecgtransfer.compare.findings import sorted_table

_MODES = ("clean", "parity")
PARITY_COLUMNS = [
    *("claim", "measure"),
    *(f"{mode}{end}" for mode in _MODES for end in ("", "_low", "_high", "_finding")),
    "moved",
]


def parity(clean_claims: pd.DataFrame, parity_claims: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates of two studies side by side, and how far the authors' choices move them.

    Parameters
    ----------
    clean_claims, parity_claims
        The tables of `ecgtransfer.compare.claims.claims` of the two studies.

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
