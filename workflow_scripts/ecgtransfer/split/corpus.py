"""The splits of a corpus after its audit: which of its records can have a role, and whose they are."""

from collections.abc import Sequence

import pandas as pd

from ecgtransfer.audit.groups import contradictions, duplicate_groups, redundant
from ecgtransfer.config.splits import Splits
from ecgtransfer.prepare.corpora import ids_in_corpus
from ecgtransfer.split.roles import notices_of, split_records


def split_corpus(
    records: pd.DataFrame,
    quality: pd.DataFrame,
    labels: pd.DataFrame,
    pairs: pd.DataFrame,
    joined: Sequence[str],
    settings: Splits,
    n_replicates: int,
    labels_are_learnt: bool,
    corpus: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the split table of a corpus, as `split_records` does, and notices on it, a sentence each.

    Of recordings that are the same signal the first is used, and patients who share one count as one.

    Parameters
    ----------
    records, quality, labels
        Of all records of the corpus, in one order: as from `index_records`, `prepare_signals` and `harmonize_labels`.
    pairs
        Those of the same signal, as from `find_duplicates`.
    joined
        The data sets of the corpus.
    settings, n_replicates, corpus
        As for `split_records`.
    labels_are_learnt
        Whether a record without labels is of no use.

    Raises
    ------
    InputError
        If a role stays empty.
    """
    records = records.assign(patient_id=duplicate_groups(records, pairs, joined))
    copies = redundant(pairs)
    copy_ids = ids_in_corpus(joined, copies["dataset"], copies["record_id"])
    usable = (quality["usable"] == 1) & ~records["record_id"].isin(copy_ids)
    if labels_are_learnt:
        usable &= records["labelled"] == 1
    used = records[usable]
    splits = split_records(used, labels[usable], settings, n_replicates, corpus)
    return splits, [*contradictions(records, pairs, joined), *notices_of(used, splits, settings)]
