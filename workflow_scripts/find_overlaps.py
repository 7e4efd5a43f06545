"""Rule `find_overlaps`: find the recordings of a source that are in its targets, too."""

from ecgtransfer.audit.duplicates import audited, find_overlaps
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    found, params = snakemake.input, snakemake.params
    source = audited(params.datasets, found.fingerprints, found.signals, found.quality)
    targets = audited(params.target_datasets, found.target_fingerprints, found.target_signals, found.target_quality)
    write_csv(find_overlaps(source, targets, snakemake.threads), snakemake.output.pairs)
