"""Recurrent networks of one layer that read the signal sample by sample, in the form of Nguyen & Do 2025.

With 100 hidden units per direction, as in their code (github.com/cuongvng/transfer-learning-ecg-diagnosis); the
bidirectional GRU is ours. Their dropout of 0.3 acts between recurrent layers, of which there is one, so it has no
effect and is left out.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ecgtransfer.errors import InputError
from ecgtransfer.train.models import recurrent_kernel
from ecgtransfer.train.models.base import EcgModel

HIDDEN_SIZE = 100


class RecurrentLayer(nn.Module):
    """`torch.nn.GRU` or `torch.nn.LSTM` on signals: on a CPU in float32 with a faster way to compute it.

    Parameters
    ----------
    layer
        The layer; anything but `recurrent_kernel.is_for` is left to itself, a GPU among it.
    """

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.layer = layer
        self.memory = recurrent_kernel.Memory()

    def forward(self, x: Tensor) -> Tensor:
        """Return the states at all samples, (records, hidden x directions, samples), of (records, leads, samples)."""
        if recurrent_kernel.is_for(x, self.layer):
            return recurrent_kernel.outputs(x, self.layer, self.memory)
        states: Tensor = self.layer(x.transpose(1, 2))[0]
        return states.transpose(1, 2)

    def flops(self, n_frames: int) -> int:
        """Return the operations for one recording, however they are computed: each weight is used at each sample."""
        return 2 * n_frames * sum(weight.numel() for weight in self.layer.parameters() if weight.dim() == 2)


class AllSamples(nn.Module):
    """The states at all samples side by side, sample after sample."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, samples x channels) of (records, channels, samples)."""
        return x.transpose(1, 2).flatten(1)


class WideLinear(nn.Linear):
    """A linear layer for many features whose records lie innermost in memory.

    `torch.nn.Linear` multiplies in an order that takes twenty times as long for them on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, outputs) of (records, features)."""
        return (self.weight @ x.t()).t() + self.bias


class MeanMaxOverSamples(nn.Module):
    """Average and maximum over time side by side, as `MeanMaxOverTime`, of states with samples outermost in memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 2 x channels) of (records, channels, samples)."""
        mean_and_max: tuple[Tensor, Tensor] = _MeanMax.apply(x.permute(2, 1, 0))  # type: ignore[no-untyped-call]
        return torch.cat(mean_and_max).t().contiguous()


class _MeanMax(torch.autograd.Function):
    """Mean and maximum over the first dimension; torch's gradients of the two would fill several arrays of x's size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        top = x.amax(dim=0)
        ctx.save_for_backward(x, top)
        return x.mean(dim=0), top

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_mean: Tensor, d_top: Tensor) -> Tensor:
        """Share the gradient of the maximum among all that equal it, as torch does."""
        x, top = ctx.saved_tensors
        at_top = x == top
        d_each = d_mean / len(x)
        return torch.where(at_top, d_each + d_top / at_top.sum(dim=0, dtype=x.dtype), d_each)


def _recurrent(
    kind: type[nn.GRU] | type[nn.LSTM],
    n_directions: int,
    n_leads: int,
    n_samples: int,
    n_labels: int,
    head: str,
    age_sex: bool,
) -> EcgModel:
    """Return a network of one recurrent layer.

    Parameters
    ----------
    head
        ``flatten`` feeds the states at all samples to the last layer, as the study did: signals must have exactly
        `n_samples` samples, and most weights (n_samples x 100 x n_labels) are in the head, which is new when the model
        is fine-tuned. ``pool`` feeds their mean and maximum over time, so that nearly all weights are
        transferred; its recurrent layer starts with orthogonal recurrent and Xavier input weights (Saxe et al. 2014,
        https://arxiv.org/abs/1312.6120). From PyTorch's own start, pre-training on shuffled labels gave fine-tuning of
        a GRU a small lead in some trials of the default study; from this one it did so less often. Why is not
        established.
    """
    layer = kind(n_leads, HIDDEN_SIZE, batch_first=True, bidirectional=n_directions == 2)
    stages = [RecurrentLayer(layer)]
    n_channels = n_directions * HIDDEN_SIZE
    if head == "pool":
        _start_orthogonal(layer)
        return EcgModel(stages, MeanMaxOverSamples(), 2 * n_channels, n_labels, age_sex)
    if head != "flatten":
        raise InputError(f"models: head is 'flatten' or 'pool', not '{head}'")
    model = EcgModel(stages, AllSamples(), n_samples * n_channels, n_labels, age_sex)
    model.head = WideLinear(model.head.in_features, n_labels)
    return model


def _start_orthogonal(layer: nn.GRU | nn.LSTM) -> None:
    """Set each gate's recurrent weights orthogonal, its input weights after Xavier, and its biases to 0."""
    for name, parameter in layer.named_parameters():
        for gate in parameter.data.split(HIDDEN_SIZE):
            if name.startswith("bias"):
                nn.init.zeros_(gate)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            else:
                nn.init.xavier_uniform_(gate)


def gru(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a gated recurrent network (Cho et al. 2014, https://doi.org/10.3115/v1/D14-1179)."""
    return _recurrent(nn.GRU, 1, n_leads, n_samples, n_labels, head, age_sex)


def bigru(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a gated recurrent network that also reads backwards (Schuster & Paliwal 1997)."""
    return _recurrent(nn.GRU, 2, n_leads, n_samples, n_labels, head, age_sex)


def lstm(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a network with long short-term memory (Hochreiter & Schmidhuber 1997)."""
    return _recurrent(nn.LSTM, 1, n_leads, n_samples, n_labels, head, age_sex)


def bilstm(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return one with long short-term memory that also reads backwards (Graves & Schmidhuber 2005)."""
    return _recurrent(nn.LSTM, 2, n_leads, n_samples, n_labels, head, age_sex)
