"""Pre-training on a source, and the cells of the study: training on a fraction of a target, with and without it."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ecgtransfer.errors import InputError
from ecgtransfer.files import write_csv, write_json, written_whole
from ecgtransfer.train.corpus import Corpus, Examples, Normalization, normalization_of
from ecgtransfer.train.loop import (
    Epoch,
    TrainingSettings,
    best_epoch,
    fit,
    fix_seeds,
    predict_logits,
    training_device,
)
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import load_all_but_head

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CellResult:
    """What a cell leaves behind: arrays for ``predictions.npz``, rows for ``history.csv``, facts for ``run.json``."""

    predictions: dict[str, np.ndarray]
    history: pd.DataFrame
    facts: dict[str, Any]


def pretrain(
    corpus: Corpus, model_name: str, options: Mapping[str, Any], settings: TrainingSettings, seed: int
) -> tuple[nn.Module, pd.DataFrame, dict[str, Any]]:
    """Train a model on a source: on all its records but those that validate, for a source is never tested on itself.

    Returns
    -------
    model, history, facts
        The model with the weights of its best epoch, one row per epoch, and what ``run.json`` says.
    """
    train = corpus.load(corpus.outside_role("valid")["record_id"].tolist())
    valid = corpus.load(corpus.in_role("valid")["record_id"].tolist())
    fix_seeds(seed)
    model = build_model(model_name, 12, corpus.n_samples, len(corpus.label_names), options)
    start = time.perf_counter()
    history, _ = _fit_on_device(model, train, valid, settings)
    facts = {
        "model": model_name,
        "options": dict(options),
        "labels": corpus.label_names,
        "n_train": len(train),
        "n_valid": len(valid),
        "seed": seed,
        "settings": asdict(settings),
        "best_epoch": best_epoch(history).epoch,
        **_how_it_ran(start),
    }
    return model.cpu(), pd.DataFrame(map(asdict, history)), facts


def train_cell(
    corpus: Corpus,
    model_name: str,
    options: Mapping[str, Any],
    fraction: float,
    transfer: Mapping[str, Any],
    settings: TrainingSettings,
    pretrained: Path | None,
) -> CellResult:
    """Train all replicates of one cell of the study, from scratch or from pre-trained weights.

    Replicate r has its own subset of patients, initial head and order of batches, the same in every arm, so that arms
    can be compared in pairs. Labels of test records are not looked at.

    Parameters
    ----------
    corpus
        The target.
    model_name
        A key of the model registry.
    options
        What the config section ``models`` says of this model.
    fraction
        Share of the training patients, and with ``validation: budget`` of the validation patients.
    transfer
        ``replicates``, ``seed`` and ``validation`` of the config section ``transfer``.
    settings
        The config section ``scratch`` or ``finetune``.
    pretrained
        Weights of the source; None trains from scratch.
    """
    test = corpus.load(corpus.in_role("test")["record_id"].tolist())
    valid_all = corpus.load(corpus.in_role("valid")["record_id"].tolist())
    replicates: list[dict[str, Any]] = []
    histories, test_probability, valid_probability, valid_used = [], [], [], []
    start = time.perf_counter()
    for replicate in range(transfer["replicates"]):
        subset = corpus.subset("train", replicate, fraction)
        budget = 1.0 if transfer["validation"] == "full" else fraction
        used = np.isin(valid_all.record_id, corpus.subset("valid", replicate, budget)["record_id"].to_numpy(dtype=str))
        train = corpus.load(subset["record_id"].tolist())
        valid = Examples(valid_all.record_id[used], valid_all.signals[used], valid_all.labels[used])
        if len(train) < 2:
            raise InputError(
                f"transfer.fractions: {fraction} of the training patients are {len(train)} records, at least 2 are"
                " needed; use larger fractions or more recordings"
            )
        logger.info("replicate %d: %d records to train, %d to validate", replicate, len(train), len(valid))
        fix_seeds(transfer["seed"], replicate)
        model = build_model(model_name, 12, corpus.n_samples, len(corpus.label_names), options)
        taken_over = asdict(load_all_but_head(model, model_name, pretrained)) if pretrained else {}
        history, normalize = _fit_on_device(model, train, valid, settings)
        histories += [{"replicate": replicate, **asdict(epoch)} for epoch in history]
        test_probability.append(_probabilities(model, test, normalize))
        valid_probability.append(_probabilities(model, valid_all, normalize))
        valid_used.append(used)
        replicates.append(
            {
                "n_train": len(train),
                "n_train_patients": int(subset["patient_id"].nunique()),
                "n_valid": len(valid),
                "best_epoch": best_epoch(history).epoch,
                **taken_over,
            }
        )
    predictions = {
        "labels": np.asarray(corpus.label_names, dtype=np.str_),
        "test_record_id": test.record_id,
        "test_probability": np.stack(test_probability),
        "valid_record_id": valid_all.record_id,
        "valid_probability": np.stack(valid_probability),
        "valid_used": np.stack(valid_used),
        "n_train": np.asarray([r["n_train"] for r in replicates]),
        "n_train_patients": np.asarray([r["n_train_patients"] for r in replicates]),
    }
    facts = {
        "model": model_name,
        "options": dict(options),
        "fraction": fraction,
        "labels": corpus.label_names,
        "seed": transfer["seed"],
        "settings": asdict(settings),
        "replicates": replicates,
        **_how_it_ran(start),
    }
    return CellResult(predictions, pd.DataFrame(histories), facts)


def _fit_on_device(
    model: nn.Module, train: Examples, valid: Examples, settings: TrainingSettings
) -> tuple[list[Epoch], Normalization]:
    device = training_device()
    normalize = normalization_of(train.signals).to(device)
    return fit(model.to(device), train.to(device), valid.to(device), normalize, settings), normalize


def _probabilities(model: nn.Module, examples: Examples, normalize: Normalization) -> np.ndarray:
    logits = predict_logits(model, examples.to(training_device()), normalize)
    return torch.sigmoid(logits).cpu().numpy().astype(np.float32)


def _how_it_ran(start: float) -> dict[str, Any]:
    device = training_device()
    return {
        "wall_seconds": round(time.perf_counter() - start, 3),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def write_cell(result: CellResult, predictions: Path, history: Path, facts: Path) -> None:
    """Write the three files of a cell, each whole."""
    with written_whole(predictions) as temporary, temporary.open("wb") as file:
        np.savez(file, **result.predictions)
    write_csv(result.history, history)
    write_json(result.facts, facts)
