"""Rule `audit_leakage`: list what is in two roles or in source and target, and what was done about it."""

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.corpora import read_tables
from ecgtransfer.split.leakage import leakage, patients_of_one_id

snakemake: Job

with job(snakemake):
    found, params = snakemake.input, snakemake.params
    records = read_tables(params.datasets, found.records)
    patients = pd.concat([table[["record_id", "patient_id"]].assign(dataset=name) for name, table in records.items()])
    table = leakage(
        read_tables(params.corpora, found.splits),
        read_tables(params.joined, found.duplicates),
        read_tables(params.sources, found.overlaps),
        [tuple(pair) for pair in params.pairs],
        patients,
        params.members,
        params.patient_numberings,
    )
    write_csv(table, snakemake.output.leakage)
    tell("own data", patients_of_one_id(patients, params.own), snakemake.output.notices)
