"""Rule `score_run`: score the predictions of a cell on the test records, and on resamples of their patients."""

import pandas as pd

from ecgtransfer.compare.scores import load_predictions, score_run
from ecgtransfer.files import write_arrays, write_csv
from ecgtransfer.job import job

with job(snakemake):
    rewards = pd.read_csv(snakemake.input.rewards, index_col="label") if snakemake.input.rewards else None
    scores, resamples = score_run(
        load_predictions(snakemake.input.predictions),
        pd.read_csv(snakemake.input.labels, dtype={"record_id": str}),
        pd.read_csv(snakemake.input.splits, dtype={"record_id": str, "patient_id": str}),
        **snakemake.params.bootstrap,
        rewards=rewards,
    )
    write_csv(scores, snakemake.output.scores)
    write_arrays(resamples, snakemake.output.resamples)
