"""What follows from pairs of the same signal: who belongs together, and which records are one too many."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecgtransfer.prepare.corpora import ids_in_corpus


def duplicate_groups(records: pd.DataFrame, pairs: pd.DataFrame, joined: Sequence[str]) -> pd.Series:
    """Return a group per record, so that records of one patient, or of one signal, are in one group.

    Parameters
    ----------
    records
        ``record_id`` and ``patient_id`` as the corpus names them.
    pairs
        As from `find_duplicates`; pairs with a record that is not among `records` are ignored.
    joined
        The data sets of the corpus.

    Returns
    -------
    pandas.Series
        The patient id of the group's first record, indexed as `records`: where nothing is double, its own patient id.
    """
    row_of = pd.Series(np.arange(len(records)), index=records["record_id"].astype(str))
    patient, _ = pd.factorize(records["patient_id"].astype(str))
    a, b = (
        row_of.reindex(ids_in_corpus(joined, pairs[f"dataset_{side}"].astype(str), pairs[f"record_{side}"].astype(str)))
        for side in "ab"
    )
    both = (a.notna().to_numpy()) & (b.notna().to_numpy())
    linked_a, linked_b = (patient[x.to_numpy()[both].astype(np.int64)] for x in (a, b))
    n_patients = int(patient.max(initial=-1)) + 1
    links = coo_array((np.ones(len(linked_a)), (linked_a, linked_b)), shape=(n_patients, n_patients))
    group = connected_components(links, directed=False)[1][patient]
    return records["patient_id"].astype(str).groupby(group).transform("first").rename("group")


def contradictions(records: pd.DataFrame, pairs: pd.DataFrame, joined: Sequence[str]) -> list[str]:
    """Return how many recordings of one signal have different diagnoses, in one sentence, if any have.

    Parameters
    ----------
    records
        ``record_id`` as the corpus names them, and ``codes``.
    pairs, joined
        As in `duplicate_groups`.
    """
    codes = records.set_index("record_id")["codes"].fillna("")
    a, b = (codes.reindex(ids_in_corpus(joined, pairs[f"dataset_{side}"], pairs[f"record_{side}"])) for side in "ab")
    both = a.notna().to_numpy() & b.notna().to_numpy()
    n_different = sum(set(x.split("|")) != set(y.split("|")) for x, y in zip(a[both], b[both], strict=True))
    if not n_different:
        return []
    return [f"{n_different} pairs of recordings are one signal with different labels; those of the first are used"]


def redundant(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return ``dataset, record_id`` of all records but the first of each set that has the same signal.

    Parameters
    ----------
    pairs
        As from `find_duplicates`, in its order.
    """
    ends = [
        pairs[[f"dataset_{side}", f"record_{side}"]].astype(str).set_axis(["dataset", "record_id"], axis=1)
        for side in "ab"
    ]
    stacked = pd.concat(ends).set_axis(np.repeat([0, 1], len(pairs)), axis=0)
    nodes, names = pd.factorize(pd.MultiIndex.from_frame(stacked))
    a, b = nodes[: len(pairs)], nodes[len(pairs) :]
    links = coo_array((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    group = connected_components(links, directed=False)[1]
    table = pd.DataFrame(list(names), columns=["dataset", "record_id"], dtype=str)
    return table[pd.Series(group).duplicated()].reset_index(drop=True)
