"""Rule `split_records`: give every usable record of a corpus its role, and its patient a rank per replicate.

Of recordings that are the same signal the first is used, and patients who share one count as one.
"""

from ecgtransfer.audit.groups import contradictions, duplicate_groups, redundant
from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.corpora import ids_in_corpus, join_records
from ecgtransfer.prepare.splits import notices_of, split_records, usable_records

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    pairs = read_table(snakemake.input.duplicates)
    records = join_records(joined, snakemake.input.records)
    records["patient_id"] = duplicate_groups(records, pairs, joined)
    copies = redundant(pairs)
    usable = usable_records(
        records,
        join_records(joined, snakemake.input.quality),
        ids_in_corpus(joined, copies["dataset"], copies["record_id"]),
        snakemake.params.labels_are_learnt,
    )
    splits = split_records(
        records[usable],
        read_labels(snakemake.input.labels)[usable],
        snakemake.params.settings,
        snakemake.params.n_replicates,
        corpus,
    )
    write_csv(splits, snakemake.output.splits)
    notices = [
        *contradictions(records, pairs, joined),
        *notices_of(records[usable], splits, snakemake.params.settings),
    ]
    tell(corpus, notices, snakemake.output.notices)
