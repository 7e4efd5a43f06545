"""Rule `harmonize_labels`: one 0/1 column per label of a corpus, from SNOMED CT codes."""

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.code_tables import read_code_table
from ecgtransfer.prepare.corpora import is_shuffled, join_records
from ecgtransfer.prepare.labels import harmonize_labels, read_view, shuffle_labels

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    names, same = ["snomed_ct", "abbreviation"], ["snomed_ct", "counts_as"]
    labels, notices = harmonize_labels(
        join_records(joined, snakemake.input.records),
        read_code_table(snakemake.input.snomed, names).set_index(names[0])[names[1]],
        read_code_table(snakemake.input.equivalent, same, may_be_empty=True).set_index(same[0])[same[1]],
        snakemake.params.settings,
        corpus,
        joined,
        read_view(snakemake.input.view),
        snakemake.params.learnt,
    )
    if is_shuffled(corpus):
        labels = shuffle_labels(labels, snakemake.params.settings["shuffle_seed"])
    write_csv(labels, snakemake.output.labels)
    tell(corpus, [] if is_shuffled(corpus) else notices, snakemake.output.notices)
