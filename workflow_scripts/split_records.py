"""Rule `split_records`: give every usable record of a corpus its role, and its patient a rank per replicate."""

from ecgtransfer.config.splits import Splits
from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.corpora import join_records
from ecgtransfer.split.corpus import split_corpus

snakemake: Job

with job(snakemake):
    files, params, corpus = snakemake.input, snakemake.params, snakemake.wildcards.corpus
    splits, notices = split_corpus(
        join_records(params.datasets, files.records),
        join_records(params.datasets, files.quality),
        read_labels(files.labels),
        read_table(files.duplicates),
        params.datasets,
        Splits.model_validate(params.settings),
        params.n_replicates,
        params.labels_are_learnt,
        corpus,
    )
    write_csv(splits, snakemake.output.splits)
    tell(corpus, notices, snakemake.output.notices)
