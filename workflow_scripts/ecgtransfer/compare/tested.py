"""What a run predicted on the test records, with their labels, and metrics of it on all resamples at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import Cell
from ecgtransfer.compare.scores import truth_of
from ecgtransfer.compare.tables import key_of
from ecgtransfer.statistics.metrics import macro
from ecgtransfer.statistics.resampling import patients_of_rarer_class, widened_for_few_patients

Array = NDArray[Any]
Metric = Callable[[Array, Array, Array], Array]
"""Of labels (n,), probabilities (n,) and weights (B, n), such as `ecgtransfer.statistics.metrics.auroc`: (B,)."""


@dataclass(frozen=True)
class Tested:
    """The test records of a run: N of them, L labels, R replicates."""

    record_id: Array  # (N,)
    patients: Array  # (N,)
    labels: list[str]
    positive: Array  # (N, L) bool
    known: Array  # (N, L) bool: whether the label is known
    probability: Array  # (R, N, L)

    def values(self, metric: Metric, rows: Array, columns: Sequence[int], weights: Array) -> Array:
        """Return (R, len(columns), 1 + B): a metric of some labels on some records, of those with a known label each.

        Weights are those of `ecgtransfer.compare.draws.Draws.weights_of`; the resamples of labels are
        `widened_for_few_patients`.
        """
        within = weights.T[rows].T  # in memory order, record by record
        values = np.empty((len(self.probability), len(columns), len(weights)))
        for place, column in enumerate(columns):
            known = self.known[rows, column]
            chosen, drawn = (rows, within) if known.all() else (rows[known], within.T[known].T)
            for replicate, probability in enumerate(self.probability):
                values[replicate, place] = metric(self.positive[chosen, column], probability[chosen, column], drawn)
        n_patients = patients_of_rarer_class(self.positive[rows], self.known[rows], self.patients[rows])
        values[:, :, 1:] = widened_for_few_patients(values[:, :, 0], values[:, :, 1:], n_patients[list(columns)])
        return values


def cell_start(cell: Cell, predictions: Mapping[str, Array]) -> dict[str, object]:
    """Return `CELL_COLUMNS` of a row on a cell whose predictions are at hand."""
    return {**key_of(cell), "n_train": round(float(predictions["n_train"].mean()))}


def macro_by_replicate(by_label: Array) -> Array:
    """Return the mean over labels of `Tested.values`, (R, L, B) -> (R, B)."""
    return np.stack([macro(of_replicate) for of_replicate in by_label])


def tested(predictions: Mapping[str, Array], labels: pd.DataFrame, splits: pd.DataFrame) -> Tested:
    """Return the test records of a run.

    Parameters
    ----------
    predictions
        The arrays of ``predictions.npz``: of them ``labels``, ``test_record_id`` and ``test_probability``.
    labels
        ``record_id`` and one column per label: 0, 1 or missing, where it is not known.
    splits
        ``record_id`` and ``patient_id``.

    Raises
    ------
    InputError
        If a record or label is missing from the label table.
    """
    names, record_ids = [str(name) for name in predictions["labels"]], predictions["test_record_id"].astype(str)
    truth = truth_of(labels, names, record_ids)
    by_record = splits.assign(record_id=splits["record_id"].astype(str)).set_index("record_id")
    patients = by_record.loc[record_ids, "patient_id"].astype(str).to_numpy()
    return Tested(record_ids, patients, names, truth.positive, truth.known, predictions["test_probability"])
