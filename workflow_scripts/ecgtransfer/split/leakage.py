"""What leaks: records whose signal or patient is in two roles of a corpus, or in a transfer's source and target.

The table lists every pair of one signal with what was done about it, and the patients that were not kept apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
import pandas as pd

from ecgtransfer.prepare.corpora import OF, ids_in_corpus
from ecgtransfer.source import Source

LEAKAGE_COLUMNS = [
    "kind", "scope", "corpus_a", "dataset_a", "record_a", "role_a", "corpus_b", "dataset_b", "record_b", "role_b",
    "correlation", "shift_s", "handled",
]  # fmt: skip

NOT_HANDLED = "not handled"


def leakage(
    splits: Mapping[str, pd.DataFrame],
    duplicates: Mapping[str, pd.DataFrame],
    overlaps: Mapping[str, pd.DataFrame],
    transfers: Sequence[tuple[str, str]],
    patients: pd.DataFrame,
    joined: Mapping[str, Sequence[str]],
    namespaces: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the columns `LEAKAGE_COLUMNS`.

    Parameters
    ----------
    splits
        ``record_id`` and ``role`` by corpus, ids as the corpus has them. A record that is not there was left out.
    duplicates, overlaps
        By corpus and by source, both without shuffling: as from `find_duplicates` and `find_overlaps`.
    transfers
        Every source with each target that it serves. Records that overlap, and others of the same patients, are taken
        to be left out of the source.
    patients
        ``dataset``, ``record_id``, ``patient_id`` of all records.
    joined
        The data sets of each corpus.
    namespaces
        Which data sets number the same patients alike, by data set; a data set that is not there has its own.

    Returns
    -------
    pandas.DataFrame
        ``kind`` is ``signal`` or ``patient``, ``scope`` is ``roles`` or ``source-target``; a role is empty where the
        record was left out. Of a patient's records in several roles each is paired with one in the first role.
    """
    names = patients["dataset"].map(lambda dataset: (namespaces or {}).get(dataset, dataset))
    patients = patients.assign(patient=names + OF + patients["patient_id"].astype(str))
    roles = {corpus: _Roles.of(corpus, joined[corpus], split, patients) for corpus, split in splits.items()}
    found = []
    for corpus, of_corpus in roles.items():
        found += [_copies(of_corpus, duplicates[Source.of(corpus).joined]), _patients_in_roles(of_corpus)]
    for source, target in transfers:
        pairs = overlaps[Source.of(source).joined]
        pairs = pairs[pairs["dataset_b"].isin(joined[target])]
        found += [
            _copies_in_target(roles[source], roles[target], pairs),
            _patients_in_target(roles[source], roles[target], pairs),
        ]
    table = pd.concat([part for part in found if len(part)] or [pd.DataFrame(columns=LEAKAGE_COLUMNS)])
    return table.reindex(columns=LEAKAGE_COLUMNS).reset_index(drop=True)


def patients_of_one_id(patients: pd.DataFrame, datasets: Sequence[str]) -> list[str]:
    """Return which of some data sets share ids of patients, who count as different people there, one sentence each.

    Parameters
    ----------
    patients
        ``dataset``, ``record_id``, ``patient_id`` of all records; a record whose id is that of its patient has none.
    datasets
        Those to compare.
    """
    known = patients[patients["patient_id"] != patients["record_id"]]
    ids = {name: set(known.loc[known["dataset"] == name, "patient_id"]) for name in datasets}
    return [
        f"{len(ids[a] & ids[b])} patients of {a} and {b} have the same id and count as different people; if they are"
        " the same, put both into one table"
        for a, b in combinations(datasets, 2)
        if ids[a] & ids[b]
    ]


@dataclass(frozen=True)
class _Roles:
    """Who has which role in a corpus: ``dataset, record, role, patient`` of its records, its ids in the index."""

    corpus: str
    joined: Sequence[str]
    table: pd.DataFrame

    @classmethod
    def of(cls, corpus: str, joined: Sequence[str], split: pd.DataFrame, patients: pd.DataFrame) -> Self:
        own = patients[patients["dataset"].isin(joined)]
        ids = ids_in_corpus(joined, own["dataset"], own["record_id"].astype(str))
        role_of = split.set_index(split["record_id"].astype(str))["role"]
        table = pd.DataFrame(
            {
                "dataset": own["dataset"].to_numpy(),
                "record": own["record_id"].astype(str).to_numpy(),
                "role": role_of.reindex(ids).fillna("").to_numpy(),
                "patient": own["patient"].to_numpy(),
            },
            index=pd.Index(ids),
        )
        return cls(corpus, joined, table)

    @property
    def present(self) -> pd.DataFrame:
        """The records that were not left out."""
        return self.table[self.table["role"] != ""]

    def ids_of(self, pairs: pd.DataFrame, side: str) -> pd.Series:
        """Return the ids that the records on one side of pairs have here."""
        return ids_in_corpus(self.joined, pairs[f"dataset_{side}"].astype(str), pairs[f"record_{side}"].astype(str))

    def roles_of(self, pairs: pd.DataFrame, side: str) -> pd.Series:
        """Return the roles of the records on one side of pairs."""
        return self.table["role"].reindex(self.ids_of(pairs, side)).fillna("").set_axis(pairs.index)


def _copies(of: _Roles, pairs: pd.DataFrame) -> pd.DataFrame:
    a, b = (of.roles_of(pairs, side) for side in "ab")
    handled = np.select(
        [(a == "") & (b == ""), a == "", b == "", a == b],
        ["both left out", "a left out", "b left out", "same role"],
        NOT_HANDLED,
    )
    return pairs.assign(
        kind="signal", scope="roles", corpus_a=of.corpus, corpus_b=of.corpus, role_a=a, role_b=b, handled=handled
    )


def _copies_in_target(source: _Roles, target: _Roles, pairs: pd.DataFrame) -> pd.DataFrame:
    a, b = source.roles_of(pairs, "a"), target.roles_of(pairs, "b")
    handled = np.where(a == "", "a left out", "a excluded from source")
    return pairs.assign(
        kind="signal",
        scope="source-target",
        corpus_a=source.corpus,
        corpus_b=target.corpus,
        role_a=a,
        role_b=b,
        handled=handled,
    )


def _patients_in_roles(of: _Roles) -> pd.DataFrame:
    first = of.present.drop_duplicates("patient")
    pairs = first.merge(of.present, on="patient", suffixes=("_a", "_b"))
    pairs = pairs[pairs["role_a"] != pairs["role_b"]]
    return pairs.assign(kind="patient", scope="roles", corpus_a=of.corpus, corpus_b=of.corpus, handled=NOT_HANDLED)


def _patients_in_target(source: _Roles, target: _Roles, overlaps: pd.DataFrame) -> pd.DataFrame:
    """Return the other records of whoever has a record in the target, too; of a person, one record of the target.

    They are identified by a recording that is in both, or by a patient number where both data sets share the numbering.
    """
    a, b = source.ids_of(overlaps, "a"), target.ids_of(overlaps, "b")
    by_recording = target.present.reindex(b).assign(patient=source.table["patient"].reindex(a).to_numpy())
    known = by_recording.dropna(subset=["patient", "record"])
    of_target = pd.concat([known, target.present]).drop_duplicates("patient")
    others = source.present[~source.present.index.isin(a)]
    pairs = others.merge(of_target, on="patient", suffixes=("_a", "_b"))
    handled = np.where(pairs["patient"].isin(set(known["patient"])), "a excluded from source", NOT_HANDLED)
    return pairs.assign(
        kind="patient", scope="source-target", corpus_a=source.corpus, corpus_b=target.corpus, handled=handled
    )
