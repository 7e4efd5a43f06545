"""XResNets: residual networks with the tricks of He et al. 2019, in the 1-D form of the PTB-XL benchmark."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgtransfer.kernels.images import as_images
from ecgtransfer.train.models.base import EcgModel, convolution
from ecgtransfer.train.models.fastai_neck import N_FEATURES, fastai_neck, start_as_in_benchmark

KERNEL = 5
STEM_WIDTHS = (32, 32, 64)
WIDTH = 64
"""Of all four stages: the benchmark's networks do not widen towards the top."""


class XBlock(nn.Module):
    """A residual block whose shortcut averages before it projects.

    Parameters
    ----------
    n_in
        Channels of the input.
    expansion
        1 for two convolutions of length 5; 4 for a bottleneck of lengths 1, 5 and 1 with four times the channels.
    stride
        Of the first convolution of length 5.
    """

    def __init__(self, n_in: int, expansion: int, stride: int) -> None:
        super().__init__()
        n_out = WIDTH * expansion
        if expansion == 1:
            layers = [_convolution(n_in, WIDTH, KERNEL, stride), _convolution(WIDTH, WIDTH, KERNEL, relu=False)]
        else:
            layers = [
                _convolution(n_in, WIDTH, 1),
                _convolution(WIDTH, WIDTH, KERNEL, stride),
                _convolution(WIDTH, n_out, 1, relu=False),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool1d(stride, ceil_mode=True))
        if n_in != n_out:
            self.shortcut.append(_convolution(n_in, n_out, 1, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 64 x expansion, frames / stride) of (records, n_in, frames)."""
        return torch.relu(self.convolutions(x) + self.shortcut(x))


def _convolution(n_in: int, n_out: int, kernel: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    layers = [convolution(n_in, n_out, kernel, stride), nn.BatchNorm1d(n_out)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def _xresnet(expansion: int, blocks: Sequence[int], n_leads: int, n_labels: int, age_sex: bool) -> EcgModel:
    """Return a network with `blocks` blocks in each of its four stages; any number of samples is accepted."""
    stem = nn.Sequential()
    n_in = n_leads
    for number, width in enumerate(STEM_WIDTHS):
        stem.append(_convolution(n_in, width, KERNEL, stride=2 if number == 0 else 1))
        n_in = width
    stem.append(nn.MaxPool1d(3, stride=2, padding=1))
    stages: list[nn.Module] = [stem]
    for number, n_blocks in enumerate(blocks):
        stage = nn.Sequential()
        for position in range(n_blocks):
            stage.append(XBlock(n_in, expansion, stride=2 if number > 0 and position == 0 else 1))
            n_in = WIDTH * expansion
        stages.append(stage)
    model = EcgModel(stages, fastai_neck(n_in), N_FEATURES, n_labels, age_sex)
    start_as_in_benchmark(model)
    return model


def fast_form(model: EcgModel) -> None:
    """Let a model compute all stages as images."""
    as_images(model.stages)


def xresnet1d18(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 18 layers of the PTB-XL benchmark."""
    return _xresnet(1, (2, 2, 2, 2), n_leads, n_labels, age_sex)


def xresnet1d50(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 50 layers of the PTB-XL benchmark."""
    return _xresnet(4, (3, 4, 6, 3), n_leads, n_labels, age_sex)


def xresnet1d101(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 101 layers of the PTB-XL benchmark."""
    return _xresnet(4, (3, 4, 23, 3), n_leads, n_labels, age_sex)
