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
from ecgtransfer.leads import LEADS
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


@dataclass(frozen=True)
class _Replicate:
    """One training of a cell; probabilities are of shape (records, labels)."""

    history: list[Epoch]
    test_probability: np.ndarray
    valid_probability: np.ndarray
    valid_used: np.ndarray
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
    model = _new_model(corpus, model_name, options)
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

    Raises
    ------
    InputError
        If the fraction leaves fewer than two records to train on, or the weights do not fit the model.
    """
    device = training_device()
    test = corpus.load(corpus.in_role("test")["record_id"].tolist()).to(device)
    valid = corpus.load(corpus.in_role("valid")["record_id"].tolist()).to(device)
    valid_fraction = 1.0 if transfer["validation"] == "full" else fraction
    start = time.perf_counter()
    trained: list[_Replicate] = []
    for replicate in range(transfer["replicates"]):
        subset = _training_subset(corpus, replicate, fraction)
        used = np.isin(valid.record_id, corpus.subset("valid", replicate, valid_fraction)["record_id"].tolist())
        logger.info("replicate %d: %d records to train, %d to validate", replicate, len(subset), used.sum())
        fix_seeds(transfer["seed"], replicate)
        model = _new_model(corpus, model_name, options)
        taken_over = asdict(load_all_but_head(model, model_name, pretrained)) if pretrained else {}
        history, normalize = _fit_on_device(
            model, corpus.load(subset["record_id"].tolist()), valid.where(used), settings
        )
        trained.append(
            _Replicate(
                history=history,
                test_probability=_probabilities(model, test, normalize),
                valid_probability=_probabilities(model, valid, normalize),
                valid_used=used,
                facts=_facts_of_replicate(subset, used, history) | taken_over,
            )
        )
    facts = {
        "model": model_name,
        "options": dict(options),
        "fraction": fraction,
        "labels": corpus.label_names,
        "seed": transfer["seed"],
        "settings": asdict(settings),
        "replicates": [replicate.facts for replicate in trained],
        **_how_it_ran(start),
    }
    return CellResult(_predictions(corpus.label_names, test, valid, trained), _histories(trained), facts)


def _new_model(corpus: Corpus, model_name: str, options: Mapping[str, Any]) -> nn.Module:
    return build_model(model_name, len(LEADS), corpus.n_samples, len(corpus.label_names), options)


def _training_subset(corpus: Corpus, replicate: int, fraction: float) -> pd.DataFrame:
    """Return the rows of the splits table that a replicate is trained on; InputError if they are too few."""
    subset = corpus.subset("train", replicate, fraction)
    if len(subset) < 2:
        raise InputError(
            f"transfer.fractions: {fraction} of the training patients are {len(subset)} records, at least 2 are"
            " needed; use larger fractions or more recordings"
        )
    return subset


def _fit_on_device(
    model: nn.Module, train: Examples, valid: Examples, settings: TrainingSettings
) -> tuple[list[Epoch], Normalization]:
    """Train `model` on the device of this job, where it stays, and return the constants of its training records."""
    device = training_device()
    normalize = normalization_of(train.signals).to(device)
    return fit(model.to(device), train.to(device), valid.to(device), normalize, settings), normalize


def _probabilities(model: nn.Module, examples: Examples, normalize: Normalization) -> np.ndarray:
    """Return float32 probabilities, shape (records, labels)."""
    return torch.sigmoid(predict_logits(model, examples, normalize)).cpu().numpy()


def _facts_of_replicate(subset: pd.DataFrame, valid_used: np.ndarray, history: list[Epoch]) -> dict[str, Any]:
    return {
        "n_train": len(subset),
        "n_train_patients": int(subset["patient_id"].nunique()),
        "n_valid": int(valid_used.sum()),
        "best_epoch": best_epoch(history).epoch,
    }


def _predictions(
    label_names: list[str], test: Examples, valid: Examples, trained: list[_Replicate]
) -> dict[str, np.ndarray]:
    """Return the arrays of ``predictions.npz``, replicates first."""
    return {
        "labels": np.asarray(label_names, dtype=np.str_),
        "test_record_id": test.record_id,
        "test_probability": np.stack([replicate.test_probability for replicate in trained]),
        "valid_record_id": valid.record_id,
        "valid_probability": np.stack([replicate.valid_probability for replicate in trained]),
        "valid_used": np.stack([replicate.valid_used for replicate in trained]),
        "n_train": np.asarray([replicate.facts["n_train"] for replicate in trained]),
        "n_train_patients": np.asarray([replicate.facts["n_train_patients"] for replicate in trained]),
    }


def _histories(trained: list[_Replicate]) -> pd.DataFrame:
    """Return the rows of ``history.csv``: one per replicate and epoch."""
    return pd.DataFrame(
        {"replicate": number, **asdict(epoch)}
        for number, replicate in enumerate(trained)
        for epoch in replicate.history
    )


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
        np.savez(file, allow_pickle=False, **result.predictions)
    write_csv(result.history, history)
    write_json(result.facts, facts)
