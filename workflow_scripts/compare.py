"""Rule `compare`: learning curves, and of every cell with transfer the verdict against its partner from scratch and the
labels that it saves.
"""

from ecgtransfer.compare.findings import learning_curves, load_run, verdicts
from ecgtransfer.compare.label_saving import label_savings
from ecgtransfer.files import write_csv
from ecgtransfer.job import job

with job(snakemake.log[0]):
    settings = snakemake.params.settings
    runs = [
        load_run(*cell, scores, resamples)
        for cell, scores, resamples in zip(
            snakemake.params.cells, snakemake.input.scores, snakemake.input.resamples, strict=True
        )
    ]
    write_csv(learning_curves(runs, settings["confidence"], settings["seed"]), snakemake.output.curves)
    write_csv(verdicts(runs, settings["confidence"], settings["margin"], settings["seed"]), snakemake.output.verdicts)
    write_csv(label_savings(runs, settings["confidence"], settings["seed"]), snakemake.output.label_savings)
