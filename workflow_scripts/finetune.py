"""Rule `finetune`: train the replicates of a cell from the weights of a source, in one of the ways to transfer."""

import pandas as pd

from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import join_records
from ecgtransfer.train.cells import CellTraining, train_cell, write_cell
from ecgtransfer.train.corpus import open_corpus
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.optimizing import TrainingSettings
from ecgtransfer.train.state import remove_state
from ecgtransfer.train.ways import parse_way

with job(snakemake.log[0]), leased_devices(snakemake.resources.gpu):
    target, hardware = snakemake.wildcards.target, snakemake.params.hardware
    corpus = open_corpus(
        snakemake.input.signals,
        join_records(target, [snakemake.input.labels]),
        pd.read_csv(snakemake.input.splits, dtype={"record_id": str, "patient_id": str}),
        snakemake.params.sampling_rate_hz,
        join_records(target, snakemake.input.records) if snakemake.input.records else None,
    )
    cell = CellTraining(
        model=snakemake.wildcards.model,
        options=snakemake.params.options,
        fraction=float(snakemake.wildcards.fraction),
        **snakemake.params.transfer,
        settings=TrainingSettings(**snakemake.params.settings, precision=hardware["precision"]),
        way=parse_way(snakemake.wildcards.way),
        way_settings=snakemake.params.way_settings,
        weights=snakemake.input.weights,
        deterministic=hardware["deterministic"],
        code=snakemake.params.code,
    )
    result = train_cell(cell, corpus, snakemake.params.unfinished, n_processes=snakemake.threads)
    write_cell(result, snakemake.output.predictions, snakemake.output.history, snakemake.output.facts)
    remove_state(snakemake.params.unfinished)
