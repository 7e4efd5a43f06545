"""The layers of recurrent networks: plain, as PyTorch has them, and fast on a CPU, with the same weights and names."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ecgtransfer.kernels import recurrent


class Recurrent(nn.Module):
    """`torch.nn.GRU` or `torch.nn.LSTM`, ``batch_first``, on signals."""

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the states at all samples, (records, hidden x directions, samples), of (records, leads, samples)."""
        states: Tensor = self.layer(x.transpose(1, 2))[0]
        return states.transpose(1, 2)

    def flops(self, n_frames: int) -> int:
        """Return the operations for one recording, however they are computed: each weight is used at each sample."""
        return 2 * n_frames * sum(weight.numel() for weight in self.layer.parameters() if weight.dim() == 2)


class FastRecurrent(Recurrent):
    """The same by `recurrent.outputs`; what that is not for, a GPU among it, is computed the plain way."""

    def __init__(self, plain: Recurrent) -> None:
        super().__init__(plain.layer)
        self.memory = recurrent.Memory()

    def forward(self, x: Tensor) -> Tensor:
        """Return what the plain layer does, with samples outermost in memory."""
        cell = recurrent.cell_for(x, self.layer)
        return super().forward(x) if cell is None else recurrent.outputs(x, self.layer, cell, self.memory)


class WideLinear(nn.Linear):
    """A linear layer for many features whose records lie innermost in memory, as `FastRecurrent` leaves them.

    `torch.nn.Linear` multiplies in an order that takes twenty times as long for them on a CPU.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, device="meta")  # which draws no random numbers
        self.weight, self.bias = plain.weight, plain.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, outputs) of (records, features)."""
        return (self.weight @ x.t()).t() + self.bias


class FastMeanMax(nn.Module):
    """Average and maximum over time side by side, of states with samples outermost in memory."""

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
        """Share the gradient of the maximum among all values that equal it, as torch does."""
        x, top = ctx.saved_tensors
        at_top = x == top
        d_each = d_mean / len(x)
        return torch.where(at_top, d_each + d_top / at_top.sum(dim=0, dtype=x.dtype), d_each)
