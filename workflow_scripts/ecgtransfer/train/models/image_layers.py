"""Signals computed as images of height 1: faster on the CPU for some networks, the same weights and results.

PyTorch has a memory format for images whose channels lie side by side, and its CPU library computes convolutions in it
faster forwards, but not backwards; there this module computes them. `docs/models.md` says for which networks that pays.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

LONGEST_KERNEL, FEWEST_CHANNELS = 5, 32
"""Up to which and from which on matrix products are the faster way to the gradient of a convolution on the CPU."""


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
        self.weight = nn.Parameter(self.weight.detach().transpose(1, 2).contiguous().transpose(1, 2))
        self.by_products = kernel <= LONGEST_KERNEL and n_in >= FEWEST_CHANNELS

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, n_out, 1, frames / stride) of (records, n_in, 1, frames)."""
        if x.device.type == "cpu" and self.kernel_size == (1,):
            frames = x.permute(0, 2, 3, 1)[:, :, :: self.stride[0]]
            return linear(frames, self.weight.squeeze(2)).permute(0, 3, 1, 2)
        if x.device.type == "cpu" and self.by_products:
            convolved: Tensor = _BackwardByProducts.apply(x, self.weight, self.stride[0])  # type: ignore[no-untyped-call]
            return convolved
        return _convolve(x, self.weight, self.stride[0])


class _BackwardByProducts(torch.autograd.Function):
    """A convolution along rows whose gradients are sums of one matrix product per weight of its kernel.

    Shifted by one frame, the same memory is the next product's matrix, so nothing is unrolled. All records are one
    matrix: zeros lie between them, in the input and, where that has no frame, in the gradient of the output.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Return (records, n_out, 1, frames / stride) of (records, n_in, 1, frames)."""
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return _convolve(x, weight, stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients of input and weights, as far as they are wanted."""
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        n_records, n_in, _, n_frames = x.shape
        kernel = weight.shape[2]
        before = kernel // 2
        # Records are this many output frames apart: the zeros behind one are those in front of the next.
        apart = max(-(-(n_frames + before) // ctx.stride), gradient.shape[3])
        shape = (n_records * apart * ctx.stride + kernel, n_in)

        def records_of(padded: Tensor) -> Tensor:
            spaced = padded[: n_records * apart * ctx.stride].view(n_records, apart * ctx.stride, n_in)
            return spaced[:, before : before + n_frames]

        def seen_by(offset: int, padded: Tensor) -> Tensor:
            """Return the frames that one weight of the kernel meets, (records x frames, n_in)."""
            return padded.as_strided((n_records * apart, n_in), (ctx.stride * n_in, 1), offset * n_in)

        spaced = _with_zeros_behind(gradient, apart)
        of_input = of_weight = None
        if ctx.needs_input_grad[1]:
            padded = x.new_zeros(shape)
            records_of(padded).copy_(x.squeeze(2).transpose(1, 2))
            of_weight = torch.empty_like(weight)
            for offset in range(kernel):
                torch.mm(spaced.t(), seen_by(offset, padded), out=of_weight[:, :, offset])
        if ctx.needs_input_grad[0]:
            padded = x.new_zeros(shape)
            for offset in range(kernel):
                seen_by(offset, padded).addmm_(spaced, weight[:, :, offset])
            of_input = records_of(padded).transpose(1, 2).unsqueeze(2)
        return of_input, of_weight, None


def _with_zeros_behind(gradient: Tensor, n_frames: int) -> Tensor:
    """Return (records x n_frames, channels) of images (records, channels, 1, at most n_frames)."""
    rows = gradient.squeeze(2).transpose(1, 2)
    if rows.shape[1] < n_frames:
        longer = rows.new_zeros(len(rows), n_frames, rows.shape[2])
        longer[:, : rows.shape[1]] = rows
        rows = longer
    return rows.reshape(-1, rows.shape[2])


def _convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return conv2d(x, weight.unsqueeze(2), stride=(1, stride), padding=(0, weight.shape[2] // 2))


def _channels_innermost(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last) if image.device.type == "cpu" else image
