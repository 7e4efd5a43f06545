"""Residual networks for 1-D signals: the image networks with every 3 x 3 kernel turned into one of length 3."""

import torch
from torch import Tensor, nn

from ecgtransfer.kernels.images import as_images
from ecgtransfer.train.models.base import EcgModel, MeanOverTime, convolution

WIDTHS = (64, 128, 256, 512)
N_FEATURES = 512


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016, figure 5 left).

    Parameters
    ----------
    n_in, width
        Channels of the input and of both convolutions.
    stride
        Of the first convolution.
    kernels
        Lengths of the two.
    """

    EXPANSION = 1

    def __init__(self, n_in: int, width: int, stride: int, kernels: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        first, second = kernels
        self.conv1 = convolution(n_in, width, first, stride)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = convolution(width, width, second)
        self.norm2 = nn.BatchNorm1d(width)
        self.shortcut = _shortcut(n_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, width, frames / stride) of (records, n_in, frames)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """Three convolutions, of which only the middle one sees neighbours, and a shortcut (ibid., right).

    The stride is in the middle convolution, as in the networks of PyTorch.
    """

    EXPANSION = 4

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = width * self.EXPANSION
        self.conv1 = convolution(n_in, width, 1)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.norm2 = nn.BatchNorm1d(width)
        self.conv3 = convolution(width, n_out, 1)
        self.norm3 = nn.BatchNorm1d(n_out)
        self.shortcut = _shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 4 x width, frames / stride) of (records, n_in, frames)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        return torch.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Module:
    if stride == 1 and n_in == n_out:
        return nn.Identity()
    return nn.Sequential(convolution(n_in, n_out, 1, stride), nn.BatchNorm1d(n_out))


def _resnet(
    block: type[BasicBlock] | type[Bottleneck], blocks: tuple[int, ...], n_leads: int, n_labels: int, age_sex: bool
) -> EcgModel:
    """Return a network with `blocks` blocks in each of its four stages; any number of samples is accepted."""
    stem = nn.Sequential(
        convolution(n_leads, WIDTHS[0], 7, stride=2),
        nn.BatchNorm1d(WIDTHS[0]),
        nn.ReLU(),
        nn.MaxPool1d(3, stride=2, padding=1),
    )
    stages, n_in = [stem], WIDTHS[0]
    for number, (width, n_blocks) in enumerate(zip(WIDTHS, blocks, strict=True)):
        stage = nn.Sequential()
        for position in range(n_blocks):
            stage.append(block(n_in, width, stride=2 if number > 0 and position == 0 else 1))
            n_in = width * block.EXPANSION
        stages.append(stage)
    neck = nn.Sequential(MeanOverTime(), nn.Linear(n_in, N_FEATURES), nn.ReLU())
    model = EcgModel(stages, neck, N_FEATURES, n_labels, age_sex)
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def fast_form(model: EcgModel) -> None:
    """Let a model compute all stages as images."""
    as_images(model.stages)


def resnet1d18(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 18 layers of Nguyen & Do 2025: two fully connected layers behind global average pooling."""
    return _resnet(BasicBlock, (2, 2, 2, 2), n_leads, n_labels, age_sex)


def resnet1d50(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 50 layers of Nguyen & Do 2025."""
    return _resnet(Bottleneck, (3, 4, 6, 3), n_leads, n_labels, age_sex)


def resnet1d101(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 101 layers of Nguyen & Do 2025."""
    return _resnet(Bottleneck, (3, 4, 23, 3), n_leads, n_labels, age_sex)
