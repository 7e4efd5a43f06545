"""Rule `download`: fetch the files of a data set that the study needs, verified against the published checksums."""

from pathlib import Path

from ecgtransfer.acquire.download import download
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    # Neither mirror nor copy is a parameter of the rule: the checksums say that files are the same wherever they are.
    manifest = download(
        snakemake.params.entry,
        snakemake.config["mirror"],
        Path(snakemake.params.folder),
        snakemake.params.limit,
        copy=snakemake.config["mirrors"].get(snakemake.wildcards.published),
    )
    write_csv(manifest, snakemake.output.manifest)
