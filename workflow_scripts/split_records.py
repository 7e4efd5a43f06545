"""Rule `split_records`: give every usable record of a corpus its role, and its patient a rank per replicate."""

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import join_records
from ecgtransfer.prepare.splits import split_records

with job(snakemake.log[0]):
    corpus = snakemake.wildcards.corpus
    usable = join_records(corpus, snakemake.input.quality)["usable"] == 1
    splits = split_records(
        join_records(corpus, snakemake.input.records)[usable],
        pd.read_csv(snakemake.input.labels, dtype={"record_id": str})[usable],
        snakemake.params.settings,
        snakemake.params.n_replicates,
        corpus,
    )
    write_csv(splits, snakemake.output.splits)
