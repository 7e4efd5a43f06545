"""Rules `compute_<finding>`: the tables of one finding."""

from ecgtransfer.findings.computing import compute_finding
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    files, settings, out = (dict(each.items()) for each in (snakemake.input, snakemake.params, snakemake.output))
    compute_finding(snakemake.params.finding, files, settings, out)
