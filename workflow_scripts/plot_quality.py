"""Rule `plot_quality`: one page and one table per data set, what was kept and why the rest was not."""

from pathlib import Path

from ecgtransfer.csv_tables import read_table
from ecgtransfer.exhibits.figure_files import FEWER_DOTS_PER_INCH, save_figure
from ecgtransfer.files import write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.signal_file import SignalFile
from ecgtransfer.report.quality_figure import draw_quality, quality_summary, with_gain_flag

snakemake: Job

with job(snakemake):
    ratio = snakemake.params.implausible_gain["ratio"]
    quality = read_table(snakemake.input.quality)
    quality = with_gain_flag(quality, ratio)
    summary = quality_summary(read_table(snakemake.input.rejected), quality)
    write_csv(summary, snakemake.output.summary)
    figure = draw_quality(
        snakemake.wildcards.dataset,
        summary,
        quality,
        SignalFile(Path(snakemake.input.signals)).rows,
        snakemake.params.sampling_rate_hz,
        (1 / ratio, ratio),
    )
    save_figure(figure, snakemake.output.svg, snakemake.output.png, FEWER_DOTS_PER_INCH)
