"""Rule `inventory`: the files of a data set of your own, with their checksums; they stay where they are."""

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.formats.wfdb_headers import signal_files

snakemake: Job

with job(snakemake):
    write_csv(inventory(snakemake.params.entry, signal_files, snakemake.threads), snakemake.output.manifest)
