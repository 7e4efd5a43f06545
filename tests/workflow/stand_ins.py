"""Stand-ins for the trainings and the figures: valid outputs at once, whose bytes tell all that they were made from.

In place of a result there is a function of the bytes of every input file, of the wildcards and of the params, without
clock and without torch. So a job that ought to have run again and did not leaves other bytes in the findings or on the
page than a fresh run. A `MicroStudy` puts this module into the library of its checkout, and in place of each adapter
one that calls the function of the rule's name.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of, write_arrays, write_csv, write_json, written_whole
from ecgtransfer.prepare.corpora import join_records
from ecgtransfer.source import Source

Array = NDArray[Any]
Job = Any
"""The object `snakemake` of a script."""

TRAININGS = ("pretrain", "import_weights", "scratch", "finetune", "predict_with_source")
FIGURES = ("plot_finding", "plot_quality", "plot_recordings")

_N_EPOCHS = 3
_ENTRY = "ecgtransfer"  # of the metadata of weights, as in ecgtransfer.train.weights
_NO_INFLUENCE = ("unfinished", "finished")  # params that decide where something lies, not what comes out


def _of_hardware(job: Job) -> dict[str, str]:
    return {key: job.params.hardware[key] for key in ("precision", "kernels")}


def pretrain(job: Job) -> None:
    """Stand in for a pre-training."""
    digest, rng = _digest_of(job), _generator(job)
    source, model = job.wildcards.source, job.wildcards.model
    task = Source.of(source).task
    splits = _read_splits(job.input.splits)
    values = join_records(job.params.datasets, job.input.values)
    columns = {"age": ["age_years"], "masked": [], "untrained": []}.get(
        task, [str(name) for name in values if name != "record_id"]
    )
    n_valid = int((splits["role"] == "valid").sum())
    settings = dict(job.params.settings)
    seed = settings.pop("seed")
    history = _history(rng)
    metadata = {
        "source": source,
        "left_out_as_in_a_target": len(read_table(job.input.overlaps)),
        "task": task,
        "model": model,
        "options": dict(job.params.options),
        "labels": columns,
        "n_train": len(splits) - n_valid,
        "n_valid": n_valid,
        "validation": "full" if n_valid else "test",
        "seed": seed,
        "settings": {**settings, **_of_hardware(job)},
        "deterministic": job.params.hardware["deterministic"],
        "code": job.params.code,
        "best_epoch": _N_EPOCHS,
        "weights": 1000,
        "processes": 1,
        **_how_it_ran(history),
    }
    write_csv(history, job.output.history)
    write_json(metadata, job.output.metadata)
    _write_weights(digest, model, columns, job.output.weights)


def import_weights(job: Job) -> None:
    """Stand in for taking over weights from outside."""
    path, model = Path(job.input.weights), job.wildcards.model
    metadata = {
        "task": "outside",
        "model": model,
        "options": dict(job.params.options),
        "trained_on": list(job.params.trained_on),
        "file": path.name,
        "sha256": sha256_of(path),
        "weights": 1000,
        "code": job.params.code,
    }
    write_json(metadata, job.output.metadata)
    _write_weights(_digest_of(job), model, [], job.output.weights)


def scratch(job: Job) -> None:
    """Stand in for a cell from scratch."""
    _train_cell(job, "scratch", {})


def finetune(job: Job) -> None:
    """Stand in for a cell that starts from the weights of a source."""
    for path in job.input.weights:
        _labels_in_weights(path, job.wildcards.model)
    _train_cell(job, job.wildcards.method, {"transferred_weights": 900, "new_weights": 100})


def predict_with_source(job: Job) -> None:
    """Stand in for what the model of a source says of a target."""
    labels, splits = _read_labels(job.input.labels), _read_splits(job.input.splits)
    names = _labels_in_weights(job.input.weights, job.wildcards.model)
    ids = splits["record_id"].tolist()
    arrays = {
        "record_id": np.asarray(ids, dtype=np.str_),
        "labels": np.asarray(names, dtype=np.str_),
        "probability": _probabilities(labels.reindex(columns=names), ids, _generator(job)),
    }
    write_arrays(arrays, job.output.predictions)


def plot_finding(job: Job) -> None:
    """Stand in for the figure of a finding."""
    _draw(_digest_of(job), job.output.svg, job.output.png)


def plot_quality(job: Job) -> None:
    """Write the table as the workflow does, and a stand-in for its figure."""
    from ecgtransfer.report.quality_figure import quality_summary, with_gain_flag

    quality = read_table(job.input.quality)
    quality = with_gain_flag(quality, job.params.implausible_gain["ratio"])
    write_csv(quality_summary(read_table(job.input.rejected), quality), job.output.summary)
    _draw(_digest_of(job), job.output.svg, job.output.png)


def plot_recordings(job: Job) -> None:
    """Read the chosen recordings as the workflow does, and write stand-ins for their drawings."""
    from ecgtransfer.prepare.recordings import read_recording
    from ecgtransfer.report.recordings import choose_recordings

    records = read_table(job.input.records)
    stored = read_table(job.input.described).fillna({"unit": "", "leads": ""}).set_index("record_id")
    chosen = choose_recordings(records, len(job.output.svg))
    for record, svg, png in zip(chosen, job.output.svg, job.output.png, strict=True):
        unit, leads = stored.loc[record["record_id"], ["unit", "leads"]]
        signal = read_recording(Path(job.params.folder), record["path"], unit, leads)
        _draw(_digest_of(job, hashlib.sha256(np.ascontiguousarray(signal).tobytes()).hexdigest()), svg, png)


def _digest_of(job: Job, *more: str) -> bytes:
    """Return a hash of all that decides a job: every input file's bytes, wildcards and params."""
    inputs = {name: _digests_of_files(files) for name, files in job.input.items()}
    params = {name: value for name, value in job.params.items() if name not in _NO_INFLUENCE}
    rule = job.rule.removeprefix("ecg_")  # as a workflow that imports this one may call it
    said = [rule, inputs, params, dict(job.wildcards.items()), more]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).digest()


def _digests_of_files(files: Any) -> list[str]:
    return list(map(sha256_of, [files] if isinstance(files, str) else files))


def _generator(job: Job) -> np.random.Generator:
    return np.random.default_rng(np.frombuffer(_digest_of(job), dtype=np.uint32))


def _train_cell(job: Job, arm: str, taken_over: Mapping[str, int]) -> None:
    """Write predictions, history and metadata of a cell, in the form of ecgtransfer.train.cells."""
    rng, transfer = _generator(job), job.params.transfer
    labels, splits = _read_labels(job.input.labels), _read_splits(job.input.splits)
    fraction = float(job.wildcards.fraction)
    validates = "valid" if (splits["role"] == "valid").any() else "test"
    share = 1.0 if transfer["validation"] == "full" or validates == "test" else fraction
    test, valid = splits[splits["role"] == "test"], splits[splits["role"] == validates]
    replicates, histories, probabilities, used = [], [], [], []
    for number in range(transfer["replicates"]):
        rank = f"rank_{number}"
        train = splits[(splits["role"] == "train") & (splits[rank] < fraction)]
        if len(train) < 2:
            raise InputError(f"transfer.fractions: {fraction} of the training patients are {len(train)} records")
        used.append((valid[rank] < share).to_numpy() if validates == "valid" else np.ones(len(valid), dtype=bool))
        histories.append(_history(rng).assign(replicate=number))
        probabilities.append([_probabilities(labels, table["record_id"].tolist(), rng) for table in (test, valid)])
        replicates.append(
            {
                "n_train": len(train),
                "n_train_patients": int(train["patient_id"].nunique()),
                "n_valid": int(used[-1].sum()),
                "best_epoch": _N_EPOCHS,
                **taken_over,
                "trained_weights": 1000,
                "frozen_weights": 0,
                "frozen_layers": [],
            }
        )
    history = pd.concat(histories)[["replicate", *histories[0].columns[:-1]]]
    metadata = {
        "model": job.wildcards.model,
        "options": dict(job.params.options),
        "method": arm,
        "method_settings": dict(job.params.get("method_settings") or {}),
        "labels": labels.columns.tolist(),
        "fraction": fraction,
        "validation": "test" if validates == "test" else transfer["validation"],
        "seed": transfer["seed"],
        "settings": {**job.params.settings, **_of_hardware(job)},
        "deterministic": job.params.hardware["deterministic"],
        "code": job.params.code,
        "replicates": replicates,
        "processes": 1,
        **_how_it_ran(history),
    }
    of_test, of_valid = zip(*probabilities, strict=True)
    arrays = {
        "labels": np.asarray(labels.columns, dtype=np.str_),
        "test_record_id": np.asarray(test["record_id"], dtype=np.str_),
        "test_probability": np.stack(of_test),
        "valid_record_id": np.asarray(valid["record_id"], dtype=np.str_),
        "valid_probability": np.stack(of_valid),
        "valid_used": np.stack(used),
        "n_train": np.asarray([replicate["n_train"] for replicate in replicates]),
        "n_train_patients": np.asarray([replicate["n_train_patients"] for replicate in replicates]),
    }
    write_arrays(arrays, job.output.predictions)
    write_csv(history, job.output.history)
    write_json(metadata, job.output.metadata)


def _read_labels(path: str) -> pd.DataFrame:
    return read_labels(path).set_index("record_id")


def _read_splits(path: str) -> pd.DataFrame:
    return read_table(path)


def _probabilities(labels: pd.DataFrame, record_ids: Sequence[str], rng: np.random.Generator) -> Array:
    """Return probabilities that go a little with the labels of some records, where these are known."""
    signs: Array = 2 * labels.loc[list(record_ids)].to_numpy(dtype=float, na_value=0.5) - 1
    logits: Array = np.nan_to_num(signs) + rng.normal(size=signs.shape)
    probabilities: Array = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return probabilities


def _history(rng: np.random.Generator) -> pd.DataFrame:
    """Return rising scores, and seconds that come from no clock."""
    scores = 0.6 + 0.3 * np.sort(rng.random(_N_EPOCHS)).round(6)
    seconds = (1 + rng.random(_N_EPOCHS)).round(3)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, _N_EPOCHS + 1),
            "train_loss": 1 - scores,
            "valid_loss": 1.1 - scores,
            "valid_macro_auroc": scores,
            "valid_weighted_f1": scores - 0.1,
            "seconds": seconds,
            "device_seconds": seconds,
            "joules": math.nan,
        }
    )


def _how_it_ran(history: pd.DataFrame) -> dict[str, Any]:
    seconds = round(float(history["seconds"].sum()), 3)
    return {
        "wall_seconds": seconds,
        "device_seconds": seconds,
        "samples_per_second": 100.0,
        "flops_per_sample": None,
        "peak_flops": None,
        "fraction_of_peak": None,
        "peak_memory_bytes": None,
        "energy_joules": None,
        "device": "none",
        "threads": 1,
        "versions": {"python": "none", "torch": "none", "numpy": "none", "safetensors": "none"},
    }


def _write_weights(digest: bytes, model: str, labels: Sequence[str], path: str) -> None:
    metadata = {_ENTRY: json.dumps({"model": model, "labels": list(labels)})}
    with written_whole(path) as temporary:
        save_file({"digest": np.frombuffer(digest, dtype=np.uint8)}, temporary, metadata=metadata)


def _labels_in_weights(path: str, model: str) -> list[str]:
    """Return the labels that weights predict; InputError if the file is damaged or of another model."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: is not a readable safetensors file ({error}); delete it") from error
    if metadata.get("model") != model:
        raise InputError(f"{path}: holds the weights of '{metadata.get('model')}', expected '{model}'")
    labels: list[str] = metadata["labels"]
    return labels


def _draw(digest: bytes, svg: str, png: str) -> None:
    """Write a digest as an SVG file and, bit by bit, as a PNG file of 16 by 16 pixels."""
    with written_whole(svg) as temporary:
        temporary.write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><text y="20">{digest.hex()}</text></svg>\n')
    with written_whole(png) as temporary:
        Image.frombytes("1", (16, 16), digest).save(temporary, "png")
