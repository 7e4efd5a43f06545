"""How a replicate of a cell is trained: by gradients, unless its method of transfer has its own fit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ecgtransfer.layer_groups import ALL_WEIGHTS, TrainingPlan
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.loop import Epoch, Task, fit, predict
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import UnfinishedTraining

LARGEST_KEPT_FEATURES = 8192
"""More numbers per record (a flattened head has 100 per sample) are recomputed in each epoch: they fill memory."""


class Replicate(NamedTuple):
    """What one training of a cell leaves behind; probabilities are of shape (records, labels).

    `tried` are the epochs of other trainings that it took to choose this one.
    """

    history: list[Epoch]
    test_probability: np.ndarray
    valid_probability: np.ndarray
    metadata: dict[str, Any]
    peak_memory_bytes: int | None = None
    tried: Sequence[Epoch] = ()


Records = Mapping[str, Examples]
"""Those that train, validate and test, by role. Where no record has the role of validation, the test records do."""


def fit_by_gradients(
    model: EcgModel,
    plan: TrainingPlan,
    task: Task,
    records: Records,
    used: np.ndarray,
    settings: TrainingSettings,
    unfinished: UnfinishedTraining,
    stop_after: int | None = None,
) -> Replicate:
    """Train what a plan leaves to train. Where that is the head alone, the features are computed once.

    Parameters
    ----------
    model
        With the weights from which it starts.
    plan
        Which layers are trained, and when.
    task
        What is learnt, from which records.
    records, used
        All records of each role, and which of those that validate may be seen.
    settings
        How long and how fast.
    unfinished
        The state that a killed training goes on from.
    stop_after
        As of `ecgtransfer.train.loop.fit`.
    """
    counts = plan.counts(model)
    trained, plan, task, records = what_is_trained(model, plan, task, records, used, settings.precision)
    history = fit(trained, task, settings, plan, unfinished, stop_after=stop_after)
    test_probability, valid_probability = (
        torch.sigmoid(predict(trained, records[role], task.normalize, task.crop_samples, settings.precision))
        .cpu()
        .numpy()
        for role in ("test", "valid")
    )
    return Replicate(history, test_probability, valid_probability, counts)


def what_is_trained(
    model: EcgModel, plan: TrainingPlan, task: Task, records: Records, used: np.ndarray, precision: str
) -> tuple[nn.Module, TrainingPlan, Task, Records]:
    """Return what is given, or where only the head is trained and its input is short, the head with features."""
    if not plan.head_only or model.head.in_features > LARGEST_KEPT_FEATURES:
        return model, plan, task, records
    return _HeadOnFeatures(model), ALL_WEIGHTS, *on_features(model, task, records, used, precision)


def on_features(
    model: EcgModel, task: Task, records: Records, used: np.ndarray, precision: str
) -> tuple[Task, Records]:
    """Return the task and all records with the model's features in place of signals."""
    features = {
        role: replace(
            examples,
            signals=predict(model, examples, task.normalize, task.crop_samples, precision, model.features),
            age_sex=None,
        )
        for role, examples in records.items()
    }
    return Task(task.objective, features["train"], features["valid"].where(used), _as_they_are), features


class _HeadOnFeatures(nn.Module):
    """The last layer of a model, fed with features that were computed before."""

    def __init__(self, model: EcgModel) -> None:
        super().__init__()
        self.head = model.head

    def forward(self, features: Tensor, age_sex: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(features)
        return logits


def _as_they_are(features: Tensor) -> Tensor:
    return features
