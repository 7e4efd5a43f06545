"""What training minimises: labels, measured values, or the parts of the signal that were hidden from the model.

An objective gives one loss per cell of the label table, 0 where the cell is not known, so that the loop can add them up
whatever the batch and the number of devices that share it.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from ecgtransfer.statistics.metrics import auroc, macro
from ecgtransfer.train.models.base import EcgModel

MASKED_SHARE = 0.5
MASKED_PATCH_S = 0.2


class Scores(NamedTuple):
    """How good the outputs of all validation records are, higher is better; NaN where it is undefined.

    Attributes
    ----------
    macro_auroc
        See `macro_auroc`.
    weighted_f1
        See `weighted_f1`.
    """

    macro_auroc: float = math.nan
    weighted_f1: float = math.nan


class Objective(Protocol):
    """A loss, and scores by which epochs are chosen."""

    def cell_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every output, (records, outputs), 0 where the label is NaN."""

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return how good the outputs of all validation records are; NaN leaves it to the loss."""


@dataclass(frozen=True)
class MultiLabel:
    """Binary cross-entropy per label.

    Parameters
    ----------
    positive_weight
        Factor on the loss of positives, (labels,); None for 1.
    """

    positive_weight: Tensor | None = None

    def cell_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of logits and 0/1 labels."""
        known = labels.isfinite()
        losses = binary_cross_entropy_with_logits(
            outputs, labels.nan_to_num(), reduction="none", pos_weight=self.positive_weight
        )
        return losses * known

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return macro AUROC and weighted F1."""
        truth, logits = labels.cpu().numpy(), outputs.cpu().numpy()
        return Scores(macro_auroc(truth, logits), weighted_f1(truth, logits))


@dataclass(frozen=True)
class Regression:
    """Smooth absolute error (Huber 1964) of standardised values; epochs are chosen by it."""

    def cell_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the error of every value, in units of its deviation."""
        known = labels.isfinite()
        return smooth_l1_loss(outputs, labels.nan_to_num(), reduction="none") * known

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return NaN: the loss is the only score."""
        return Scores()


@dataclass(frozen=True)
class OwnError:
    """For models that return their error themselves, as `MaskedPatches` does."""

    def cell_losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the outputs."""
        return outputs

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return NaN: the loss is the only score."""
        return Scores()


def balancing_weight(labels: Tensor) -> Tensor:
    """Return negatives per positive of each label, (labels,), from known cells; 1 for a label without positives."""
    positives, negatives = (labels == 1).sum(dim=0), (labels == 0).sum(dim=0)
    return torch.where(positives > 0, negatives / positives.clamp(min=1), 1.0).float()


def macro_auroc(labels: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> float:
    """Return the mean AUROC over the labels that have positives and negatives among known cells; NaN if none has."""
    per_label = []
    for label in range(labels.shape[1]):
        known = np.isfinite(labels[:, label])
        per_label.append(auroc(labels[known, label], scores[known, label], None))
    return float(macro(np.stack(per_label))[0])


def weighted_f1(labels: npt.NDArray[np.float32], logits: npt.NDArray[np.float32]) -> float:
    """Return the mean F1 of answering yes above probability 0.5, labels weighted by their prevalence; NaN if all are 0.

    The score by which Nguyen & Do 2025 chose their epochs. Counts are of known cells, all labels at once.
    """
    positive, known = labels == 1, np.isfinite(labels)
    answered = (logits > 0) & known
    n_positive = positive.sum(axis=0)
    f1 = 2 * (positive & answered).sum(axis=0) / np.maximum(n_positive + answered.sum(axis=0), 1)
    prevalence = n_positive / np.maximum(known.sum(axis=0), 1)
    return float((f1 * prevalence).sum() / prevalence.sum()) if n_positive.any() else math.nan


class MaskedPatches(nn.Module):
    """A model that learns without labels: half of the time is hidden from it, and it fills in what was there.

    Patches of `MASKED_PATCH_S` are set to the mean of their lead, in all leads at once; a linear decoder makes each
    frame of the model's last stage into the samples that it represents. The principle is that of masked autoencoders
    (He et al. 2022, https://arxiv.org/abs/2111.06377), for recordings e.g. Na et al. 2024,
    https://arxiv.org/abs/2402.09450.

    Parameters
    ----------
    model
        Is trained in place, all but neck and head.
    n_leads, n_samples
        Shape of a recording.
    patch_samples
        Length of a patch.
    """

    hidden_in_evaluation: Tensor

    def __init__(self, model: EcgModel, n_leads: int, n_samples: int, patch_samples: int) -> None:
        super().__init__()
        self.model = model
        self.patch_samples = patch_samples
        self.n_patches = -(-n_samples // patch_samples)
        with torch.no_grad():
            _, channels, frames = model.eval().sequence(torch.zeros(1, n_leads, n_samples)).shape
        self.samples_per_frame = -(-n_samples // frames)
        self.decoder = nn.Conv1d(channels, n_leads * self.samples_per_frame, 1)
        self.register_buffer("hidden_in_evaluation", torch.rand(1, self.n_patches).argsort() % 2 == 0)

    def forward(self, x: Tensor, age_sex: Tensor | None = None) -> Tensor:
        """Return the mean squared error over the hidden samples of each recording, (records, 1)."""
        hidden = self._hidden_samples(x)
        frames = self.decoder(self.model.sequence(x * ~hidden))
        records, leads, samples = x.shape
        decoded = frames.reshape(records, leads, self.samples_per_frame, -1).transpose(2, 3).reshape(records, leads, -1)
        error = (decoded[..., :samples] - x).square().mean(dim=1, keepdim=True)
        mean: Tensor = (error * hidden).sum(dim=2) / hidden.sum(dim=2)
        return mean

    def _hidden_samples(self, x: Tensor) -> Tensor:
        """Return (records, 1, samples): other patches at every step of training, the same in every evaluation."""
        patches = self.hidden_in_evaluation.expand(len(x), -1)
        if self.training:
            order = torch.rand(len(x), self.n_patches, device=x.device).argsort(dim=1)
            patches = order < MASKED_SHARE * self.n_patches
        return patches.repeat_interleave(self.patch_samples, dim=1)[:, None, : x.shape[2]]
