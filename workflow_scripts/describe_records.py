"""Rule `describe_records`: what a data set states about its recordings; those that cannot be used, with the reason."""

from pathlib import Path

import pandas as pd

from ecgtransfer.files import files_there, write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.records import describe_records, require_some

snakemake: Job

with job(snakemake):
    described, rejected, notices = describe_records(
        snakemake.params.entry,
        Path(snakemake.params.folder),
        files_there(pd.read_csv(snakemake.input.manifest, dtype=str, keep_default_na=False)),
    )
    require_some(described, rejected, Path(snakemake.params.folder))
    # A data set that comes in large parts has more than the study requested.
    described = described.head(snakemake.params.limit) if snakemake.params.limit else described
    write_csv(described, snakemake.output.described)
    write_csv(rejected, snakemake.output.rejected)
    tell(snakemake.wildcards.dataset, notices, snakemake.output.notices)
