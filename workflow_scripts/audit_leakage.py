"""Rule `audit_leakage`: list what is in two roles or in source and target, and what was done about it."""

import pandas as pd

from ecgtransfer.audit.leakage import leakage
from ecgtransfer.files import write_csv
from ecgtransfer.job import job


def tables(names: list[str], paths: list[str]) -> dict[str, pd.DataFrame]:
    """Return tables by name, ids as text."""
    text = dict.fromkeys(("record_id", "patient_id", "record_a", "record_b"), str)
    return {name: pd.read_csv(path, dtype=text) for name, path in zip(names, paths, strict=True)}


with job(snakemake):
    found, params = snakemake.input, snakemake.params
    records = tables(params.datasets, found.records)
    table = leakage(
        tables(params.corpora, found.splits),
        tables(params.joined, found.duplicates),
        tables(params.sources, found.overlaps),
        [tuple(pair) for pair in params.pairs],
        pd.concat([of_one[["record_id", "patient_id"]].assign(dataset=name) for name, of_one in records.items()]),
        params.members,
        params.patient_numberings,
    )
    write_csv(table, snakemake.output.leakage)
