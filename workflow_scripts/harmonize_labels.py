"""Rule `harmonize_labels`: one 0/1 column per label of a corpus, from SNOMED CT codes."""

from ecgtransfer.csv_tables import read_table
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import is_shuffled, join_records
from ecgtransfer.prepare.labels import harmonize_labels, read_view, shuffle_labels

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    labels = harmonize_labels(
        join_records(joined, snakemake.input.records),
        read_table(snakemake.input.snomed).set_index("snomed_ct")["abbreviation"],
        read_table(snakemake.input.equivalent, ("snomed_ct", "counts_as")).set_index("snomed_ct")["counts_as"],
        snakemake.params.settings,
        corpus,
        joined,
        read_view(snakemake.input.view),
        snakemake.params.learnt,
    )
    if is_shuffled(corpus):
        labels = shuffle_labels(labels, snakemake.params.settings["shuffle_seed"])
    write_csv(labels, snakemake.output.labels)
