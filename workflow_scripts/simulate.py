"""Rule `simulate`: write a simulated corpus as files in a published layout, and their manifest."""

from pathlib import Path

from ecgtransfer.acquire.native_layouts import simulate
from ecgtransfer.files import manifest_of, write_csv
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    settings = dict(snakemake.params.settings)
    seed = settings.pop("seed")
    paths = simulate(snakemake.wildcards.simulated, settings, seed, Path(snakemake.params.folder))
    write_csv(manifest_of(paths, snakemake.params.folder), snakemake.output.manifest)
