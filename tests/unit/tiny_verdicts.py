"""Rows of a verdicts table for the tests of the page and of its sentences."""

import pandas as pd

from ecgtransfer.statistics.inference import verdict

MARGIN = 0.01
METRICS = ("macro_auroc", "macro_auprc", "macro_f1", "weighted_f1")
N_TRAIN = {0.1: 30, 0.3: 90, 1.0: 1296}

HELPS, HURTS, SAME, OPEN = (0.096, 0.017, 0.188), (-0.05, -0.08, -0.02), (0.002, -0.004, 0.008), (0.008, -0.02, 0.027)


def verdict_rows(*intervals, source="hospital", target="clinic", model="gru", metric="macro_auroc", method="finetune"):
    """Return rows of a verdicts table: one per fraction, from (delta, low, high)."""
    rows = [
        {
            "target": target,
            "source": source,
            "model": model,
            "arm": f"{method}-{source}",
            "fraction": fraction,
            "n_train": n_train,
            "metric": metric,
            "scratch": 0.7,
            "transfer": 0.7 + delta,
            "delta": delta,
            "ci_low": low,
            "ci_high": high,
            "verdict": verdict(low, high, MARGIN),
        }
        for (fraction, n_train), (delta, low, high) in zip(N_TRAIN.items(), intervals, strict=False)
    ]
    return pd.DataFrame(rows)


def saving_rows(verdicts, saving=3.14, low=2.2, high=4.4):
    """Return rows of a label savings table for a verdicts table; text for an end beyond the curve, from 1 to 5.05."""
    table = verdicts[["target", "source", "model", "arm", "fraction", "n_train", "metric"]].copy()
    for name, value in {"saving": saving, "ci_low": low, "ci_high": high}.items():
        relation = "relation" if name == "saving" else f"{name}_relation"
        table[name] = float("nan") if isinstance(value, str) else value
        table[relation] = value if isinstance(value, str) else "equals"
    return table.assign(n_scratch=table["saving"] * table["n_train"], least=1.0, most=5.05)
