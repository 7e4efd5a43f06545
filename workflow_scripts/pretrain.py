"""Rule `pretrain`: train a model on a source, without the patients who are in a target, too."""

from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.files import write_csv, write_json
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import ids_in_corpus, join_records, task_of
from ecgtransfer.train.corpus import open_corpus, read_splits
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.pretraining import Pretraining, pretrain, values_to_learn
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import remove_state
from ecgtransfer.train.weights import save_weights

with job(snakemake), leased_devices(snakemake.resources.gpu) as devices:
    source, model = snakemake.wildcards.source, snakemake.wildcards.model
    joined = snakemake.params.datasets
    settings, hardware = dict(snakemake.params.settings), snakemake.params.hardware
    plan = Pretraining(
        task=task_of(source),
        model=model,
        options=snakemake.params.options,
        seed=settings.pop("seed"),
        settings=TrainingSettings(**settings, precision=hardware["precision"], kernels=hardware["kernels"]),
        deterministic=hardware["deterministic"],
        code=snakemake.params.code,
    )
    whole = open_corpus(
        snakemake.input.signals,
        values_to_learn(plan.task, join_records(joined, snakemake.input.values, read_labels)),
        read_splits(snakemake.input.splits),
        snakemake.params.sampling_rate_hz,
        join_records(joined, snakemake.input.records) if snakemake.input.records else None,
    )
    overlaps = read_table(snakemake.input.overlaps)
    corpus = whole.without_patients_of(ids_in_corpus(joined, overlaps["dataset_a"], overlaps["record_a"]))
    result = pretrain(plan, corpus, snakemake.params.unfinished, n_processes=max(len(devices), 1))
    n_left_out = len(whole.splits) - len(corpus.splits)
    write_csv(result.history, snakemake.output.history)
    write_json({"source": source, "left_out_as_in_a_target": n_left_out, **result.facts}, snakemake.output.facts)
    stages_only = plan.task == "masked"
    save_weights(result.model, model, corpus.label_names, snakemake.output.weights, stages_only)
    remove_state(snakemake.params.unfinished)
