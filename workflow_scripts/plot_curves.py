"""Rule `plot_curves`: the learning curves, with and without pre-training."""

import pandas as pd

from ecgtransfer.job import job
from ecgtransfer.report.curves_figure import draw_learning_curves
from ecgtransfer.report.figure_files import save_figure

with job(snakemake.log[0]):
    curves = pd.read_csv(snakemake.input.curves, keep_default_na=False, na_values=[""])
    save_figure(draw_learning_curves(curves), snakemake.output.svg, snakemake.output.png)
