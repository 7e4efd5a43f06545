"""Signals computed as images of height 1: faster on the CPU for some networks, the same weights and results.

PyTorch has a memory format for images whose channels lie side by side, and its CPU library computes convolutions in it
faster forwards, but not backwards; there this module computes them. `docs/models.md` lists for which networks that
pays.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

LONGEST_KERNEL, FEWEST_CHANNELS = 5, 32
"""Up to which and from which on matrix products are the faster way to the gradient of a convolution on the CPU."""


def as_images(parts: nn.ModuleList) -> None:
    """Replace each chain of layers for signals in a list by one that computes the same as images.

    Parameters
    ----------
    parts
        Of `torch.nn.Sequential`. The weights stay the same, by the same names; layers inside are replaced, too.
    """
    for number, layers in enumerate(parts):
        assert isinstance(layers, nn.Sequential)
        parts[number] = AsImage(*map(_for_images, layers))


def _for_images(layer: nn.Module) -> nn.Module:
    """Return a layer that does with the rows of images what a layer does with signals."""
    if isinstance(layer, nn.Conv1d):
        return RowConvolution(layer)
    if isinstance(layer, nn.BatchNorm1d):
        norm = nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum)
        norm.load_state_dict(layer.state_dict())
        return norm
    if isinstance(layer, nn.MaxPool1d):
        return nn.MaxPool2d(_of_row(1, layer.kernel_size), _of_row(1, layer.stride), _of_row(0, layer.padding))
    if isinstance(layer, nn.AvgPool1d):
        sizes = (_of_row(1, layer.kernel_size), _of_row(1, layer.stride), _of_row(0, layer.padding))
        return nn.AvgPool2d(*sizes, ceil_mode=layer.ceil_mode)
    for name, part in layer.named_children():
        setattr(layer, name, _for_images(part))
    return layer


def _of_row(across: int, along: int | tuple[int, ...]) -> tuple[int, int]:
    return across, along if isinstance(along, int) else along[0]


class AsImage(nn.Sequential):
    """Layers for images, behind each other, that read signals."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames) of (records, channels, frames)."""
        image = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return super().forward(image).squeeze(2)  # type: ignore[no-any-return, no-untyped-call]


class RowConvolution(nn.Module):
    """A convolution along the rows of images, with the weights of one along signals.

    Parameters
    ----------
    plain
        Without bias, and padded by half its odd kernel: there are ceil(frames / stride) frames.
    """

    def __init__(self, plain: nn.Conv1d) -> None:
        super().__init__()
        (kernel,), (self.stride,) = plain.kernel_size, plain.stride
        is_usual = plain.padding == (kernel // 2,) and plain.dilation == (1,) and plain.groups == 1
        if plain.bias is not None or not is_usual:
            raise ValueError(f"{plain} cannot be an image: it must have no bias and be padded by half its kernel alone")
        self.weight = nn.Parameter(plain.weight.detach().transpose(1, 2).contiguous().transpose(1, 2))
        self.of_frames = kernel == 1
        self.by_products = kernel <= LONGEST_KERNEL and plain.in_channels >= FEWEST_CHANNELS

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, n_out, 1, frames / stride) of (records, n_in, 1, frames)."""
        if self.of_frames:
            frames = x.permute(0, 2, 3, 1)[:, :, :: self.stride]
            return linear(frames, self.weight.squeeze(2)).permute(0, 3, 1, 2)
        if self.by_products:
            convolved: Tensor = _BackwardByProducts.apply(x, self.weight, self.stride)  # type: ignore[no-untyped-call]
            return convolved
        return _convolve(x, self.weight, self.stride)


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
        """Return the gradients of input and weights, as far as they are needed."""
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
