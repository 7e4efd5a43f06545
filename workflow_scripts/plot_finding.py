"""Rule `plot_finding`: the figure of one finding."""

from ecgtransfer.findings.drawing import draw_finding
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    files, settings, out = dict(snakemake.input.items()), dict(snakemake.params.items()), snakemake.output
    draw_finding(snakemake.wildcards.finding, files, settings, out.svg, out.png)
