"""Signals computed as images of height 1: faster on the CPU for some networks, the same weights and results.

PyTorch has a memory format for images whose channels lie side by side, and its CPU library computes kernels of length 1
and very long ones faster in it. `docs/models.md` says for which networks that pays.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class AsImage(nn.Sequential):
    """Layers for images, behind each other, that read signals."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames) of (records, channels, frames)."""
        image: Tensor = super().forward(_channels_innermost(x.unsqueeze(2)))  # type: ignore[no-untyped-call]
        return image.squeeze(2)


class RowConvolution(nn.Conv1d):
    """A convolution along the rows of images; its weights are those of a `torch.nn.Conv1d` without bias.

    With an odd kernel there are ceil(frames / stride) frames.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, n_out, 1, frames / stride) of (records, n_in, 1, frames)."""
        weight = _channels_innermost(self.weight.unsqueeze(2))
        return conv2d(x, weight, stride=(1, *self.stride), padding=(0, self.kernel_size[0] // 2))


def _channels_innermost(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last) if image.device.type == "cpu" else image
