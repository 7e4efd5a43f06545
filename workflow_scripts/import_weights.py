"""Rule `import_weights`: take over the weights of a model that was trained elsewhere."""

from pathlib import Path

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.files import sha256_of, write_json
from ecgtransfer.job import Job, job
from ecgtransfer.leads import LEADS
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import import_outside_weights, save_tensors

snakemake: Job

with job(snakemake):
    path, model = Path(snakemake.input.weights), snakemake.wildcards.model
    rows = read_rows(Path(snakemake.input.names), ["theirs", "ours"], mend="mend it") if snakemake.input.names else []
    tensors = import_outside_weights(
        path,
        model,
        build_model(model, len(LEADS), snakemake.params.n_samples, 1, snakemake.params.options),
        {row["theirs"]: row["ours"] for row in rows} or None,
    )
    facts = {
        "task": "outside",
        "model": model,
        "options": dict(snakemake.params.options),
        "trained_on": list(snakemake.params.trained_on),
        "file": path.name,
        "sha256": sha256_of(path),
        "weights": sum(tensor.numel() for tensor in tensors.values()),
        "code": snakemake.params.code,
    }
    write_json(facts, snakemake.output.facts)
    save_tensors(tensors, model, [], snakemake.output.weights)
