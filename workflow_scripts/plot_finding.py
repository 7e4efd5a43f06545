"""Rule `plot_finding`: the figure of a finding."""

from importlib import import_module

from ecgtransfer.job import job
from ecgtransfer.report.figure_files import save_figure, stamped
from ecgtransfer.report.figures import FIGURE_MODULES
from ecgtransfer.report.inputs import read_findings

with job(snakemake.log[0]):
    draw = import_module(f"{FIGURE_MODULES}.{snakemake.wildcards.finding}").draw
    figure = draw(*map(read_findings, snakemake.input.tables), **snakemake.params.settings)
    save_figure(stamped(figure, snakemake.params.stamp), snakemake.output.svg, snakemake.output.png)
