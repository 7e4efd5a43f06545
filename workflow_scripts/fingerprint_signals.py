"""Rule `fingerprint_signals`: note what every recording of a data set can be recognised by."""

from pathlib import Path

from ecgtransfer.audit.fingerprints import fingerprint_signals
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    fingerprints = fingerprint_signals(Path(snakemake.input.signals), snakemake.params.sampling_rate_hz)
    fingerprints.save(Path(snakemake.output.fingerprints))
