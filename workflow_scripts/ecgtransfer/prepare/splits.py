"""Who trains, who validates, who tests: by patient, published folds first, and nested fractions of the patients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.errors import InputError

ROLES = ("train", "valid", "test")


def split_records(
    records: pd.DataFrame, labels: pd.DataFrame, settings: Mapping[str, Any], n_replicates: int, corpus: str
) -> pd.DataFrame:
    """Return ``record_id, patient_id, role, rank_0, rank_1, ...``, rows as in `records`.

    Parameters
    ----------
    records
        Columns ``record_id``, ``patient_id`` and ``fold`` (published fold, may be missing).
    labels
        ``record_id`` and 0/1 columns, rows as in `records`: folds made here are stratified by them.
    settings
        The config section ``splits``: ``seed``, ``n_folds``, ``valid_folds``, ``test_folds`` (counted from 1).
    n_replicates
        Number of rank columns. A rank is a patient's place, from 0 to below 1, in a random order of the patients of
        its role; a fraction takes the ranks below it, so smaller fractions are subsets of larger ones. Test records
        have rank 0: every fraction is tested on all of them.
    corpus
        For messages.

    Raises
    ------
    InputError
        If a role stays empty.
    """
    patients, first_record, patient_of = np.unique(
        records["patient_id"].astype(str), return_index=True, return_inverse=True
    )
    published = records["fold"].astype("Int64").to_numpy(dtype=float, na_value=np.nan)[first_record]
    folds = np.where(np.isnan(published), 0, published).astype(int)
    without_fold = np.flatnonzero(folds == 0)
    label_counts = np.zeros((len(patients), labels.shape[1] - 1), dtype=np.int64)
    np.add.at(label_counts, patient_of, labels.drop(columns="record_id").to_numpy(dtype=np.int64))
    n_records = np.bincount(patient_of)
    folds[without_fold] = stratified_folds(
        label_counts[without_fold], n_records[without_fold], settings["n_folds"], settings["seed"]
    )
    roles = np.select(
        [np.isin(folds, settings["test_folds"]), np.isin(folds, settings["valid_folds"])], ["test", "valid"], "train"
    )
    for role in ROLES:
        if role not in roles:
            raise InputError(
                f"splits of {corpus}: no patient of {len(patients)} is in role {role}; check splits.n_folds,"
                " splits.valid_folds and splits.test_folds, or use more records"
            )
    table = pd.DataFrame(
        {"record_id": records["record_id"], "patient_id": records["patient_id"], "role": roles[patient_of]}
    ).reset_index(drop=True)
    for replicate in range(n_replicates):
        table[f"rank_{replicate}"] = _ranks(roles, np.random.default_rng([settings["seed"], replicate]))[patient_of]
    return table


def stratified_folds(
    label_counts: npt.NDArray[np.int64], n_records: npt.NDArray[np.int64], n_folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Return a fold from 1 to `n_folds` per patient, so that every fold has its share of every label.

    Labels are dealt out from the rarest to the most frequent, each patient to the fold that lacks most of that label
    (Sechidis, Tsoumakas & Vlahavas 2011, "On the stratification of multi-label data", with patients in place of
    samples).

    Parameters
    ----------
    label_counts
        Shape (patients, labels): in how many of a patient's records the label occurs.
    n_records
        Records per patient.
    n_folds
        Number of folds of equal size.
    seed
        Decides the order of patients, and ties.
    """
    rng = np.random.default_rng(seed)
    counts = np.column_stack([label_counts, n_records]).astype(float)
    lacking = np.tile(counts.sum(axis=0) / n_folds, (n_folds, 1))
    folds = np.zeros(len(counts), dtype=np.int64)
    order = rng.permutation(len(counts))
    while (folds == 0).any():
        open_patients = order[folds[order] == 0]
        left = (counts[open_patients, :-1] > 0).sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf))) if left.any() else -1
        chosen = open_patients[counts[open_patients, rarest] > 0]
        for patient in chosen:
            need = np.lexsort((rng.random(n_folds), -lacking[:, -1], -lacking[:, rarest]))
            folds[patient] = need[0] + 1
            lacking[need[0]] -= counts[patient]
    return folds


def _ranks(roles: npt.NDArray[np.str_], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    ranks = np.zeros(len(roles))
    for role in ("train", "valid"):
        members = np.flatnonzero(roles == role)
        ranks[rng.permutation(members)] = np.arange(len(members)) / len(members)
    return ranks.round(9)
