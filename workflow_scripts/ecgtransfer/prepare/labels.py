"""From SNOMED CT codes to one 0/1 column per label.

All knowledge about codes is in tables under config/labels, none of it here. Without a view (``labels.view: all``)
each code is a label by its abbreviation and equivalent codes are merged. A view names every code that counts, for
itself: equivalents merge in it only where it lists both.

Where several data sets are joined, one that never uses a label is taken as silent on it: its records then have neither
0 nor 1.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtransfer.config.labels import Labels
from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.corpora import datasets_of_records
from ecgtransfer.prepare.snomed_ct import CODE, base_code

logger = logging.getLogger(__name__)

_MOST_NAMED = 10
NONE_OF_THE_OTHERS = "none-of-the-others"
"""In place of a code in a view: the label of the records that have no other label of the view."""


@dataclass(frozen=True)
class View:
    """Which codes make which label, by a table under config/labels/views."""

    name: str
    labels_by_code: Mapping[str, tuple[str, ...]]
    derived: str | None = None

    @property
    def labels(self) -> set[str]:
        """The names of its labels."""
        return {label for labels in self.labels_by_code.values() for label in labels} | {self.derived or ""} - {""}


def read_view(path: str | Path | None) -> View | None:
    """Return a view; None without a path.

    Its columns: ``label`` and ``snomed_ct``, a code or `NONE_OF_THE_OTHERS`. Rows with the same label are joined by or.

    Raises
    ------
    InputError
        If a column is missing, a code is none, or two labels are derived.
    """
    if not path:
        return None
    labels_by_code: dict[str, tuple[str, ...]] = {}
    derived: list[str] = []
    for row in read_rows(Path(path), ["label", "snomed_ct"], remedy="fix the view"):
        if not any(row.values()):
            continue
        label, code = row["label"], row["snomed_ct"]
        if not label or label == "record_id":
            raise InputError(f"{path}: '{label}' (of {code}) cannot name a label; choose another name")
        if code == NONE_OF_THE_OTHERS:
            derived.append(label)
        elif CODE.fullmatch(code):
            labels_by_code[code] = (*labels_by_code.get(code, ()), label)
        else:
            raise InputError(f"{path}: '{code}' of '{label}' is neither a SNOMED CT code nor {NONE_OF_THE_OTHERS}")
    if len(derived) > 1:
        raise InputError(f"{path}: {' and '.join(derived)} are both {NONE_OF_THE_OTHERS}; only one label can be")
    return View(Path(path).stem, labels_by_code, derived[0] if derived else None)


def harmonize_labels(
    records: pd.DataFrame,
    abbreviations: Mapping[str, str],
    counts_as: Mapping[str, str],
    settings: Labels,
    corpus: str,
    joined: Sequence[str],
    view: View | None = None,
    learnt: bool = True,
) -> tuple[pd.DataFrame, list[str]]:
    """Return ``record_id`` and a 0/1 column per label, rows as in `records`, labels in alphabetical order.

    A record that has none of the labels stays, as a row of zeros. Where labels are unknown the columns are Int8 and
    missing: in records that are not labelled and, in a corpus of several data sets, in those of a data set that has no
    record with the label. The derived label of a view is known only in data sets that use all others.

    Parameters
    ----------
    records
        Columns ``record_id``, as the corpus names them, ``codes`` (SNOMED CT joined by ``|``) and ``labelled``, 0 where
        labels were not examined.
    abbreviations
        Label name by SNOMED CT code; a code without one is its own name. A refined code counts as its base unless
        this table or the view names it.
    counts_as
        The code that an equivalent one counts as; only without a view.
    settings
        The config section ``labels``: ``top`` (the number of most frequent labels to keep of what the view leaves,
        ties by name; None for all), ``include`` (``all`` or a list of labels or codes, to choose among those) and
        ``min_records``, the number of records that must have a label, and that must lack it, for it to stay.
    corpus, joined
        Its name, and the data sets that it joins.
    view
        As from `read_view`; None makes a label of every code.
    learnt
        Whether the labels are needed; otherwise there may be none.

    Returns
    -------
    labels : pandas.DataFrame
    notices : list of str
        Which labels too few records have or lack, in one sentence, if there are any.

    Raises
    ------
    InputError
        If no label stays, or a requested label is not a known one.
    """
    labels_of = _labels_in_view(view, abbreviations) if view else _labels_by_abbreviation(abbreviations, counts_as)
    present = _present(records["codes"].fillna("").astype(str), labels_of)
    derived = view.derived if view else None
    if derived:
        others = present[[label for label in present if label != derived]]
        present[derived] = (others.sum(axis=1) == 0).astype(np.int8)
    labelled = (records["labelled"] == 1).to_numpy()
    if learnt and len(labelled) and not labelled.any():
        raise InputError(
            f"labels of {corpus}: the labels of all its recordings are unknown; add them (the column labels of your own"
            " table), or use it as a source for something else, such as -masked"
        )
    present[~labelled] = 0
    datasets = datasets_of_records(joined, records["record_id"])
    in_dataset = present.groupby(datasets.to_numpy()).sum()
    used = _used(in_dataset, derived)
    n_labelled_in = datasets[labelled].value_counts().reindex(used.index, fill_value=0)
    positives, n_known = in_dataset.where(used, 0).sum(), used.mul(n_labelled_in, axis=0).sum()
    chosen = _most_frequent(positives, settings.top)
    if settings.include != "all":
        wanted = _asked_for(settings.include, view, abbreviations, labels_of)
        if absent := sorted(wanted - set(chosen), key=str.casefold):
            why = "no record has them" if settings.top is None else f"not among the {settings.top} most frequent"
            logger.info("%s: labels of labels.include left out, %s: %s", corpus, why, ", ".join(absent))
        chosen = [label for label in chosen if label in wanted]
    in_order = sorted(chosen, key=str.casefold)
    n_labelled, least = int(labelled.sum()), settings.min_records
    enough = _frequent_enough(positives[in_order], n_known, n_labelled, least, corpus, learnt)
    kept = [str(label) for label in enough.index[enough]]
    labels = present[kept]
    if len(joined) > 1:
        labels = _where_known(labels, used[kept], datasets, corpus)
    if not labelled.all():
        labels = labels.astype("Int8")
        labels[~labelled] = pd.NA
    table: pd.DataFrame = pd.concat([records["record_id"].reset_index(drop=True), labels], axis=1)
    return table, _too_rare(positives[in_order], enough, least)


LabelsOf = Callable[[str], tuple[str, ...]]


def _labels_by_abbreviation(abbreviations: Mapping[str, str], counts_as: Mapping[str, str]) -> LabelsOf:
    def labels_of(code: str) -> tuple[str, ...]:
        known = code if code in abbreviations else base_code(code)
        known = counts_as.get(known, known)
        return (abbreviations.get(known, known),)

    return labels_of


def _labels_in_view(view: View, abbreviations: Mapping[str, str]) -> LabelsOf:
    def labels_of(code: str) -> tuple[str, ...]:
        known = code if code in view.labels_by_code or code in abbreviations else base_code(code)
        return view.labels_by_code.get(known, ())

    return labels_of


def _present(codes: pd.Series, labels_of: LabelsOf) -> pd.DataFrame:
    """Return a 0/1 column per label that any record has. Each combination of codes is evaluated once."""
    position, combinations = pd.factorize(codes)
    columns_of: dict[str, list[int]] = {}
    columns: dict[str, int] = {}
    at_row: list[int] = []
    at_column: list[int] = []
    for row, combination in enumerate(combinations):
        for code in filter(None, combination.split("|")):
            if code not in columns_of:
                columns_of[code] = [columns.setdefault(label, len(columns)) for label in labels_of(code)]
            at_column += columns_of[code]
            at_row += [row] * len(columns_of[code])
    of_combination = np.zeros((len(combinations), len(columns)), dtype=np.int8)
    of_combination[at_row, at_column] = 1
    return pd.DataFrame(of_combination[position], columns=list(columns))


def _used(in_dataset: pd.DataFrame, derived: str | None) -> pd.DataFrame:
    """Return which data sets use which labels, from how many of their records have them.

    A record without any other label may have one that its data set never uses, so only a data set that uses all others
    can use the derived one.
    """
    used = in_dataset > 0
    if derived:
        used[derived] &= used.drop(columns=derived).all(axis=1)
    return used


def _where_known(present: pd.DataFrame, used: pd.DataFrame, datasets: pd.Series, corpus: str) -> pd.DataFrame:
    """Return the columns as Int8, missing in the records of data sets that do not use the label."""
    for dataset, of_dataset in used.iterrows():
        if not of_dataset.all():
            logger.info("%s: %s says nothing about %s", corpus, dataset, ", ".join(used.columns[~of_dataset]))
    return present.astype("Int8").where(used.loc[datasets].set_axis(present.index))


def _most_frequent(positives: pd.Series, top: int | None) -> list[str]:
    counts = {str(label): int(count) for label, count in positives.items()}
    return sorted(counts, key=lambda label: (-counts[label], label.casefold()))[:top]


def _asked_for(
    include: list[str], view: View | None, abbreviations: Mapping[str, str], labels_of: LabelsOf
) -> set[str]:
    if view:
        unknown = [name for name in include if name not in view.labels and name not in view.labels_by_code]
        where = f"a label nor a code of config/labels/views/{view.name}.csv"
    else:
        code_of = {abbreviation: code for code, abbreviation in abbreviations.items()}
        unknown = [name for name in include if name not in code_of and name not in abbreviations]
        where = "an abbreviation nor a SNOMED CT code of config/labels/snomed.csv"
    if unknown:
        raise InputError(f"labels.include: {', '.join(unknown)} is neither {where}; add it there or fix the spelling")
    if view:
        return {label for name in include for label in ((name,) if name in view.labels else labels_of(name))}
    return {label for name in include for label in labels_of(code_of.get(name, name))}


def _frequent_enough(
    positives: pd.Series, n_known: pd.Series, n_labelled: int, min_records: int, corpus: str, learnt: bool
) -> pd.Series:
    """Return for each label whether enough records have it, and enough of those of which it is known lack it."""
    enough = (positives >= min_records) & (n_known[positives.index] - positives >= min_records)
    if learnt and not enough.any():
        most = f"the most frequent is {positives.idxmax()} with {positives.max()}" if len(positives) else "it has none"
        raise InputError(
            f"labels of {corpus}: no label is in and out of at least labels.min_records = {min_records} of"
            f" {n_labelled} records, {most}; lower labels.min_records, widen labels.include or use more records"
        )
    logger.info("%s: %d labels kept", corpus, enough.sum())
    return enough


def _too_rare(positives: pd.Series, enough: pd.Series, min_records: int) -> list[str]:
    if enough.all():
        return []
    rare = positives[~enough]
    counts = [f"{label} ({count})" for label, count in rare.sort_values(ascending=False, kind="stable").items()]
    more = f" and {len(counts) - _MOST_NAMED} rarer ones" if len(counts) > _MOST_NAMED else ""
    return [
        f"{len(counts)} of {len(positives)} labels are not used, because fewer than {min_records} recordings have, or"
        f" lack, them (labels.min_records): {', '.join(counts[:_MOST_NAMED])}{more}"
    ]


def shuffle_labels(labels: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the table with its label rows randomly reassigned: same prevalences, nothing left to learn.

    A missing cell stays where it is. Labels that are known of the same records are dealt out together, among all of
    these, whatever their data set: dealt out within each, its prevalences could still be learnt.
    """
    rng = np.random.default_rng(seed)
    shuffled = labels.copy()
    known = labels.drop(columns="record_id").notna()
    of_records: dict[bytes, list[str]] = {}
    for label in known:
        of_records.setdefault(known[label].to_numpy().tobytes(), []).append(str(label))
    for together in of_records.values():
        rows = np.flatnonzero(known[together[0]])
        dealt = rows[rng.permutation(len(rows))]
        for label in together:
            column = labels[label].array.copy()
            column[rows] = labels[label].array[dealt]
            shuffled[label] = column
    return shuffled
