"""Rule `harmonize_labels`: one 0/1 column per label of a corpus, from SNOMED CT codes."""

from ecgtransfer.config.labels import Labels
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.code_tables import read_translation
from ecgtransfer.prepare.corpora import join_records
from ecgtransfer.prepare.labels import harmonize_labels, read_view, shuffle_labels
from ecgtransfer.source import Source

snakemake: Job

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    settings = Labels.model_validate(snakemake.params.settings)
    labels, notices = harmonize_labels(
        join_records(joined, snakemake.input.records),
        read_translation(snakemake.input.snomed, "snomed_ct", "abbreviation"),
        read_translation(snakemake.input.equivalent, "snomed_ct", "counts_as", may_be_empty=True),
        settings,
        corpus,
        joined,
        read_view(snakemake.input.view),
        snakemake.params.learnt,
    )
    if Source.of(corpus).shuffled:
        labels = shuffle_labels(labels, settings.shuffle_seed)
    write_csv(labels, snakemake.output.labels)
    tell(corpus, [] if Source.of(corpus).shuffled else notices, snakemake.output.notices)
