"""Rule `index_records`: the recordings that can be used, with their diagnoses in SNOMED CT."""

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.statements import index_records, read_label_table

snakemake: Job

with job(snakemake):
    described = pd.read_csv(snakemake.input.described, dtype=str, keep_default_na=False)
    label_table = read_label_table(snakemake.input.label_table)
    params = snakemake.params
    records, notices = index_records(described, label_table, params.min_likelihood, params.separator)
    write_csv(records, snakemake.output.records)
    tell(snakemake.wildcards.dataset, notices, snakemake.output.notices)
