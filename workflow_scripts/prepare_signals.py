"""Rule `prepare_signals`: repair, filter, resample and window every recording into one int16 array."""

from pathlib import Path

from ecgtransfer.config.signals import Signals
from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.dataset import prepare_dataset
from ecgtransfer.prepare.summary import recipe

snakemake: Job

with job(snakemake):
    out, settings = snakemake.output, Signals.model_validate(snakemake.params.settings)
    quality = prepare_dataset(
        snakemake.wildcards.dataset,
        snakemake.input.described,
        Path(snakemake.params.folder),
        settings,
        Path(out.signals),
        out.notices,
        snakemake.threads,
        snakemake.params.kernels,
    )
    write_csv(quality, out.quality)
    write_json(recipe(quality, settings), out.recipe)
