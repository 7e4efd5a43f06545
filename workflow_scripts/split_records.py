"""Rule `split_records`: give every usable record of a corpus its role, and its patient a rank per replicate.

Of recordings that are the same signal the first is used, and patients who share one count as one.
"""

import pandas as pd

from ecgtransfer.audit.groups import duplicate_groups, redundant
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.corpora import ids_in_corpus, join_records, read_pairs
from ecgtransfer.prepare.splits import notices_of, split_records

with job(snakemake):
    corpus, joined = snakemake.wildcards.corpus, snakemake.params.datasets
    pairs = read_pairs(snakemake.input.duplicates)
    records = join_records(joined, snakemake.input.records)
    records["patient_id"] = duplicate_groups(records, pairs, joined)
    copies = redundant(pairs)
    usable = join_records(joined, snakemake.input.quality)["usable"] == 1
    usable &= ~records["record_id"].isin(ids_in_corpus(joined, copies["dataset"], copies["record_id"]))
    splits = split_records(
        records[usable],
        pd.read_csv(snakemake.input.labels, dtype={"record_id": str})[usable],
        snakemake.params.settings,
        snakemake.params.n_replicates,
        corpus,
    )
    write_csv(splits, snakemake.output.splits)
    tell(corpus, notices_of(records[usable], splits), snakemake.output.notices)
