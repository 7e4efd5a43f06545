"""Rule `pretrain`: train a model on a source, without the patients who are in a target, too."""

from ecgtransfer.job import Job, job
from ecgtransfer.source import Source
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.pretraining import Pretraining, run_pretraining
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.sources import read_source

snakemake: Job

with job(snakemake), leased_devices(snakemake.resources.gpu) as devices:
    files, out, params, named = snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards
    task, rate = Source.of(named.source).task, params.sampling_rate_hz
    pretraining = Pretraining(
        task=task,
        model=named.model,
        options=params.options,
        settings=TrainingSettings.of(params.settings, params.hardware),
        seed=params.settings["seed"],
        deterministic=params.hardware["deterministic"],
        code=params.code,
    )
    corpus, n_left_out = read_source(
        task, params.datasets, files.signals, files.values, files.splits, files.overlaps, rate, files.records
    )
    about = {"source": named.source, "left_out_as_in_a_target": n_left_out}
    folders = params.unfinished, params.finished
    run_pretraining(pretraining, corpus, about, *folders, len(devices), out.weights, out.history, out.metadata)
