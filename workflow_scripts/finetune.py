"""Rule `finetune`: train the replicates of a cell from the weights of a source, in one of the ways to transfer."""

from pathlib import Path

from ecgtransfer.job import job
from ecgtransfer.train.cells import CellTraining, train_cell, write_cell
from ecgtransfer.train.corpus import read_corpus
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import remove_state
from ecgtransfer.train.ways import parse_way

with job(snakemake), leased_devices(snakemake.resources.gpu):
    hardware = snakemake.params.hardware
    corpus = read_corpus(
        snakemake.input.signals,
        snakemake.input.labels,
        snakemake.input.splits,
        snakemake.params.sampling_rate_hz,
        snakemake.input.records,
    )
    cell = CellTraining(
        model=snakemake.wildcards.model,
        options=snakemake.params.options,
        fraction=float(snakemake.wildcards.fraction),
        **snakemake.params.transfer,
        settings=TrainingSettings(
            **snakemake.params.settings, precision=hardware["precision"], kernels=hardware["kernels"]
        ),
        way=parse_way(snakemake.wildcards.way),
        way_settings=snakemake.params.way_settings,
        weights=[Path(path) for path in snakemake.input.weights],
        deterministic=hardware["deterministic"],
        code=snakemake.params.code,
    )
    result = train_cell(cell, corpus, snakemake.params.unfinished, n_processes=snakemake.threads)
    write_cell(result, snakemake.output.predictions, snakemake.output.history, snakemake.output.facts)
    remove_state(snakemake.params.unfinished)
