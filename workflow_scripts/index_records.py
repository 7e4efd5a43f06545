"""Rule `index_records`: the recordings that can be used, with their diagnoses in SNOMED CT."""

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.records import index_records, read_label_table

with job(snakemake.log[0]):
    described = pd.read_csv(snakemake.input.described, dtype=str)
    records = index_records(described, read_label_table(snakemake.input.label_table))
    write_csv(records, snakemake.output.records)
