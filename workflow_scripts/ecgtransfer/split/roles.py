"""Who trains, who validates, who tests, and nested fractions of the patients.

Roles are assigned by patient, published folds first, or by site or month of recording; no patient ever has two. For
parity with studies that split so, they can also be assigned by record: then a patient can be in training and test.
"""

import logging
import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.config.splits import Splits
from ecgtransfer.errors import InputError

logger = logging.getLogger(__name__)

ROLES = ("train", "valid", "test")


def split_records(
    records: pd.DataFrame, labels: pd.DataFrame, settings: Splits, n_replicates: int, corpus: str
) -> pd.DataFrame:
    """Return ``record_id, patient_id, role, rank_0, rank_1, ...``, rows in the order of `records`.

    By patient, every record is there. By site or month, records of a patient who also occurs in a role that comes first
    (test, then valid) are left out, and the log counts them. By record, each draws its role alone: patients can have
    two, and there is no validation.

    Parameters
    ----------
    records
        Columns ``record_id``, ``patient_id``, ``fold`` (published fold, may be missing) and, where roles are assigned
        by them, ``site`` or ``month``.
    labels
        ``record_id`` and 0/1 columns, rows as in `records`: folds made here are stratified by them. A missing cell
        counts as 0.
    settings
        The config section ``splits``: ``by`` (``patient``, ``site``, ``month`` or ``record``), ``seed``, ``n_folds``,
        ``valid_folds``, ``test_folds`` (counted from 1), ``valid_groups`` and ``test_groups`` (names of sites or
        months; where both are empty, sites or months are dealt out to folds), and ``test_share``, by record alone. With
        neither ``valid_folds`` nor ``valid_groups`` there is no validation.
    n_replicates
        Number of rank columns. A rank is a patient's place (by record, a record's), from 0 to below 1, in a random
        order of the patients of its role; a fraction takes the ranks below it, so smaller fractions are subsets of
        larger ones. Test records have rank 0: every fraction is tested on all of them.
    corpus
        For messages.

    Raises
    ------
    InputError
        If a role stays empty.
    """
    records, labels = records.reset_index(drop=True), labels.reset_index(drop=True)
    if settings.by == "record":
        assert settings.test_share is not None
        roles = _roles_by_record(len(records), settings.test_share, settings.seed)
        table = records[["record_id", "patient_id"]].assign(role=roles)
    else:
        roles = _roles_by_unit(records, labels, settings, corpus)
        kept = _one_role_per_patient(records["patient_id"].astype(str), roles, corpus)
        table = records.loc[kept, ["record_id", "patient_id"]].assign(role=roles[kept]).reset_index(drop=True)
    _check_roles(table, records["patient_id"].nunique(), settings, corpus)
    ranked = table["record_id" if settings.by == "record" else "patient_id"].astype(str)
    _, first_record, unit_of = np.unique(ranked, return_index=True, return_inverse=True)
    unit_roles = table["role"].to_numpy(dtype=str)[first_record]
    for replicate in range(n_replicates):
        ranks = _ranks(unit_roles, np.random.default_rng([settings.seed, replicate]))
        table[f"rank_{replicate}"] = ranks[unit_of]
    return table


def notices_of(records: pd.DataFrame, splits: pd.DataFrame, settings: Splits) -> list[str]:
    """Return which usable records have no role, and which have that of another fold, one sentence each.

    Parameters
    ----------
    records
        Those that can have a role; columns as in `split_records`.
    splits
        What `split_records` made of them.
    settings
        The config section ``splits``.
    """
    found = []
    n_left_out = len(records) - len(splits)
    if n_left_out:
        found.append(f"{n_left_out} of {len(records)} recordings are left out, their patients occur in another role")
    if settings.by == "patient":
        folds = records["fold"].groupby(records["patient_id"].astype(str))
        n_patients = int((folds.nunique() > 1).sum())
        if n_patients:
            n_moved = int((records["fold"].notna() & (records["fold"] != folds.transform("first"))).sum())
            found.append(
                f"{n_patients} patients have recordings in several folds; {n_moved} of their recordings go with the"
                " fold of the first"
            )
    return found


def _roles_by_record(n_records: int, test_share: float, seed: int) -> npt.NDArray[np.str_]:
    """Return a role per record: a random share of them is for testing, rounded up, and all others are for training."""
    n_test = math.ceil(round(test_share * n_records, 9))  # rounded, for 0.07 * 100 is a little more than 7
    roles = np.full(n_records, "train")
    roles[np.random.default_rng(seed).permutation(n_records)[:n_test]] = "test"
    return roles


def _roles_by_unit(records: pd.DataFrame, labels: pd.DataFrame, settings: Splits, corpus: str) -> npt.NDArray[np.str_]:
    """Return a role per record, the same for all of a patient, a site or a month."""
    if settings.by == "patient":
        units, published = records["patient_id"].astype(str), records["fold"].astype("Int64")
    else:
        units, published = _sites_or_months(records, settings.by, corpus), None
    if settings.valid_groups or settings.test_groups:
        return _named_roles(units, settings, corpus)
    return _roles_by_fold(units, published, labels, settings)


def _check_roles(table: pd.DataFrame, n_patients: int, settings: Splits, corpus: str) -> None:
    """Raise InputError if no record has a role that the config means to be filled."""
    if settings.by == "record":
        whom, remedy = f"record of {len(table)}", "splits.test_share"
    else:
        whom = f"patient of {n_patients}"
        remedy = "splits.n_folds, splits.valid_folds and splits.test_folds (or the groups)"
    for role in ROLES:
        wanted = role != "valid" or settings.has_validation
        if wanted and not (table["role"] == role).any():
            raise InputError(f"splits of {corpus}: no {whom} is in role {role}; check {remedy}, or use more records")


def _sites_or_months(records: pd.DataFrame, column: str, corpus: str) -> pd.Series:
    """Return the site or month of every record."""
    if column not in records or records[column].isna().any():
        n_without = int(records[column].isna().sum()) if column in records else len(records)
        raise InputError(
            f"splits of {corpus}: splits.by is {column}, but {n_without} of {len(records)} records have no {column};"
            " set splits.by to patient, or add the column to the data set"
        )
    return records[column].astype(str)


def _named_roles(units: pd.Series, settings: Splits, corpus: str) -> npt.NDArray[np.str_]:
    """Return a role per record where the config names the sites or months that validate and test."""
    named = {"valid": set(settings.valid_groups), "test": set(settings.test_groups)}
    present = set(units)
    for role, groups in named.items():
        for group in sorted(groups - present):
            raise InputError(
                f"splits of {corpus}: splits.{role}_groups names '{group}', which is no {settings.by} of its"
                f" records; there are {', '.join(sorted(present)[:10])}{', ...' if len(present) > 10 else ''}"
            )
    return np.select([units.isin(named["test"]), units.isin(named["valid"])], ["test", "valid"], "train")


def _roles_by_fold(
    units: pd.Series, published: pd.Series | None, labels: pd.DataFrame, settings: Splits
) -> npt.NDArray[np.str_]:
    """Return a role per record by published folds, or by folds that are made here where there are none."""
    names, unit_of = np.unique(units, return_inverse=True)
    folds = np.zeros(len(names), dtype=np.int64)
    if published is not None:
        folds = published.groupby(units).first().reindex(names).fillna(0).to_numpy(dtype=np.int64)
    without_fold = np.flatnonzero(folds == 0)
    label_counts = np.zeros((len(names), labels.shape[1] - 1), dtype=np.int64)
    np.add.at(label_counts, unit_of, labels.drop(columns="record_id").fillna(0).to_numpy(dtype=np.int64))
    n_records = np.bincount(unit_of)
    folds[without_fold] = stratified_folds(
        label_counts[without_fold], n_records[without_fold], settings.n_folds, settings.seed
    )
    held_out = [np.isin(folds, settings.test_folds), np.isin(folds, settings.valid_folds)]
    roles: npt.NDArray[np.str_] = np.select(held_out, ["test", "valid"], "train")[unit_of]
    return roles


def _one_role_per_patient(patients: pd.Series, roles: npt.NDArray[np.str_], corpus: str) -> npt.NDArray[np.bool_]:
    """Return for every record whether its patient has none in a role that comes before its own: test, valid, train."""
    precedence = pd.Series(roles).map({"test": 0, "valid": 1, "train": 2})
    kept: npt.NDArray[np.bool_] = (precedence == precedence.groupby(patients.to_numpy()).transform("min")).to_numpy()
    if not kept.all():
        logger.info("%s: %d records left out, their patients occur in another role", corpus, (~kept).sum())
    return kept


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
