"""Rule `plot_findings`: the figures of all findings."""

from importlib import import_module

from ecgtransfer.compare.findings import read_findings
from ecgtransfer.job import job
from ecgtransfer.report.figure_files import save_figure, stamped
from ecgtransfer.report.figures import FIGURE_MODULES

with job(snakemake):
    files, out, plan = snakemake.input, snakemake.output, snakemake.params
    tables = dict(zip(plan.tables, map(read_findings, files.tables), strict=True))
    for (finding, names), svg, png in zip(plan.figures.items(), out.svg, out.png, strict=True):
        draw = import_module(f"{FIGURE_MODULES}.{finding}").draw
        settings = {"margin": plan.margin} if finding == "verdicts" else {}
        figure = draw(*(tables[name] for name in names), **settings)
        save_figure(stamped(figure, plan.stamp), svg, png)
