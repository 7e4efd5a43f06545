"""Zero-shot: the model of a source, unchanged, on the test records of a target, for the labels that both have."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.findings import sorted_table
from ecgtransfer.compare.scores import load_arrays
from ecgtransfer.compare.tested import Draws, Tested, tested
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.metrics import auroc, macro
from ecgtransfer.statistics.resampling import patients_of_rarer_class

Array = NDArray[Any]

ZERO_SHOT_COLUMNS = [
    *("target", "source", "model", "metric", "n_labels", "labels"),
    *("score", "ci_low", "ci_high", "scratch", "finetune"),
]
METRIC = "macro_auroc"
BETWEEN_LABELS = "|"


def zero_shot(
    target: str,
    source: str,
    model: str,
    source_predictions: Mapping[str, Array],
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    draws: Draws,
    min_positives: int,
    scratch: Mapping[str, Array] | None = None,
    finetune: Mapping[str, Array] | None = None,
) -> dict[str, object]:
    """Return how well the model of a source does on a target that it was not trained on.

    Parameters
    ----------
    target, source, model
        What meets.
    source_predictions
        What the model of the source says with its own head: ``record_id`` (N,), ``labels`` (L,), ``probability``
        (N, L) of all records of the target.
    labels, splits
        The tables of the target.
    draws
        Of the interval, which covers test patients alone: there is one model.
    min_positives
        A label counts if so many test patients have it, and so many do not.
    scratch, finetune
        The arrays of ``predictions.npz`` of the cells at the largest fraction, where there are such cells.

    Returns
    -------
    dict
        A row for `zero_shot_table`: `ZERO_SHOT_COLUMNS`, those left out that are empty.

        ``n_labels``, ``labels``
            The labels of the source that the target has, too, and that count; joined by ``|``.
        ``score``, ``ci_low``, ``ci_high``
            Macro AUROC over these labels; empty where there are none.
        ``scratch``, ``finetune``
            The same of models trained on the target, mean over replicates; empty where they are not given.

    Raises
    ------
    InputError
        If a test record is missing from the predictions or from the labels.
    """
    run = _of_source(source_predictions, labels, splits)
    n_patients = patients_of_rarer_class(run.positive, run.known, run.patients)
    columns = np.flatnonzero(n_patients >= min_positives).tolist()
    names = [run.labels[column] for column in columns]
    row: dict[str, object] = {"target": target, "source": source, "model": model, "metric": METRIC}
    row |= {"n_labels": len(names), "labels": BETWEEN_LABELS.join(names)}
    if names:
        values = macro(run.values(auroc, np.arange(len(run.record_id)), columns, draws.weights_of(run.patients))[0])
        ends = np.clip(draws.interval_of(values[None]), 0, 1)
        row |= dict(zip(("score", "ci_low", "ci_high"), ends, strict=True))
        trained = {"scratch": scratch, "finetune": finetune}
        row |= {
            arm: _score(tested(predictions, labels, splits), names)
            for arm, predictions in trained.items()
            if predictions is not None
        }
    return row


def zero_shot_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return the rows of `zero_shot` as a table, columns `ZERO_SHOT_COLUMNS`."""
    return sorted_table(list(rows), ZERO_SHOT_COLUMNS, ["target", "source", "model"])


def load_source_predictions(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read what the model of a source says of a target; InputError if an array is missing."""
    return load_arrays(path, ("record_id", "labels", "probability"))


def _of_source(predictions: Mapping[str, Array], labels: pd.DataFrame, splits: pd.DataFrame) -> Tested:
    """Return what is said of the test records on labels that the target has, too, as a run with one replicate."""
    test_ids = splits.loc[splits["role"] == "test", "record_id"].astype(str).to_numpy()
    places = pd.Index(predictions["record_id"].astype(str)).get_indexer(pd.Index(test_ids))
    if (places < 0).any():
        absent = test_ids[places < 0]
        raise InputError(
            f"predictions of the source: test record {absent[0]} missing ({len(absent)} in all); predict them again"
        )
    shared = [column for column, name in enumerate(predictions["labels"].astype(str)) if name in labels.columns]
    as_a_run = {
        "labels": predictions["labels"][shared],
        "test_record_id": test_ids,
        "test_probability": predictions["probability"][None, places][:, :, shared],
    }
    return tested(as_a_run, labels, splits)


def _score(run: Tested, names: list[str]) -> float:
    """Return the macro AUROC over some labels, mean over replicates."""
    columns = [run.labels.index(name) for name in names]
    whole = np.ones((1, len(run.record_id)), dtype=np.int32)
    by_label = run.values(auroc, np.arange(len(run.record_id)), columns, whole)
    return float(by_label.mean())
