"""Rule `pretrain`: train a model on a source."""

import torch

from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import job
from ecgtransfer.train.corpus import open_corpus
from ecgtransfer.train.loop import TrainingSettings
from ecgtransfer.train.runs import pretrain
from ecgtransfer.train.weights import save_weights

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    corpus = open_corpus(snakemake.input.signals, snakemake.input.labels, snakemake.input.splits)
    settings = dict(snakemake.params.settings)
    seed = settings.pop("seed")
    model, history, facts = pretrain(
        corpus, snakemake.wildcards.model, snakemake.params.options, TrainingSettings(**settings), seed
    )
    write_csv(history, snakemake.output.history)
    write_json({"source": snakemake.wildcards.source, **facts}, snakemake.output.facts)
    save_weights(model, snakemake.wildcards.model, corpus.label_names, snakemake.output.weights)
