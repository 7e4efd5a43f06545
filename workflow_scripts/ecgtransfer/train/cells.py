"""The cells of a study: training all replicates on a fraction of a target, from scratch or from a source."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays, write_csv, write_json
from ecgtransfer.leads import LEADS
from ecgtransfer.train.accounting import Stopwatch, how_it_ran
from ecgtransfer.train.corpus import Corpus, Examples, Normalization, normalization_of
from ecgtransfer.train.hardware import arithmetic, fix_seeds, training_device, uses_kernels
from ecgtransfer.train.loop import Epoch, Task, best_epoch, fit, predict
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.objectives import MultiLabel, balancing_weight, weighted_f1
from ecgtransfer.train.pretraining import tensors_of_training
from ecgtransfer.train.registry import build_model, forward_flops_by_registry
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.side_by_side import side_by_side
from ecgtransfer.train.state import UnfinishedTraining, training_key
from ecgtransfer.train.ways import ALL_WEIGHTS, Way, trainable_plan
from ecgtransfer.train.weights import load_all_but_head

logger = logging.getLogger(__name__)

LARGEST_KEPT_FEATURES = 8192
"""More numbers per record (a flattened head has 100 per sample) are computed anew in each epoch: they fill memory."""


@dataclass(frozen=True)
class CellTraining:
    """One cell.

    Attributes
    ----------
    model, options
        A key of the model registry, and what the config section ``models`` says of it.
    fraction
        Share of the training patients, and with ``validation: budget`` of the validation patients.
    replicates, seed, validation
        Of the config section ``transfer``.
    settings
        The config section ``scratch`` or ``finetune``.
    way
        What happens to the weights of the source; None from scratch.
    way_settings
        What the config section ``arms`` says of the way.
    weights
        Files with the weights of the source, from which replicates start in turn; none from scratch.
    deterministic
        Whether algorithms are chosen that give the same result every time.
    code
        Fingerprint of the code that trains.
    """

    model: str
    options: Mapping[str, Any]
    fraction: float
    replicates: int
    seed: int
    validation: str
    settings: TrainingSettings
    way: Way | None
    way_settings: Mapping[str, Any]
    weights: Sequence[Path]
    deterministic: bool
    code: str


@dataclass(frozen=True)
class CellResult:
    """What a cell leaves behind: arrays for ``predictions.npz``, rows for ``history.csv``, facts for ``run.json``."""

    predictions: dict[str, np.ndarray]
    history: pd.DataFrame
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Data:
    """What all replicates share: the records that any of them is trained on, and all that validate and test.

    Where no record has the role of validation, those that validate are the test records.
    """

    corpus: Corpus
    train: Examples
    valid: Examples
    test: Examples


@dataclass(frozen=True)
class _Replicate:
    """One training of a cell; probabilities are of shape (records, labels)."""

    history: list[Epoch]
    test_probability: np.ndarray
    valid_probability: np.ndarray
    valid_used: np.ndarray
    facts: dict[str, Any]


def train_cell(cell: CellTraining, corpus: Corpus, unfinished: str | Path, n_processes: int = 1) -> CellResult:
    """Train all replicates of one cell of the study.

    Replicate r has its own subset of patients, initial head and order of batches, the same in every arm, so that arms
    can be compared in pairs. Labels of test records are not looked at, unless they have to validate, too.

    Parameters
    ----------
    cell
        What is trained, and how.
    corpus
        The target.
    unfinished
        Folder for the state of each replicate, so that a killed cell goes on.
    n_processes
        How many replicates are trained at a time.

    Raises
    ------
    InputError
        If the fraction leaves fewer than two records to train on, or the weights do not fit the model.
    """
    subsets = [_training_subset(corpus, replicate, cell.fraction) for replicate in range(cell.replicates)]
    members = corpus.in_role("train")["record_id"]
    data = _Data(
        corpus,
        train=corpus.load(members[members.isin(pd.concat(subsets)["record_id"])].tolist()),
        valid=corpus.load(corpus.in_role(corpus.validation_role)["record_id"].tolist()),
        test=corpus.load(corpus.in_role("test")["record_id"].tolist()),
    )
    trained = side_by_side(
        partial(_train_replicate, cell, data, subsets, Path(unfinished)), cell.replicates, n_processes
    )
    facts = {
        "model": cell.model,
        "options": dict(cell.options),
        "arm": str(cell.way or "scratch"),
        "arm_settings": dict(cell.way_settings),
        "labels": corpus.label_names,
        "fraction": cell.fraction,
        "validation": "test" if corpus.validation_role == "test" else cell.validation,
        "seed": cell.seed,
        "settings": asdict(cell.settings),
        "deterministic": cell.deterministic,
        "code": cell.code,
        "replicates": [replicate.facts for replicate in trained],
        "processes": min(n_processes, cell.replicates),
        **how_it_ran(
            training_device(),
            [epoch for replicate in trained for epoch in replicate.history],
            sum(replicate.facts["n_train"] * len(replicate.history) for replicate in trained),
            _flops_of_step(cell, corpus),
            arithmetic(training_device(), cell.settings.precision),
            min(n_processes, cell.replicates),
        ),
    }
    return CellResult(_predictions(data, trained), _histories(trained), facts)


def _train_replicate(
    cell: CellTraining, data: _Data, subsets: list[pd.DataFrame], unfinished: Path, number: int
) -> _Replicate:
    """Train one replicate and let it predict."""
    subset, used = subsets[number], _used_to_validate(cell, data, number)
    logger.info("replicate %d: %d records to train, %d to validate", number, len(subset), used.sum())
    train = data.train.where(np.isin(data.train.record_id, subset["record_id"].tolist()))
    fix_seeds(cell.seed, number, deterministic=cell.deterministic)
    model = _new_model(cell, data.corpus)
    taken_over = {}
    if cell.weights:
        start = cell.weights[number % len(cell.weights)]
        taken_over = asdict(load_all_but_head(model, cell.model, start))
    normalize = normalization_of(train.signals)
    key = training_key({**asdict(cell), "weights": None}, tensors_of_training(model, train, data.valid.where(used)))
    device = training_device()
    run = _Run(
        model=model.to(device),
        train=train.to(device),
        valid=data.valid.to(device),
        used=used,
        test=data.test.to(device),
        normalize=normalize.to(device),
        crop_samples=data.corpus.samples_in(cell.settings.crop_s),
        unfinished=UnfinishedTraining(unfinished / f"{number}.safetensors", key),
    )
    if cell.way and cell.way.name == "svm":
        history, test, valid, found = _with_svm(cell, run)
    else:
        history, test, valid, found = _with_gradients(cell, run)
    facts = {
        "n_train": len(subset),
        "n_train_patients": int(subset["patient_id"].nunique()),
        "n_valid": int(used.sum()),
        "best_epoch": best_epoch(history, cell.settings.choose_by).epoch,
    }
    return _Replicate(history, test, valid, used, facts | taken_over | found)


@dataclass(frozen=True)
class _Run:
    """A replicate that is about to be trained, on its device."""

    model: EcgModel
    train: Examples
    valid: Examples
    used: np.ndarray
    test: Examples
    normalize: Normalization
    crop_samples: int | None
    unfinished: UnfinishedTraining

    def on_features(self, precision: str) -> tuple[Examples, Examples, Examples]:
        """Return training, validation and test records with the model's features in place of signals."""
        train, valid, test = (
            replace(
                examples,
                signals=predict(
                    self.model, examples, self.normalize, self.crop_samples, precision, self.model.features
                ),
                age_sex=None,
            )
            for examples in (self.train, self.valid, self.test)
        )
        return train, valid, test


_Outcome = tuple[list[Epoch], np.ndarray, np.ndarray, dict[str, Any]]
"""History, probabilities of the test and of the validation records, facts."""


class _HeadOnFeatures(nn.Module):
    """The last layer of a model, fed with features that were computed before."""

    def __init__(self, model: EcgModel) -> None:
        super().__init__()
        self.head = model.head

    def forward(self, features: Tensor, age_sex: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(features)
        return logits


def _with_gradients(cell: CellTraining, run: _Run) -> _Outcome:
    """Train what the way leaves to train. Where that is the head alone, the features are computed once."""
    precision = cell.settings.precision
    plan = ALL_WEIGHTS if cell.way is None else trainable_plan(run.model, cell.way, cell.way_settings)
    counts = plan.counts(run.model)
    weight = balancing_weight(run.train.labels) if cell.settings.positive_weight == "balanced" else None
    if plan.head_only and run.model.head.in_features <= LARGEST_KEPT_FEATURES:
        train, valid, test = run.on_features(precision)
        trained: nn.Module = _HeadOnFeatures(run.model)
        task = Task(MultiLabel(weight), train, valid.where(run.used), _as_they_are)
        history = fit(trained, task, cell.settings, ALL_WEIGHTS, run.unfinished)
    else:
        valid, test, trained = run.valid, run.test, run.model
        task = Task(MultiLabel(weight), run.train, valid.where(run.used), run.normalize, run.crop_samples)
        history = fit(trained, task, cell.settings, plan, run.unfinished)
    test_probability, valid_probability = (
        torch.sigmoid(predict(trained, examples, task.normalize, task.crop_samples, precision)).cpu().numpy()
        for examples in (test, valid)
    )
    return history, test_probability, valid_probability, counts


def _with_svm(cell: CellTraining, run: _Run) -> _Outcome:
    """Fit a support vector machine per label on the features of the source."""
    from ecgtransfer.train.svm import fit_svm  # scikit-learn, which no other arm needs

    if run.model.head.in_features > LARGEST_KEPT_FEATURES:
        raise InputError(
            f"transfer.arms: svm needs fewer features than the {run.model.head.in_features} per recording of"
            f" {cell.model}; set models.{cell.model}.head to pool, or leave svm out"
        )
    with Stopwatch(run.train.signals.device) as watch:
        train, valid, test = run.on_features(cell.settings.precision)
        seen = valid.where(run.used)
        arrays = [tensor.cpu().numpy() for tensor in (train.signals, train.labels, seen.signals, seen.labels)]
        heads = fit_svm(arrays[0], arrays[1], arrays[2], arrays[3], cell.way_settings["costs"])
    scores = heads.valid_macro_auroc, weighted_f1(arrays[3], heads.decide(arrays[2]))
    history = [Epoch(1, math.nan, math.nan, *scores, watch.seconds, watch.device_seconds, watch.joules)]
    test_probability, valid_probability = (
        heads.predict(examples.signals.cpu().numpy()).astype(np.float32) for examples in (test, valid)
    )
    counts = trainable_plan(run.model, Way("svm"), cell.way_settings).counts(run.model)
    return history, test_probability, valid_probability, {**counts, "cost": heads.cost}


def _as_they_are(features: Tensor) -> Tensor:
    return features


def _used_to_validate(cell: CellTraining, data: _Data, replicate: int) -> np.ndarray:
    """Return which of the validation records a replicate may see: of test records that validate, all."""
    role = data.corpus.validation_role
    fraction = 1.0 if cell.validation == "full" or role == "test" else cell.fraction
    return np.isin(data.valid.record_id, data.corpus.subset(role, replicate, fraction)["record_id"].tolist())


def _new_model(cell: CellTraining, corpus: Corpus) -> EcgModel:
    n_samples = corpus.samples_in(cell.settings.crop_s) or corpus.n_samples
    fast = uses_kernels(training_device(), cell.settings.kernels)
    return build_model(cell.model, len(LEADS), n_samples, len(corpus.label_names), cell.options, fast)


def _flops_of_step(cell: CellTraining, corpus: Corpus) -> int | None:
    """Return the arithmetic of a forward pass of one record; None where not all layers are trained."""
    if cell.way and cell.way.name not in ("finetune", "discriminative"):
        return None
    n_samples = corpus.samples_in(cell.settings.crop_s) or corpus.n_samples
    return forward_flops_by_registry(cell.model, n_samples, cell.options)


def _training_subset(corpus: Corpus, replicate: int, fraction: float) -> pd.DataFrame:
    """Return the rows of the splits table that a replicate is trained on; InputError if they are too few."""
    subset = corpus.subset("train", replicate, fraction)
    if len(subset) < 2:
        raise InputError(
            f"transfer.fractions: {fraction} of the training patients are {len(subset)} records, at least 2 are"
            " needed; use larger fractions or more recordings"
        )
    return subset


def _predictions(data: _Data, trained: list[_Replicate]) -> dict[str, np.ndarray]:
    """Return the arrays of ``predictions.npz``, replicates first."""
    return {
        "labels": np.asarray(data.corpus.label_names, dtype=np.str_),
        "test_record_id": data.test.record_id,
        "test_probability": np.stack([replicate.test_probability for replicate in trained]),
        "valid_record_id": data.valid.record_id,
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


def write_cell(result: CellResult, predictions: Path, history: Path, facts: Path) -> None:
    """Write the three files of a cell, each whole."""
    write_arrays(result.predictions, predictions)
    write_csv(result.history, history)
    write_json(result.facts, facts)
