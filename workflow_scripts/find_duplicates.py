"""Rule `find_duplicates`: find the recordings of a corpus that are the same signal."""

from ecgtransfer.audit.duplicates import audited, find_duplicates
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    found = snakemake.input
    corpus = audited(snakemake.params.datasets, found.fingerprints, found.signals, found.quality)
    write_csv(find_duplicates(corpus, snakemake.threads), snakemake.output.pairs)
