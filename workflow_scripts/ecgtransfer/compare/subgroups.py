"""Who is served how well: the score of a run among women and men and by age, and how far it is from that of all others.

Only labels that enough patients have, and enough have not, in the group as well as among the others, are compared: the
score of a label with two positives says nothing, and a gap over other labels would be one between labels.
"""

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.findings import CELL_COLUMNS, KEY_COLUMNS, sorted_table
from ecgtransfer.compare.tested import Draws, Tested, cell_start, macro_by_replicate, tested
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.metrics import auroc
from ecgtransfer.statistics.resampling import patients_of_rarer_class
from ecgtransfer.study import Cell

logger = logging.getLogger(__name__)

Array = NDArray[Any]

SUBGROUP_COLUMNS = [
    *(*CELL_COLUMNS, "attribute", "group", "metric", "n_records", "n_patients", "n_labels"),
    *("score", "ci_low", "ci_high", "gap", "gap_low", "gap_high"),
]
METRIC = "macro_auroc"
SEXES = ("F", "M")
AGES = {"under 40": (-np.inf, 40), "40 to 64": (40, 65), "65 and over": (65, np.inf)}
"""From the first age on, in years, to below the second."""
MIN_POSITIVES = 5


def subgroups(
    cell: Cell,
    predictions: Mapping[str, Array],
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    records: pd.DataFrame,
    draws: Draws,
    min_positives: int = MIN_POSITIVES,
) -> pd.DataFrame:
    """Return how well one cell does in every group of test records.

    Parameters
    ----------
    cell
        Whose predictions they are.
    predictions
        The arrays of its ``predictions.npz``.
    labels, splits
        The tables of its target.
    records
        ``record_id,age_years,sex`` of the target, sex ``F`` or ``M``; empty where unknown.
    draws
        Of the intervals, which cover test patients and replicates.
    min_positives
        A label counts if so many patients have it, and so many do not, in the group and among the others.

    Returns
    -------
    pandas.DataFrame
        Columns `SUBGROUP_COLUMNS`, a row per group.

        ``n_records``, ``n_patients``
            Test records in the group, and their patients.
        ``n_labels``
            Labels that count; without any, there is no score.
        ``score``, ``ci_low``, ``ci_high``
            Macro AUROC over these labels, mean over replicates.
        ``gap``, ``gap_low``, ``gap_high``
            The same minus that of all other test records of which the attribute is known, over the same labels.

    Raises
    ------
    InputError
        If a test record or label is missing from a table.
    """
    run = tested(predictions, labels, splits)
    logger.info("%s: %d test records by sex and age", cell.name, len(run.record_id))
    weights = draws.weights_of(run.patients)
    start = cell_start(cell, predictions)

    @cache  # the others of one sex are the other one
    def by_label(side: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        return run.values(auroc, np.array(side), columns, weights)

    rows: list[dict[str, object]] = []
    for attribute, group, inside, outside in _groups(run, records):
        columns = _columns_to_compare(run, inside, outside, min_positives)
        found: dict[str, object] = {"n_labels": len(columns)}
        if columns:
            within, beside = (by_label(tuple(np.flatnonzero(side)), columns) for side in (inside, outside))
            scores = draws.interval_of(macro_by_replicate(within))
            # A resample's gap is over labels that both can have.
            gaps = draws.interval_of(macro_by_replicate(within - beside))
            found |= dict(zip(("score", "ci_low", "ci_high"), np.clip(scores, 0, 1), strict=True))
            found |= dict(zip(("gap", "gap_low", "gap_high"), gaps, strict=True))
        counts = {"n_records": int(inside.sum()), "n_patients": len(np.unique(run.patients[inside]))}
        rows.append({**start, "attribute": attribute, "group": group, "metric": METRIC, **counts, **found})
    return sorted_table(rows, SUBGROUP_COLUMNS, [*KEY_COLUMNS, "attribute"])


def _groups(run: Tested, records: pd.DataFrame) -> Iterator[tuple[str, str, Array, Array]]:
    """Yield attribute, group, which test records are in it, and which are in another; bool, (N,)."""
    people = records.assign(record_id=records["record_id"].astype(str)).set_index("record_id")
    absent = sorted(set(run.record_id) - set(people.index))
    if absent:
        raise InputError(f"records table: record {absent[0]} missing ({len(absent)} in all); index the records again")
    people = people.loc[run.record_id]
    sex, age = people["sex"].to_numpy(dtype=object), people["age_years"].to_numpy(dtype=np.float64, na_value=np.nan)
    members = {
        "sex": {each: sex == each for each in SEXES},
        "age": {group: (age >= low) & (age < high) for group, (low, high) in AGES.items()},
    }
    for attribute, groups in members.items():
        known = np.any(list(groups.values()), axis=0)
        for group, inside in groups.items():
            yield attribute, group, inside, known & ~inside


def _columns_to_compare(run: Tested, inside: Array, outside: Array, least: int) -> tuple[int, ...]:
    """Return the labels that enough patients have, and have not, on both sides."""
    enough = np.ones(len(run.labels), dtype=bool)
    for side in (inside, outside):
        enough &= patients_of_rarer_class(run.positive[side], run.known[side], run.patients[side]) >= least
    return tuple(np.flatnonzero(enough).tolist())
