"""Rule `scratch`: train the replicates of a cell from random weights."""

from ecgtransfer.job import Job, job
from ecgtransfer.train.cells import CellTraining, run_cell
from ecgtransfer.train.corpus import read_corpus
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.settings import TrainingSettings

snakemake: Job

with job(snakemake), leased_devices(snakemake.resources.gpu):
    files, out, params, named = snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards
    cell = CellTraining(
        model=named.model,
        options=params.options,
        settings=TrainingSettings.of(params.settings, params.hardware),
        deterministic=params.hardware["deterministic"],
        code=params.code,
        fraction=float(named.fraction),
        **params.transfer,
    )
    corpus = read_corpus(files.signals, files.labels, files.splits, params.sampling_rate_hz, files.records)
    folders = params.unfinished, params.finished
    run_cell(cell, corpus, *folders, snakemake.threads, out.predictions, out.history, out.metadata)
