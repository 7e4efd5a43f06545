"""Rule `prepare_signals`: repair, filter, resample and window every recording into one int16 array."""

from pathlib import Path

import pandas as pd

from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import job
from ecgtransfer.prepare.signals import prepare_signals, recipe

with job(snakemake.log[0]):
    described = pd.read_csv(snakemake.input.described, dtype={"record_id": str})
    quality = prepare_signals(
        described, Path(snakemake.params.folder), snakemake.params.settings, Path(snakemake.output.signals)
    )
    write_csv(quality, snakemake.output.quality)
    write_json(recipe(quality, snakemake.params.settings), snakemake.output.recipe)
