"""Next steps: what would decide the comparisons that are undecided, more replicates or more test patients."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ecgtransfer.arms import Cell
from ecgtransfer.compare.runs import Run, cell_of, mean_with_interval
from ecgtransfer.compare.tables import CELL_COLUMNS, CELL_MEANING, TableForm, sorted_table
from ecgtransfer.compare.variances import How
from ecgtransfer.compare.verdicts import Comparison, comparisons
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES, series_name
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.tables import CELL, Columns, count, interval, named_rows, number, table_of, value
from ecgtransfer.source import Source
from ecgtransfer.statistics.inference import verdict
from ecgtransfer.statistics.planning import patients_for, replicates_for, spread_of

ENOUGH_REPLICATES = 10
"""With so many, or those of the study if more, it is said how many test patients would decide."""
NEXT_STEPS_COLUMNS = [
    *(*CELL_COLUMNS, "metric", "delta", "ci_low", "ci_high", "outcome"),
    *("n_replicates", "n_replicates_needed", "seconds", "n_test_patients", "n_test_patients_needed"),
]
TABLES = {
    "next_steps": TableForm(
        NEXT_STEPS_COLUMNS,
        "what would decide the undecided comparisons",
        "One row per comparison of macro AUROC that is undecided, controls left out.",
        {
            **CELL_MEANING,
            "metric, delta, ci_low, ci_high": "as in verdicts.csv",
            "outcome": "the verdict that would come if `delta` stays: `helps`, `hurts` or `equivalent`; empty where"
            " nothing within reach decides, or one replicate tells too little",
            "n_replicates, n_replicates_needed": "replicates of the study, and how many would decide; empty where no"
            " number does, as the test patients alone leave more",
            "seconds": "of training the further replicates in all cells of the study, by what its replicates took",
            "n_test_patients, n_test_patients_needed": "test patients of the target, and how many would decide with"
            f" {ENOUGH_REPLICATES} replicates; given where replicates alone do not",
        },
    )
}


def compute(
    runs: Sequence[Run],
    metadata: Mapping[Cell, Mapping[str, Any]],
    splits: Mapping[str, pd.DataFrame],
    confidence: float,
    margin: float,
    seed: int,
    variance: How,
) -> dict[str, pd.DataFrame]:
    """Return the table of `next_steps`."""
    patients = {
        target: int(table.loc[table["role"] == "test", "patient_id"].nunique()) for target, table in splits.items()
    }
    seconds = sum(each["wall_seconds"] / len(each["replicates"]) for each in metadata.values())
    return {"next_steps": next_steps(runs, patients, seconds, confidence, margin, seed, variance)}


def next_steps(
    runs: Sequence[Run],
    patients: Mapping[str, int],
    seconds: float,
    confidence: float,
    margin: float,
    seed: int,
    variance: How = "own",
) -> pd.DataFrame:
    """Return what would decide each undecided comparison of macro AUROC, at its present estimate.

    Parameters
    ----------
    runs
        All cells of a study.
    patients
        Test patients of each target.
    seconds
        Of one replicate of all cells.
    confidence, margin, seed, variance
        As for `ecgtransfer.compare.verdicts.verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns `NEXT_STEPS_COLUMNS`.

    Raises
    ------
    InputError
        As `ecgtransfer.compare.verdicts.comparisons`.
    """
    rows = []
    for each in comparisons(runs, variance):
        if each.metric != ANSWERED_METRIC or Source.of(each.run.source).is_control:
            continue
        delta, low, high = mean_with_interval(each.values, each.resampled, confidence, seed, each.variance)
        if math.isnan(delta) or verdict(low, high, margin) != "undecided":
            continue
        step = _step(each, delta, patients[each.run.target], confidence, margin)
        needed = step.get("n_replicates_needed", math.nan)
        rows.append(
            {
                **cell_of(each.run, each.metric),
                **{"delta": delta, "ci_low": low, "ci_high": high, "n_replicates": len(each.values)},
                **{
                    "n_test_patients": patients[each.run.target],
                    "seconds": (needed - len(each.values)) * seconds,
                    "outcome": "",
                },
                **step,
            }
        )
    table = sorted_table(rows, NEXT_STEPS_COLUMNS)
    whole = ["n_replicates", "n_replicates_needed", "n_test_patients", "n_test_patients_needed"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def _step(each: Comparison, delta: float, n_patients: int, confidence: float, margin: float) -> dict[str, Any]:
    """Return the columns on what would decide a comparison; none where nothing is known or within reach."""
    if len(each.values) < 2:
        return {}
    spread = spread_of(each.values, each.resampled, each.variance)
    # An end of the interval must leave 0, or both must lie within the margin.
    goals = {"helps" if delta > 0 else "hurts": abs(delta), "equivalent": margin - abs(delta)}
    by_replicates = {
        outcome: n for outcome, half in goals.items() if half > 0 and (n := replicates_for(spread, half, confidence))
    }
    if by_replicates:
        outcome = min(by_replicates, key=by_replicates.__getitem__)
        return {"outcome": outcome, "n_replicates_needed": by_replicates[outcome]}
    n_replicates = max(ENOUGH_REPLICATES, len(each.values))
    by_patients = {
        outcome: times
        for outcome, half in goals.items()
        if half > 0 and (times := patients_for(spread, n_replicates, half, confidence))
    }
    if not by_patients:
        return {}
    outcome = min(by_patients, key=by_patients.__getitem__)
    return {"outcome": outcome, "n_test_patients_needed": math.ceil(by_patients[outcome] * n_patients)}


_ON_PAGE = """
{% if its.config %}
<p>{{ its.sentence }}</p>
<pre>transfer: {replicates: {{ its.config }}}</pre>
{% endif %}
{% if its.patients %}<p>{{ its.patients }}</p>{% endif %}
<details>
<summary>All undecided comparisons</summary>
{{ laid_out(its.table) }}
<p class="note">If the difference stays as it is: another estimate needs other numbers. Seconds are those of training
the further replicates in all cells; those that are there are kept.
<a href="../findings/next_steps.csv">findings/next_steps.csv</a></p>
</details>
"""
_COLUMNS: Columns = {
    **CELL,
    "recordings": count("n_train"),
    **{"difference": value("delta"), "interval": interval, "would be": lambda row: str(row.outcome) or "–"},
    **{"replicates": count("n_replicates_needed"), "seconds": count("seconds")},
    "test patients": count("n_test_patients_needed"),
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the step that decides most for its cost, and all of them; None where nothing is undecided."""
    found = tables["next_steps"].fillna({"outcome": ""})
    if found.empty:
        return None
    decided = found[found["n_replicates_needed"].notna()]
    by_patients = found[found["n_test_patients_needed"].notna()]
    values: dict[str, Any] = {"table": table_of(found, _COLUMNS, n_words=3), "config": "", "patients": ""}
    if len(decided):
        values |= _first_step(decided.sort_values("n_replicates_needed"), len(found))
    if len(by_patients):
        first = next(named_rows(by_patients.sort_values("n_test_patients_needed")))
        values["patients"] = (
            f"For {len(by_patients)} of the {len(found)} undecided comparisons no number of replicates would decide:"
            f" the test patients alone leave more. The first of these, {first.model} {series_name(first.arm)} on"
            f" {first.target} with {first.n_train:,} recordings, needs some {first.n_test_patients_needed:,} test"
            f" patients in place of {first.n_test_patients:,}."
        )
    return Part(_ON_PAGE, values)


def _first_step(decided: pd.DataFrame, n_undecided: int) -> dict[str, Any]:
    """Return the number of replicates that the cheapest comparison needs, and a sentence on it."""
    first = next(named_rows(decided))
    n = int(first.n_replicates_needed)
    n_decided = int((decided["n_replicates_needed"] <= n).sum())
    sentence = (
        f"{n} replicates in place of {first.n_replicates} would decide {n_decided} of the {n_undecided} undecided"
        f" comparisons if the differences stay, the first of them {first.model} {series_name(first.arm)} on"
        f" {first.target} with {first.n_train:,} recordings: {number(first.delta)} {METRIC_NAMES[ANSWERED_METRIC]}"
        f" would be {first.outcome}. The further trainings take {_duration(first.seconds)}. In the study file:"
    )
    return {"config": n, "sentence": sentence}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
