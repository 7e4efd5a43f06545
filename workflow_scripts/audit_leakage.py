"""Rule `audit_leakage`: list what is in two roles or in source and target, and what was done about it."""

import pandas as pd

from ecgtransfer.audit.leakage import leakage
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import read_pairs, read_tables


def pairs_by_name(names: list[str], paths: list[str]) -> dict[str, pd.DataFrame]:
    """Return what was found twice in each corpus, or in each source and its targets."""
    return dict(zip(names, map(read_pairs, paths), strict=True))


with job(snakemake):
    found, params = snakemake.input, snakemake.params
    records = read_tables(params.datasets, found.records)
    table = leakage(
        read_tables(params.corpora, found.splits),
        pairs_by_name(params.joined, found.duplicates),
        pairs_by_name(params.sources, found.overlaps),
        [tuple(pair) for pair in params.pairs],
        pd.concat([of_one[["record_id", "patient_id"]].assign(dataset=name) for name, of_one in records.items()]),
        params.members,
        params.patient_numberings,
    )
    write_csv(table, snakemake.output.leakage)
