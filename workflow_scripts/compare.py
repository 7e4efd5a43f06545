"""Rule `compare`: learning curves, and the verdict on every cell with transfer against its partner from scratch."""

from ecgtransfer.compare.findings import learning_curves, load_run, verdicts
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
