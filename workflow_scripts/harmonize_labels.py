"""Rule `harmonize_labels`: one 0/1 column per label of a corpus, from SNOMED CT codes."""

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import is_shuffled, join_records
from ecgtransfer.prepare.labels import harmonize_labels, read_view, shuffle_labels

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    labels = harmonize_labels(
        join_records(joined, snakemake.input.records),
        pd.read_csv(snakemake.input.snomed, dtype=str).set_index("snomed_ct")["abbreviation"],
        pd.read_csv(snakemake.input.equivalent, dtype=str).set_index("snomed_ct")["counts_as"],
        snakemake.params.settings,
        corpus,
        joined,
        read_view(snakemake.input.view),
    )
    if is_shuffled(corpus):
        labels = shuffle_labels(labels, snakemake.params.settings["shuffle_seed"])
    write_csv(labels, snakemake.output.labels)
