"""Rule `pretrain`: train a model on a source, without the patients who are in a target, too."""

import pandas as pd
import torch

from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import ids_in_corpus
from ecgtransfer.train.corpus import open_corpus
from ecgtransfer.train.loop import TrainingSettings
from ecgtransfer.train.runs import pretrain
from ecgtransfer.train.weights import save_weights

with job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    source = snakemake.wildcards.source
    overlaps = pd.read_csv(snakemake.input.overlaps, dtype=str)
    in_a_target = ids_in_corpus(source, overlaps["dataset_a"], overlaps["record_a"])
    whole = open_corpus(snakemake.input.signals, snakemake.input.labels, snakemake.input.splits)
    corpus = whole.without_patients_of(in_a_target)
    settings = dict(snakemake.params.settings)
    seed = settings.pop("seed")
    model, history, facts = pretrain(
        corpus, snakemake.wildcards.model, snakemake.params.options, TrainingSettings(**settings), seed
    )
    write_csv(history, snakemake.output.history)
    n_left_out = len(whole.splits) - len(corpus.splits)
    write_json({"source": source, "left_out_as_in_a_target": n_left_out, **facts}, snakemake.output.facts)
    save_weights(model, snakemake.wildcards.model, corpus.label_names, snakemake.output.weights)
