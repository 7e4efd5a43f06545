"""Pre-training on a source: on its labels, on measured values, or on its signals alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.files import write_csv, write_json
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.leads import LEADS
from ecgtransfer.source import UNTRAINED
from ecgtransfer.train.accounting import how_it_ran, peak_memory_bytes
from ecgtransfer.train.corpus import Corpus, Examples, normalization_of
from ecgtransfer.train.data_parallel import Ranks, train_with
from ecgtransfer.train.finished import FinishedTrainings
from ecgtransfer.train.hardware import arithmetic, computed_by, fix_seeds, training_device
from ecgtransfer.train.loop import Epoch, Task, best_epoch, fit
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.objectives import (
    MASKED_PATCH_S,
    MaskedPatches,
    MultiLabel,
    Objective,
    OwnError,
    Regression,
    balancing_weight,
)
from ecgtransfer.train.state import UnfinishedTraining, remove_state
from ecgtransfer.train.training import Training
from ecgtransfer.train.weights import save_weights


@dataclass(frozen=True, kw_only=True)
class Pretraining(Training):
    """One pre-training.

    Attributes
    ----------
    task
        ``labels``; ``age`` or ``intervals`` for the regression of measured values; ``masked`` for hidden patches;
        ``untrained`` for none.
    """

    task: str


@dataclass(frozen=True)
class Pretrained:
    """What a pre-training leaves behind: weights, rows for ``history.csv``, metadata for ``run.json``."""

    model: EcgModel
    history: pd.DataFrame
    metadata: dict[str, Any]


def pretrain(
    pretraining: Pretraining,
    corpus: Corpus,
    unfinished: str | Path,
    n_processes: int = 1,
    finished: FinishedTrainings = FinishedTrainings(),  # noqa: B008 (frozen)
) -> Pretrained:
    """Train a model on a source, or take it from an earlier run.

    It is trained on all records but those that validate, for a source is never tested on itself. Where no record of it
    has the role of validation, its test records validate. Each process has one thread, as those of a cell
    (`side_by_side`).

    Parameters
    ----------
    pretraining
        What is trained, and how.
    corpus
        The source. Its labels are the values to predict; with the task ``masked`` they are not used.
    unfinished
        Folder for the state of the training, so that a killed one goes on.
    n_processes
        How many processes share each batch, one per GPU; fewer where a batch has not two records for each.
    finished
        Trainings of earlier runs, by any study; this one is added.

    Raises
    ------
    InputError
        If there are too few records, or none of those that train or validate has a value to learn; or if training
        diverges.
    """
    torch.set_num_threads(1)
    if pretraining.task == UNTRAINED:
        return _untrained(pretraining, corpus)
    train = corpus.load(corpus.outside_role(corpus.validation_role)["record_id"].tolist())
    valid = corpus.load(corpus.in_role(corpus.validation_role)["record_id"].tolist())
    if len(train) < 2 or not len(valid):
        raise InputError(
            f"transfer.sources: {len(train)} records of this source are left to train on and {len(valid)} to validate"
            " on, at least 2 and 1 are needed; use another source"
        )
    scale: dict[str, dict[str, float]] = {}
    if pretraining.task in ("age", "intervals"):
        train, valid, scale = _standardized(train, valid, corpus.label_names)

    smallest_batch = len(train) // pretraining.settings.steps_per_epoch(len(train))
    n_processes = max(1, min(n_processes, smallest_batch // 2))  # batch normalisation compares records
    decided = {"rate": corpus.sampling_rate_hz, "processes": n_processes, **computed_by()}
    key = pretraining.key(nn.Module(), train, valid, decided)  # first weights follow from seed, code and version
    kept = finished.load(key)
    if kept is not None:
        arrays, metadata = kept
        model, history = _new_model(pretraining, corpus), [Epoch(**epoch) for epoch in metadata["history"]]
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        memory = metadata["peak_memory_bytes"]
    else:
        run = partial(_train, pretraining, corpus, train, valid, Path(unfinished, "state.safetensors"))
        if n_processes > 1:  # they leave the last state, from which this process takes the weights
            train_with(n_processes, run, Path(unfinished))
        model, history = run(Ranks(), training_device())
        memory = peak_memory_bytes(training_device())
        weights = {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
        rest = {"history": [asdict(epoch) for epoch in history], "peak_memory_bytes": memory}
        finished.keep(key, weights, rest)
    return _pretrained(pretraining, corpus, model, history, len(train), len(valid), n_processes, scale, memory)


def _new_model(pretraining: Pretraining, corpus: Corpus) -> EcgModel:
    return pretraining.new_model(corpus, n_outputs=max(len(corpus.label_names), 1))


def _untrained(pretraining: Pretraining, corpus: Corpus) -> Pretrained:
    """Return the model as it starts. Its generator is seeded otherwise than that of any replicate from scratch."""
    fix_seeds(pretraining.seed, deterministic=pretraining.deterministic)
    return _pretrained(pretraining, corpus, pretraining.new_model(corpus, n_outputs=1), [])


def _pretrained(
    pretraining: Pretraining,
    corpus: Corpus,
    model: EcgModel,
    history: list[Epoch],
    n_train: int = 0,
    n_valid: int = 0,
    n_processes: int = 1,
    scale: Mapping[str, Any] = {},
    memory: int | None = None,
) -> Pretrained:
    """Return a model with its history, and all about it."""
    device = training_device()
    metadata = {
        "task": pretraining.task,
        "model": pretraining.model,
        "options": dict(pretraining.options),
        "labels": corpus.label_names,
        "n_train": n_train,
        "n_valid": n_valid,
        "validation": "test" if corpus.validation_role == "test" else "full",
        "seed": pretraining.seed,
        "settings": pretraining.settings.model_dump(),
        "deterministic": pretraining.deterministic,
        "code": pretraining.code,
        **scale,
        "best_epoch": best_epoch(history, pretraining.settings.choose_by).epoch if history else 0,
        "weights": sum(parameter.numel() for parameter in model.parameters()),
        "processes": n_processes,
        **how_it_ran(
            device,
            history,
            n_train * len(history) // n_processes,
            pretraining.forward_flops(corpus),
            arithmetic(device, pretraining.settings.precision),
            memory=memory,
        ),
    }
    columns = [column.name for column in fields(Epoch)]
    return Pretrained(model.cpu(), pd.DataFrame(map(asdict, history), columns=columns), metadata)


def _train(
    pretraining: Pretraining,
    corpus: Corpus,
    train: Examples,
    valid: Examples,
    state: Path,
    ranks: Ranks,
    device: torch.device,
) -> tuple[EcgModel, list[Epoch]]:
    """Train as one of the processes; the model stays on the device."""
    fix_seeds(pretraining.seed, deterministic=pretraining.deterministic)
    model = _new_model(pretraining, corpus)
    trained: nn.Module = model
    objective: Objective = Regression()
    if pretraining.task == "masked":
        patch_samples = corpus.samples_in(MASKED_PATCH_S) or 1
        trained, objective = MaskedPatches(model, len(LEADS), pretraining.n_samples(corpus), patch_samples), OwnError()
    elif pretraining.task == "labels":
        weight = (
            balancing_weight(train.labels).to(device) if pretraining.settings.positive_weight == "balanced" else None
        )
        objective = MultiLabel(weight)
    unfinished = UnfinishedTraining(state, pretraining.key(trained, train, valid))
    normalize = normalization_of(train.signals).to(device)
    crop_samples = corpus.samples_in(pretraining.settings.crop_s)
    task = Task(objective, train.to(device), valid.to(device), normalize, crop_samples)
    return model, fit(trained.to(device), task, pretraining.settings, ALL_WEIGHTS, unfinished, ranks)


def run_pretraining(
    pretraining: Pretraining,
    corpus: Corpus,
    about: Mapping[str, Any],
    unfinished: str | Path,
    finished: str | Path,
    n_processes: int,
    weights: str | Path,
    history: str | Path,
    metadata: str | Path,
) -> None:
    """Do what `pretrain` does and write what it leaves, each file whole; `about` goes in front of the metadata."""
    result = pretrain(pretraining, corpus, unfinished, n_processes, FinishedTrainings(Path(finished)))
    write_csv(result.history, history)
    write_json({**about, **result.metadata}, metadata)
    save_weights(result.model, pretraining.model, corpus.label_names, Path(weights), stages_only=not corpus.label_names)
    remove_state(unfinished)


def _standardized(
    train: Examples, valid: Examples, names: list[str]
) -> tuple[Examples, Examples, dict[str, dict[str, float]]]:
    """Return both with values of zero mean and unit deviation in the training records, and these constants."""
    mean = train.labels.nanmean(dim=0)
    deviation = (train.labels - mean).square().nanmean(dim=0).sqrt()
    for name, spread in zip(names, deviation.tolist(), strict=True):
        if not spread > 0 or not valid.labels.isfinite().any():
            raise InputError(
                f"transfer.sources: the records of this source have no two different values of '{name}' to train on, or"
                " none to validate on; use another source or another task"
            )

    def scaled(labels: Tensor) -> Tensor:
        return (labels - mean) / deviation

    constants = {
        "value_mean": dict(zip(names, mean.tolist(), strict=True)),
        "value_deviation": dict(zip(names, deviation.tolist(), strict=True)),
    }
    return replace(train, labels=scaled(train.labels)), replace(valid, labels=scaled(valid.labels)), constants
