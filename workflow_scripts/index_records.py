"""Rule `index_records`: list a data set's recordings, those that can be used and those that cannot, with the reason."""

from pathlib import Path

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.records import index_records, read_label_table

with job(snakemake.log[0]):
    records, rejected = index_records(
        snakemake.params.reader,
        Path(snakemake.params.folder),
        pd.read_csv(snakemake.input.manifest)["path"],
        read_label_table(snakemake.input.label_table),
    )
    write_csv(records, snakemake.output.records)
    write_csv(rejected, snakemake.output.rejected)
    write_csv(records[["record_id", "path", "sampling_rate_hz", "n_samples"]], snakemake.output.headers)
