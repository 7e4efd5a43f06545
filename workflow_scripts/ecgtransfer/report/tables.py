"""The tables of the page: rows of text from a study's data frames, ready to be laid out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from ecgtransfer.exhibits.names import one_line, series_name
from ecgtransfer.exhibits.tables import Table
from ecgtransfer.source import Source
from ecgtransfer.split.roles import ROLES
from ecgtransfer.study import patients_unknown

_MOST_REASONS = 5  # of a data set; the rest is summed up
_MOST_REASON_CHARACTERS = 160


def dataset_table(
    published: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, pd.DataFrame],
    rejected: Mapping[str, pd.DataFrame],
    recipes: Mapping[str, Mapping[str, Any]],
) -> Table:
    """Return how many recordings of each data set were taken, rejected and found unusable, and how many patients."""
    rows = []
    for name, table in records.items():
        recipe, entry = recipes.get(name), published.get(name)
        rows.append(
            [
                name,
                f"{entry['n_records']:,}" if entry else "–",
                f"{len(table) + len(rejected[name]):,}",
                f"{len(rejected[name]):,}",
                f"{recipe['records'] - recipe['usable']:,}" if recipe else "–",
                f"{recipe['usable']:,}" if recipe else "only drawn",
                f"{table['patient_id'].nunique():,}" + (" *" if entry and patients_unknown(entry) else ""),
            ]
        )
    return Table(["data set", "published", "taken", "rejected", "not usable", "kept", "patients"], rows)


def rejections(rejected: Mapping[str, pd.DataFrame], recipes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield why recordings were left out: most frequent reasons first, rare ones summed up."""
    for name, table in rejected.items():
        yield from _most_frequent(name, "rejected", Counter(table["reason"]))
        yield from _most_frequent(name, "not usable", recipes.get(name, {}).get("not_usable", {}))


def _most_frequent(dataset: str, what: str, counts: Mapping[str, int]) -> Iterator[str]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_MOST_REASONS]:
        yield f"{dataset}, {count:,} {what}: {one_line(reason, _MOST_REASON_CHARACTERS)}"
    if len(ordered) > _MOST_REASONS:
        n_left = sum(count for _, count in ordered[_MOST_REASONS:])
        yield f"{dataset}, {n_left:,} {what} for {len(ordered) - _MOST_REASONS} other reasons"


def leakage_table(leakage: pd.DataFrame) -> Table:
    """Return how many pairs of recordings are the same, or from the same patient, and what was done about them."""
    keys = ["kind", "scope", "dataset_a", "dataset_b", "handled"]
    counts = leakage.groupby(keys, dropna=False, sort=True).size()
    rows = [[*map(str, key), f"{count:,}"] for key, count in zip(counts.index, counts, strict=True)]
    return Table(["the same", "between", "data set", "and data set", "what was done", "pairs"], rows, n_words=5)


def role_table(splits: Mapping[str, pd.DataFrame]) -> Table:
    """Return recordings and patients of each role of each corpus."""
    rows = []
    for corpus, table in splits.items():
        members = [table[table["role"] == role] for role in ROLES]
        counts = [(len(rows_of_role), rows_of_role["patient_id"].nunique()) for rows_of_role in members]
        rows.append([corpus, *(f"{n_records:,} ({n_patients:,})" for n_records, n_patients in counts)])
    return Table(["corpus", "training", "validation", "test"], rows)


def label_table(
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    targets: Iterable[str],
    names: Mapping[str, str],
) -> Table:
    """Return in how many kept recordings of each corpus a label occurs, and for targets in how many test recordings.

    Corpora with shuffled labels are left out, having the counts of their originals. `names` gives labels in full.
    """
    columns: dict[str, pd.Series] = {}
    for corpus in (corpus for corpus in labels if not Source.of(corpus).shuffled):
        by_record = labels[corpus].set_index("record_id")
        columns[corpus] = by_record.loc[splits[corpus]["record_id"]].sum()
        if corpus in targets:
            test = splits[corpus].loc[splits[corpus]["role"] == "test", "record_id"]
            columns[f"{corpus}, test"] = by_record.loc[test].sum()
    counts = pd.DataFrame(columns).sort_index(key=lambda index: index.str.casefold())
    rows = [
        [str(label), names.get(str(label), ""), *("–" if pd.isna(count) else f"{count:,.0f}" for count in row)]
        for label, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return Table(["label", "meaning", *counts.columns], rows, n_words=2)


def budget_table(
    cells: Iterable[tuple[str, str, str, float]], metadata: Iterable[Mapping[str, Any]], scratch: str
) -> Table:
    """Return how many recordings each fraction of each target gives, as means over the replicates from scratch.

    Parameters
    ----------
    cells : target, model, arm and fraction of every run
    metadata : the ``run.json`` of every run
    scratch : the arm that is counted; the others have the same recordings
    """
    rows: dict[tuple[str, float], list[str]] = {}
    for (target, _, arm, fraction), run in zip(cells, metadata, strict=True):
        if arm == scratch:
            means = pd.DataFrame(run["replicates"])[["n_train", "n_train_patients", "n_valid"]].mean()
            rows[target, fraction] = [target, f"{fraction:g}", *(f"{mean:,.0f}" for mean in means)]
    heads = ["target", "fraction", "training recordings", "training patients", "validation recordings"]
    return Table(heads, [rows[key] for key in sorted(rows)])


def time_table(
    cells: Iterable[tuple[str, str, str, float]],
    metadata: Iterable[Mapping[str, Any]],
    pretraining: Iterable[Mapping[str, Any]],
) -> Table:
    """Return the summed seconds of training by model and start."""
    spent = [(run["model"], f"pre-training on {run['source']}", 1, run["wall_seconds"]) for run in pretraining]
    for (_, model, arm, _), run in zip(cells, metadata, strict=True):
        spent.append((model, series_name(arm), len(run["replicates"]), run["wall_seconds"]))
    table = pd.DataFrame(spent, columns=["model", "what", "trainings", "seconds"])
    rows = []
    for model in sorted(table["model"].unique()):
        for what, jobs in table[table["model"] == model].groupby("what", sort=False):
            rows.append([model, str(what), f"{jobs['trainings'].sum():,}", f"{jobs['seconds'].sum():,.0f}"])
    rows.append(["all", "", f"{table['trainings'].sum():,}", f"{table['seconds'].sum():,.0f}"])
    return Table(["model", "what", "trainings", "seconds"], rows, n_words=2)
