"""Rule `measure_signals`: measure heart rate and intervals in every prepared recording, as targets of pre-training."""

from pathlib import Path

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.measurements import measure_signals

with job(snakemake):
    quality = pd.read_csv(snakemake.input.quality, usecols=["record_id"], dtype=str, keep_default_na=False)
    measurements = measure_signals(
        Path(snakemake.input.signals), quality["record_id"].tolist(), snakemake.params.sampling_rate_hz
    )
    write_csv(measurements, snakemake.output.measurements)
