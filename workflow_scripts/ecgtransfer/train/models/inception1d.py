"""InceptionTime: kernels of several lengths side by side (Ismail Fawaz et al. 2020), as the PTB-XL benchmark has it."""

import torch
from torch import Tensor, nn

from ecgtransfer.kernels.images import as_images
from ecgtransfer.train.models.base import EcgModel, convolution
from ecgtransfer.train.models.fastai_neck import N_FEATURES, fastai_neck, start_as_in_benchmark

KERNELS = (39, 19, 9)
BOTTLENECK = 32
FILTERS = 32
"""Of each kernel, and of the branch that pools."""
WIDTH = (len(KERNELS) + 1) * FILTERS


class InceptionBlock(nn.Module):
    """Convolutions of three lengths behind a bottleneck, and one of length 1 behind maximum pooling."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.bottleneck = convolution(n_in, BOTTLENECK, 1)
        self.convolutions = nn.ModuleList(nn.Sequential(convolution(BOTTLENECK, FILTERS, kernel)) for kernel in KERNELS)
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), convolution(n_in, FILTERS, 1))
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 128, frames)."""
        narrow = self.bottleneck(x)
        branches = [convolution(narrow) for convolution in self.convolutions]
        return torch.relu(self.norm(torch.cat([*branches, self.pooled(x)], dim=1)))


class ResidualGroup(nn.Module):
    """Three blocks and a shortcut with a projection."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(InceptionBlock(n_in), InceptionBlock(WIDTH), InceptionBlock(WIDTH))
        self.shortcut = nn.Sequential(convolution(n_in, WIDTH, 1), nn.BatchNorm1d(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 128, frames)."""
        return torch.relu(self.blocks(x) + self.shortcut(x))


def inception1d(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return six blocks in two residual groups; any number of samples is accepted."""
    stages = [ResidualGroup(n_leads), ResidualGroup(WIDTH)]
    model = EcgModel(stages, fastai_neck(WIDTH), N_FEATURES, n_labels, age_sex)
    start_as_in_benchmark(model)
    return model


def fast_form(model: EcgModel) -> None:
    """Let a model compute its long kernels as images."""
    for block in model.modules():
        if isinstance(block, InceptionBlock):
            as_images(block.convolutions)
