"""Rule `score_run`: score the predictions of a cell on the test records, and on resamples of their patients."""

from ecgtransfer.compare.scores import load_predictions, score_run
from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.files import write_arrays, write_csv
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.code_tables import read_rewards

snakemake: Job

with job(snakemake):
    rewards = read_rewards(snakemake.input.rewards) if snakemake.input.rewards else None
    scores, resamples = score_run(
        load_predictions(snakemake.input.predictions),
        read_labels(snakemake.input.labels),
        read_table(snakemake.input.splits),
        **snakemake.params.bootstrap,
        rewards=rewards,
    )
    write_csv(scores, snakemake.output.scores)
    write_arrays(resamples, snakemake.output.resamples)
