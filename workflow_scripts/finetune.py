"""Rule `finetune`: train the replicates of a cell from the weights of a source, all layers, with a new last layer."""

import torch

from ecgtransfer.job import job
from ecgtransfer.train.corpus import open_corpus
from ecgtransfer.train.loop import TrainingSettings
from ecgtransfer.train.runs import train_cell, write_cell

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    result = train_cell(
        open_corpus(snakemake.input.signals, snakemake.input.labels, snakemake.input.splits),
        snakemake.wildcards.model,
        snakemake.params.options,
        float(snakemake.wildcards.fraction),
        snakemake.params.transfer,
        TrainingSettings(**snakemake.params.settings),
        pretrained=snakemake.input.weights,
    )
    write_cell(result, snakemake.output.predictions, snakemake.output.history, snakemake.output.facts)
