"""Residual networks for 1-D signals: the image networks with every 3 x 3 kernel turned into one of length 3."""

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two convolutions of length 3 and a shortcut (He et al. 2016, figure 5 left)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm1d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv1d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm1d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (records, n_out, samples / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet1d(nn.Module):
    """The residual network of Nguyen & Do 2025: two fully connected layers behind global average pooling.

    Parameters
    ----------
    n_leads, n_labels
        Input channels, output logits.
    blocks
        Residual blocks in each of the four stages, of 64, 128, 256 and 512 channels.
    """

    def __init__(self, n_leads: int, n_labels: int, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(n_leads, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.MaxPool1d(3, stride=2, padding=1),
        )
        stages: list[nn.Module] = []
        n_in = 64
        for stage, (n_out, n_blocks) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
            for block in range(n_blocks):
                stages.append(BasicBlock(n_in, n_out, stride=2 if stage > 0 and block == 0 else 1))
                n_in = n_out
        self.stages = nn.Sequential(*stages)
        self.features = nn.Linear(n_in, 512)
        self.head = nn.Linear(512, n_labels)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (records, labels), of signals of shape (records, leads, samples)."""
        pooled = self.stages(self.stem(x)).mean(dim=2)
        logits: Tensor = self.head(torch.relu(self.features(pooled)))
        return logits


def resnet1d18(n_leads: int, n_samples: int, n_labels: int) -> nn.Module:
    """Return the 18-layer network; any number of samples is accepted."""
    return ResNet1d(n_leads, n_labels, (2, 2, 2, 2))
