"""Scores of one run: its test predictions against the labels, once plainly and once per patient resample.

Thresholds come from the validation records that the replicate
was allowed to see; in a target without any, for parity with studies that had none, from the test records. A label is
scored, and its threshold chosen, on the records of which it is known.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.errors import InputError
from ecgtransfer.statistics.metrics import (
    auroc,
    average_precision,
    best_f1_threshold,
    challenge_score,
    f1,
    f1_and_prevalence,
    macro_of_frequent,
    weighted_macro,
)
from ecgtransfer.statistics.resampling import patient_resamples, patients_of_rarer_class, widened_for_few_patients

Array = NDArray[Any]

LABEL_METRICS = ("auroc", "auprc", "f1", "f1_at_half")
MACRO_METRICS = ("macro_auroc", "macro_auprc", "macro_f1", "weighted_f1")
"""What the metrics of labels become over all labels: means, and for the last one a mean by prevalence."""
CHALLENGE_SCORE = "challenge_score"
"""A further one, of the scored classes of the PhysioNet/CinC Challenge 2021."""
SINUS_RHYTHM = "NSR"
"""The class that the Challenge's score is measured from."""

HALF = 0.5
"""Nguyen & Do 2025 answer yes above this probability, which no record decides."""

_PREDICTION_ARRAYS = (
    "labels",
    "test_record_id",
    "test_probability",
    "valid_record_id",
    "valid_probability",
    "valid_used",
    "n_train",
    "n_train_patients",
)
_RESAMPLE_ARRAYS = (*MACRO_METRICS, "n_train", "n_train_patients")


@dataclass(frozen=True)
class Truth:
    """The labels of some records: which they have, and of which this is known; bool, (records, L)."""

    positive: Array
    known: Array


def score_run(
    predictions: Mapping[str, Array],
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    n_resamples: int,
    seed: int,
    min_positives: int = 1,
    rewards: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Score every replicate of a run, per label and as the mean over labels.

    Parameters
    ----------
    predictions : the arrays of ``predictions.npz``: ``labels`` (L,), ``test_record_id`` (N,), ``test_probability``
        (R, N, L), ``valid_record_id`` (V,), ``valid_probability`` (R, V, L), ``valid_used`` (R, V) bool, ``n_train``
        (R,) and ``n_train_patients`` (R,)
    labels : ``record_id`` and one column per label: 0, 1 or missing, where it is not known
    splits : ``record_id``, ``patient_id``, ``role``
    n_resamples : number of patient resamples B
    seed : of the resamples; one seed for all runs of a target makes their resamples the same, hence comparable in pairs
    min_positives : labels that fewer test patients have, or lack, are left out of all macro scores, but not of
        weighted_f1
    rewards : what the Challenge gives for answering a column's label where that of the row is true; None if the labels
        are not its classes

    Returns
    -------
    scores : tidy table ``replicate,label,metric,value,n_positive,n_records,threshold,n_valid``; metric is one of
        `LABEL_METRICS` for a label and of `MACRO_METRICS` for label "macro". A label without positives or without
        negatives in the test set has no value and is left out of macro; f1_at_half needs positives alone, and
        weighted_f1 is its mean by the prevalence of the labels among these records, as of
        ``sklearn.metrics.f1_score(average="weighted")``. With `rewards`, "macro" has a row `CHALLENGE_SCORE`, of those
        of the Challenge's classes that are labels here, if sinus rhythm is one and all are known of all test records;
        answered is what reaches a label's threshold. ``n_records`` counts the test records of which a label is
        known, for macro all; ``n_valid`` the resamples on which the label is part of the macro score, and for macro
        those that have one.
    resamples : for each metric of "macro" its value (R, B) on every patient resample, the labels' being
        `widened_for_few_patients`, NaN where no label has both positives and negatives; ``n_train`` and
        ``n_train_patients`` (R,) are carried along

    Raises
    ------
    InputError
        If the predictions do not cover exactly the test records, if thresholds would come from records that are not
        validation records, if a record or label is missing from the tables, if a probability is not a number, or if no
        label has `min_positives`.
    """
    splits = splits.assign(record_id=splits["record_id"].astype(str))
    test_ids, valid_ids = predictions["test_record_id"].astype(str), predictions["valid_record_id"].astype(str)
    _check_roles(test_ids, valid_ids, splits)
    _check_probabilities(predictions)
    names = [str(name) for name in predictions["labels"]]
    truth_test, truth_valid = truth_of(labels, names, test_ids), truth_of(labels, names, valid_ids)
    patients = splits.set_index("record_id").loc[test_ids, "patient_id"].astype(str).to_numpy()
    weights = patient_resamples(patients, n_resamples, seed)
    in_rarer_class = patients_of_rarer_class(truth_test.positive, truth_test.known, patients)
    frequent = in_rarer_class >= min_positives
    if not frequent.any():
        raise InputError(
            f"test records: no label has {min_positives} patients with it and as many without, but"
            f" {in_rarer_class.max()} at most; lower score.min_positives, or take more patients"
        )
    in_challenge = rewards is not None and SINUS_RHYTHM in names and truth_test.known.all()
    reward_table = rewards.loc[names, names].to_numpy() if rewards is not None and in_challenge else None
    metrics = MACRO_METRICS if reward_table is None else (*MACRO_METRICS, CHALLENGE_SCORE)

    tables, resampled = [], []
    for replicate, (test, valid, used) in enumerate(
        zip(predictions["test_probability"], predictions["valid_probability"], predictions["valid_used"], strict=True)
    ):
        thresholds = _thresholds(truth_valid, valid, used)
        plain, prevalence = _metrics(truth_test, test, thresholds, None)
        means, _ = _over_labels(plain, prevalence, frequent)
        by_label, prevalence = _metrics(truth_test, test, thresholds, weights)
        by_label = widened_for_few_patients(plain[:, :, 0], by_label, in_rarer_class)
        drawn, n_valid = _over_labels(by_label, prevalence, frequent)
        if reward_table is not None:
            answered = truth_test.positive, test >= np.asarray(thresholds), reward_table, names.index(SINUS_RHYTHM)
            means = np.vstack([means, challenge_score(*answered)])
            drawn = np.vstack([drawn, challenge_score(*answered, weights)])
        of_all = zip(metrics, means[:, 0], np.count_nonzero(~np.isnan(drawn), axis=1), strict=True)
        tables.append(_score_table(replicate, names, plain[:, :, 0], n_valid, of_all, truth_test, thresholds))
        resampled.append(drawn)
    by_metric: Array = np.moveaxis(np.array(resampled), 1, 0)
    resamples: dict[str, Array] = dict(zip(metrics, by_metric, strict=True))
    carried = {name: np.asarray(predictions[name]) for name in ("n_train", "n_train_patients")}
    return pd.concat(tables, ignore_index=True), resamples | carried


def load_predictions(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read a run's ``predictions.npz``; InputError if an array that `score_run` needs is missing."""
    return load_arrays(path, _PREDICTION_ARRAYS)


def load_resamples(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the resamples of `score_run`; InputError if an array is missing."""
    return load_arrays(path, _RESAMPLE_ARRAYS, (CHALLENGE_SCORE,))


def load_arrays(
    path: str | os.PathLike[str], names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Array]:
    """Read arrays of an npz file; InputError if one is missing that is not optional."""
    with np.load(path, allow_pickle=False) as archive:
        missing = [name for name in names if name not in archive]
        if missing:
            raise InputError(f"{path}: array {', '.join(missing)} missing; delete the file so that it is rebuilt")
        return {name: archive[name] for name in (*names, *optional) if name in archive}


def _thresholds(truth: Truth, probability: Array, used: Array) -> list[float]:
    """Return the best threshold of every label on the validation records that were used."""
    seen = truth.known & used[:, None]
    return [
        best_f1_threshold(truth.positive[rows, column], probability[rows, column]) for column, rows in enumerate(seen.T)
    ]


def _metrics(truth: Truth, probability: Array, thresholds: list[float], weights: Array | None) -> tuple[Array, Array]:
    """Return `LABEL_METRICS` (4, L, B) and prevalence (L, B) of every label on every resample."""
    values = np.empty((len(LABEL_METRICS), truth.known.shape[1], 1 if weights is None else len(weights)))
    prevalence = np.empty(values.shape[1:])
    for rows, columns in _known_together(truth.known):
        drawn = None if weights is None else weights.T[rows].T  # in memory order, record by record
        for column in columns:
            positive, score = truth.positive[rows, column], probability[rows, column]
            values[0, column] = auroc(positive, score, drawn)
            values[1, column] = average_precision(positive, score, drawn)
            values[2, column] = f1(positive, score >= thresholds[column], drawn)
            values[3, column], prevalence[column] = f1_and_prevalence(positive, score > HALF, drawn)
    return values, prevalence


def _over_labels(values: Array, prevalence: Array, frequent: Array) -> tuple[Array, Array]:
    """Return `MACRO_METRICS` (4, B) from the values of labels (4, L, B), and how often each counts (4, L)."""
    means, n_valid = zip(*(macro_of_frequent(of_metric, frequent, 1) for of_metric in values[:3]), strict=True)
    last = weighted_macro(values[3], prevalence), np.count_nonzero(~np.isnan(values[3]), axis=1)
    return np.stack([*means, last[0]]), np.stack([*n_valid, last[1]])


def _known_together(known: Array) -> Iterator[tuple[slice | Array, list[int]]]:
    """Yield rows with the columns that are known in just these: resamples are cut to some rows once for all of them."""
    columns_by_rows: dict[bytes, list[int]] = {}
    for column in range(known.shape[1]):
        columns_by_rows.setdefault(known[:, column].tobytes(), []).append(column)
    for columns in columns_by_rows.values():
        rows = known[:, columns[0]]
        yield (slice(None) if rows.all() else np.flatnonzero(rows)), columns


def _score_table(
    replicate: int,
    names: list[str],
    values: Array,
    n_valid: Array,
    of_all: Iterable[tuple[str, float, int]],
    truth: Truth,
    thresholds: list[float],
) -> pd.DataFrame:
    """Return the tidy rows of one replicate: label by label from values and counts (4, L), then metrics of all."""
    n_positive, n_known = truth.positive.sum(axis=0), truth.known.sum(axis=0)
    rows: list[dict[str, object]] = [
        {
            "label": name,
            "metric": metric,
            "value": values[row, column],
            "n_positive": int(n_positive[column]),
            "n_records": int(n_known[column]),
            "threshold": thresholds[column] if metric == "f1" else np.nan,
            "n_valid": n_valid[row, column],
        }
        for column, name in enumerate(names)
        for row, metric in enumerate(LABEL_METRICS)
    ]
    rows += [
        {
            **{"label": "macro", "metric": metric, "value": value},
            **{"n_positive": pd.NA, "n_records": len(truth.known), "threshold": np.nan, "n_valid": n_macro_valid},
        }
        for metric, value, n_macro_valid in of_all
    ]
    table = pd.DataFrame(rows).assign(replicate=replicate).astype({"n_positive": "Int64"})
    return table[["replicate", "label", "metric", "value", "n_positive", "n_records", "threshold", "n_valid"]]


def truth_of(labels: pd.DataFrame, names: list[str], record_ids: Array) -> Truth:
    """Return the labels of the records, in the order of `names` and `record_ids`."""
    absent = [name for name in names if name not in labels.columns]
    if absent:
        raise InputError(f"label table: no column {absent[0]}, which the predictions have; train the run again")
    by_record = labels.assign(record_id=labels["record_id"].astype(str)).set_index("record_id")[names]
    unlabelled = sorted(set(record_ids) - set(by_record.index))
    if unlabelled:
        raise InputError(f"label table: record {unlabelled[0]} missing ({len(unlabelled)} in all); add its row of 0/1")
    cells = by_record.loc[record_ids]
    if len(cells) != len(record_ids) or not (cells.isin([0, 1]) | cells.isna()).all(axis=None):
        raise InputError(
            "label table: every record must have one row, with only 0 and 1, or nothing, in the label columns"
        )
    return Truth(positive=(cells == 1).to_numpy(dtype=bool, na_value=False), known=cells.notna().to_numpy(dtype=bool))


def _check_roles(test_ids: Array, valid_ids: Array, splits: pd.DataFrame) -> None:
    """Raise InputError unless exactly the test records are predicted and thresholds come from validation records.

    Where the split table has no validation records, the test records replace them.
    """
    of_role = {role: set(rows["record_id"]) for role, rows in splits.groupby("role")}
    expected = of_role.get("test", set())
    differing = sorted(expected.symmetric_difference(test_ids))
    if differing or len(test_ids) != len(expected):
        raise InputError(
            f"predictions: test_record_id must be the {len(expected)} test records of the split table, each once, but"
            f" has {len(test_ids)} (first that differs: {differing[0] if differing else 'none, one is repeated'});"
            " train the run again"
        )
    foreign = sorted(set(valid_ids) - of_role.get("valid", expected))
    if foreign:
        raise InputError(
            f"predictions: valid_record_id holds {foreign[0]}, which is no validation record of the split table;"
            " train the run again"
        )


def _check_probabilities(predictions: Mapping[str, Array]) -> None:
    """Raise InputError where an array of probabilities has the wrong shape or holds NaN or infinity."""
    n_replicates, n_labels = len(predictions["n_train"]), len(predictions["labels"])
    expected_used = (n_replicates, len(predictions["valid_record_id"]))
    if predictions["valid_used"].shape != expected_used:
        raise InputError(
            f"predictions: valid_used has shape {predictions['valid_used'].shape}, expected {expected_used}"
        )
    for role in ("test", "valid"):
        probability, n_records = predictions[f"{role}_probability"], len(predictions[f"{role}_record_id"])
        expected = (n_replicates, n_records, n_labels)
        if probability.shape != expected:
            raise InputError(f"predictions: {role}_probability has shape {probability.shape}, expected {expected}")
        bad = np.argwhere(~np.isfinite(probability))
        if len(bad):
            replicate, record, label = bad[0]
            raise InputError(
                f"predictions: {role}_probability of replicate {replicate}, record"
                f" {predictions[f'{role}_record_id'][record]}, label {predictions['labels'][label]} is not a number;"
                " the training diverged: lower its learning rate"
            )
