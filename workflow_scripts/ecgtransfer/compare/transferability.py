"""Whether one can tell before training how well a source will transfer: the measure MELEP beside what came of it.

MELEP (Nguyen, Duong & Do 2024, J. Healthc. Inform. Res. 8:541-558, arXiv 2311.04224) asks how well the labels of the
target's training records can be told from what the model of the source says of them with its own head.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import way_of
from ecgtransfer.compare.findings import CELL_COLUMNS, KEY_COLUMNS, key_of, sorted_table
from ecgtransfer.compare.per_label import spearman
from ecgtransfer.errors import InputError
from ecgtransfer.study import Cell

Array = NDArray[Any]

MEASURES = {"delta": ("macro_auroc", "delta"), "transfer_auroc": ("macro_auroc", "transfer")}
MEASURES |= {"transfer_weighted_f1": ("weighted_f1", "transfer")}
"""What MELEP is laid beside: metric and column of the verdicts."""
TRANSFERABILITY_COLUMNS = [*CELL_COLUMNS, "melep", *MEASURES]
TRANSFERABILITY_CORRELATION_COLUMNS = ["way", "measure", "spearman", "n"]


def melep(source_probability: Array, target_labels: Array) -> float:
    """Return the multi-label expected log of empirical predictions, from 0; lower: should transfer better.

    Parameters
    ----------
    source_probability
        (n, S): the probability of each label of the source on n training records of the target.
    target_labels
        (n, T): 0 or 1; NaN where a label is not known, which leaves the record out for this label.

    Returns
    -------
    float
        NaN where no target label has a positive.

    Notes
    -----
    A label s of the source is a dummy label: it is 1 with the probability that the model gives. From its joint
    distribution with a target label t follows P(t | s), and from that the expected prediction of t for each record. The
    mean of its negative logarithm at the true value is phi(t, s). MELEP is its mean over s, then over t with the
    prevalence of t as weight.
    """
    present = np.asarray(source_probability, dtype=np.float64)
    labels = np.asarray(target_labels, dtype=np.float64)
    losses, prevalences = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for column, values in enumerate(labels.T):
        known = ~np.isnan(values)
        positive = values[known] == 1
        if positive.any():
            losses[column] = _log_loss(present[known], positive)
            prevalences[column] = positive.mean()
    return float(prevalences @ losses / prevalences.sum()) if prevalences.any() else float("nan")


def _log_loss(present: Array, positive: Array) -> float:
    """Return phi of one target label, (n,) bool, mean over the S dummy labels with probabilities (n, S)."""
    expected = np.zeros_like(present)  # what is predicted for the value that each record has
    for share in (present, 1 - present):
        total = share.sum(axis=0)
        conditional = np.divide(share[positive].sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
        expected += share * np.where(positive[:, None], conditional, 1 - conditional)
    return float(-np.log(np.clip(expected, np.finfo(np.float64).tiny, 1)).mean())


def meleps(
    source_predictions: Mapping[str, Array], labels: pd.DataFrame, splits: pd.DataFrame, fraction: float
) -> list[float]:
    """Return MELEP on the training records of every replicate of a cell.

    Parameters
    ----------
    source_predictions
        ``record_id`` (N,), ``probability`` (N, S) of all records of the target.
    labels
        ``record_id`` and one column per label of the target: 0, 1 or missing.
    splits
        ``record_id,role,rank_<replicate>`` of the target.
    fraction
        Of the cell.

    Raises
    ------
    InputError
        If a training record is missing from the predictions or from the labels.
    """
    training = splits[splits["role"] == "train"]
    ids = pd.Index(training["record_id"].astype(str))
    by_record = labels.assign(record_id=labels["record_id"].astype(str)).set_index("record_id")
    places = pd.Index(source_predictions["record_id"].astype(str)).get_indexer(ids)
    rows = by_record.index.get_indexer(ids)
    for name, found in {"predictions of the source": places, "label table": rows}.items():
        if (found < 0).any():
            raise InputError(f"{name}: training record {ids[found < 0][0]} missing; make the file again")
    probability = source_predictions["probability"][places]
    truth = by_record.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)
    ranks = training.filter(regex=r"^rank_\d+$").to_numpy()
    return [melep(probability[rank < fraction], truth[rank < fraction]) for rank in ranks.T]


def transferability(meleps_of_cells: Mapping[Cell, Sequence[float]], verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return MELEP beside what transfer reached and gained.

    Parameters
    ----------
    meleps_of_cells
        The values of `meleps` of each cell with transferred weights; every way of a source and fraction has the same.
    verdicts
        The table of `ecgtransfer.compare.findings.verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns `TRANSFERABILITY_COLUMNS`, a row per cell. ``melep`` is a mean over replicates; ``delta`` the gain in
        macro AUROC over training from scratch, ``transfer_...`` the score itself; empty where there is none.

    Raises
    ------
    InputError
        If a cell has no verdict.
    """
    columns = dict.fromkeys(column for _, column in MEASURES.values())
    found = verdicts.set_index([*KEY_COLUMNS, "metric"])[[*columns, "n_train"]].to_dict("index")
    rows: list[dict[str, object]] = []
    for cell, values in meleps_of_cells.items():
        key = tuple(key_of(cell).values())
        if (*key, "macro_auroc") not in found:
            raise InputError(f"{cell.name}: no verdict to lay its transferability beside; compare again")
        row: dict[str, object] = {**key_of(cell), "n_train": found[*key, "macro_auroc"]["n_train"]}
        row["melep"] = float(np.mean(values))
        row |= {name: found.get((*key, metric), {}).get(column, np.nan) for name, (metric, column) in MEASURES.items()}
        rows.append(row)
    return sorted_table(rows, TRANSFERABILITY_COLUMNS, KEY_COLUMNS)


def transferability_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of MELEP with what came of transfer.

    Parameters
    ----------
    table
        That of `transferability`.

    Returns
    -------
    pandas.DataFrame
        Columns `TRANSFERABILITY_CORRELATION_COLUMNS`, a row per way to transfer and measure, over all its ``n`` cells
        that have both. Below 0 where MELEP tells well. Empty for fewer than three cells, or where either is the same
        everywhere. Cells of a target share its recordings, so there is no p-value.
    """
    rows: list[dict[str, object]] = []
    for way, cells in table.groupby(table["arm"].map(way_of)):
        for measure in MEASURES:
            known = cells.dropna(subset=["melep", measure])
            correlation = spearman(known["melep"], known[measure])
            rows.append({"way": way, "measure": measure, "spearman": correlation, "n": len(known)})
    return sorted_table(rows, TRANSFERABILITY_CORRELATION_COLUMNS, ["way", "measure"])
