"""The training loop: AdamW on binary cross-entropy, stopped and chosen by the score on the validation records."""

import logging
import math
import os
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgtransfer.errors import InputError
from ecgtransfer.statistics import auroc, macro
from ecgtransfer.train.corpus import Examples, Normalization

logger = logging.getLogger(__name__)

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class TrainingSettings:
    """What a config section ``pretrain``, ``scratch`` or ``finetune`` says."""

    epochs: int
    min_steps: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    def for_size(self, n_train: int) -> tuple[int, int]:
        """Return epochs and patience for a training set: small ones go on until ``min_steps`` optimiser steps."""
        epochs = max(self.epochs, math.ceil(self.min_steps / math.ceil(n_train / self.batch_size)))
        return epochs, math.ceil(self.patience * epochs / self.epochs)


@dataclass(frozen=True)
class Epoch:
    """One row of ``history.csv``. The AUROC is empty where the validation records have no label with both classes."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_macro_auroc: float
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """How good the epoch is: by validation macro AUROC, and where that is equal or undefined, by lower loss.

        An epoch without a finite loss is the worst: its weights are no numbers, whatever their ranking scores.
        """
        if not math.isfinite(self.valid_loss):
            return -math.inf, -math.inf
        score = -math.inf if math.isnan(self.valid_macro_auroc) else round(self.valid_macro_auroc, 9)
        return score, -self.valid_loss


def training_device() -> torch.device:
    """Return the GPU that this job was given, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fix_seeds(*seeds: int) -> None:
    """Make what follows depend on nothing but `seeds`: weights, order of batches, and the algorithms chosen.

    On a GPU this holds as far as its libraries let it: what has no deterministic algorithm warns.
    """
    entropy = [len(seeds), *seeds]  # a sequence is padded with zeros: (1,) would be the same as (1, 0)
    torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when first called
    torch.use_deterministic_algorithms(True, warn_only=True)


def fit(
    model: nn.Module, train: Examples, valid: Examples, normalize: Normalization, settings: TrainingSettings
) -> list[Epoch]:
    """Train `model` in place and leave it with the weights of its best epoch on the validation records.

    Training ends early once ``patience`` epochs in a row brought no better one. The order of batches comes from torch's
    own generator.

    Returns
    -------
    list of Epoch
        One per epoch that was run.

    Raises
    ------
    InputError
        If no epoch has a finite loss on the validation records.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    epochs, patience = settings.for_size(len(train))
    history: list[Epoch] = []
    best_weights: dict[str, Tensor] = {}
    for number in range(1, epochs + 1):
        start = time.perf_counter()
        train_loss = _train_one_epoch(model, train, normalize, optimizer, settings.batch_size)
        logits = predict_logits(model, valid, normalize)
        valid_loss = binary_cross_entropy_with_logits(logits, valid.labels).item()
        score = macro_auroc(valid.labels.cpu().numpy(), logits.cpu().numpy())
        history.append(Epoch(number, train_loss, valid_loss, score, time.perf_counter() - start))
        if best_epoch(history) is history[-1]:
            best_weights = _copy_of(model)
        logger.info(
            "epoch %d/%d  train loss %.4f  valid loss %.4f  valid macro AUROC %.3f  best epoch %d  %.0f records/s",
            number, epochs, train_loss, valid_loss, score, best_epoch(history).epoch, len(train) / history[-1].seconds,
        )  # fmt: skip
        if number - best_epoch(history).epoch >= patience:
            break
    if not math.isfinite(best_epoch(history).valid_loss):
        raise InputError(
            f"learning_rate: training diverged at {settings.learning_rate}, no epoch has a finite validation loss;"
            " lower it"
        )
    model.load_state_dict(best_weights)
    return history


def best_epoch(history: list[Epoch]) -> Epoch:
    """Return the epoch whose weights `fit` keeps: the first of the best ones."""
    return max(history, key=lambda epoch: epoch.rank)


def _train_one_epoch(
    model: nn.Module, train: Examples, normalize: Normalization, optimizer: torch.optim.Optimizer, batch_size: int
) -> float:
    """Return the mean loss over the records.

    All batches are of the same size, give or take one: a last batch of a single record would leave batch normalisation
    nothing to compare it with.
    """
    model.train()
    device = train.signals.device
    total = torch.zeros((), dtype=torch.float64, device=device)  # stays there: reading it would wait for the device
    order = torch.randperm(len(train)).to(device)
    for batch in order.tensor_split(math.ceil(len(train) / batch_size)):
        logits = model(normalize(train.signals[batch]))
        loss = binary_cross_entropy_with_logits(logits, train.labels[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach().double() * len(batch)
    return total.item() / len(train)


@torch.no_grad()
def predict_logits(model: nn.Module, examples: Examples, normalize: Normalization) -> Tensor:
    """Return the logits of some records, shape (records, labels)."""
    model.eval()
    return torch.cat([model(normalize(batch)) for batch in torch.split(examples.signals, EVALUATION_BATCH)])


def macro_auroc(labels: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> float:
    """Return the mean AUROC over the labels that have positives and negatives; NaN if none has."""
    per_label = np.stack([auroc(labels[:, i], scores[:, i], None) for i in range(labels.shape[1])])
    return float(macro(per_label)[0])


def _copy_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
