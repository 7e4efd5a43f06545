"""Rule `prepare_signals`: mend, filter, resample and window every recording into one int16 array."""

from pathlib import Path

import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import job
from ecgtransfer.notices import tell
from ecgtransfer.prepare.plausibility import doubts_about
from ecgtransfer.prepare.signals import COLUMNS_READ, prepare_signals
from ecgtransfer.prepare.summary import notices_of, recipe

with job(snakemake):
    folder, settings = Path(snakemake.params.folder), snakemake.params.settings
    described = pd.read_csv(
        snakemake.input.described, usecols=list(COLUMNS_READ), dtype=COLUMNS_READ, keep_default_na=False
    )
    doubts = doubts_about(described, folder, settings)
    try:
        array, kernels = Path(snakemake.output.signals), snakemake.params.kernels
        quality = prepare_signals(described, folder, settings, array, snakemake.threads, kernels)
    except InputError:  # what was doubted may be its cause
        tell(snakemake.wildcards.dataset, doubts, snakemake.output.notices)
        raise
    write_csv(quality, snakemake.output.quality)
    tell(snakemake.wildcards.dataset, [*doubts, *notices_of(quality, settings)], snakemake.output.notices)
    write_json(recipe(quality, settings), snakemake.output.recipe)
