"""Rule `measure_signals`: measure heart rate and intervals in every prepared recording, as targets of pre-training."""

from pathlib import Path

from ecgtransfer.csv_tables import read_table
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.measurements import measure_signals

snakemake: Job

with job(snakemake):
    quality = read_table(snakemake.input.quality)
    measurements = measure_signals(
        Path(snakemake.input.signals), quality["record_id"].tolist(), snakemake.params.sampling_rate_hz
    )
    write_csv(measurements, snakemake.output.measurements)
