"""Rule `import_weights`: take over the weights of a model that was trained elsewhere."""

from pathlib import Path

from ecgtransfer.files import write_json
from ecgtransfer.job import Job, job
from ecgtransfer.train.outside import take_over
from ecgtransfer.train.weights import save_tensors

snakemake: Job

with job(snakemake):
    files, out, params, model = snakemake.input, snakemake.output, snakemake.params, snakemake.wildcards.model
    tensors, metadata = take_over(
        Path(files.weights), files.names, model, params.options, params.n_samples, params.trained_on, params.code
    )
    write_json(metadata, out.metadata)
    save_tensors(tensors, model, [], out.weights)
