"""Rule `predict_with_source`: what the model of a source predicts for a target before any training on it."""

from pathlib import Path

from ecgtransfer.files import write_arrays
from ecgtransfer.job import Job, job
from ecgtransfer.train.corpus import read_corpus
from ecgtransfer.train.devices import leased_devices
from ecgtransfer.train.source_predictions import predict_with_source

snakemake: Job

with job(snakemake), leased_devices(snakemake.resources.gpu):
    corpus = read_corpus(
        snakemake.input.signals,
        snakemake.input.labels,
        snakemake.input.splits,
        snakemake.params.sampling_rate_hz,
        snakemake.input.records,
    )
    arrays = predict_with_source(
        snakemake.wildcards.model,
        snakemake.params.options,
        Path(snakemake.input.weights),
        corpus,
        snakemake.params.crop_s,
        snakemake.params.precision,
        snakemake.params.kernels,
    )
    write_arrays(arrays, snakemake.output.predictions)
