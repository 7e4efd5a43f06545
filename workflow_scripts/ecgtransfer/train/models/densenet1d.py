"""DenseNet: every layer reads what all layers before it have returned (Huang et al. 2017, Avetisyan et al. 2023).

Sizes and start from the code of that group, github.com/ispras/EcgLib. Modules are in its order, so that its published
weights can be matched one by one.
"""

import torch
from torch import Tensor, nn

from ecgtransfer.train.models.base import EcgModel, MeanOverTime

GROWTH = 32
BOTTLENECK = 4 * GROWTH
STEM_WIDTH = 64


class DenseLayer(nn.Sequential):
    """Two convolutions, each behind normalisation and ReLU; their output joins the input's channels."""

    def __init__(self, n_in: int) -> None:
        super().__init__(
            nn.BatchNorm1d(n_in),
            nn.ReLU(),
            nn.Conv1d(n_in, BOTTLENECK, 1),
            nn.BatchNorm1d(BOTTLENECK),
            nn.ReLU(),
            nn.Conv1d(BOTTLENECK, GROWTH, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels + 32, frames)."""
        return torch.cat([x, super().forward(x)], dim=1)  # type: ignore[no-untyped-call]


def _transition(n_in: int) -> nn.Sequential:
    """Return what halves channels and frames between two stages."""
    return nn.Sequential(
        nn.BatchNorm1d(n_in), nn.ReLU(), nn.Conv1d(n_in, n_in // 2, 1), nn.AvgPool1d(2, stride=2)
    )  # fmt: skip


def densenet1d121(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 121 layers of Avetisyan et al. 2023; any number of samples from 64 is accepted."""
    stem = nn.Sequential(
        nn.Conv1d(n_leads, STEM_WIDTH, 7, stride=2, padding=3),
        nn.BatchNorm1d(STEM_WIDTH),
        nn.ReLU(),
        nn.MaxPool1d(3, stride=2, padding=1),
    )
    stages, n_in = [stem], STEM_WIDTH
    for number, n_layers in enumerate((6, 12, 24, 16)):
        stage = nn.Sequential()
        if number > 0:
            stage.append(_transition(n_in))
            n_in //= 2
        for _ in range(n_layers):
            stage.append(DenseLayer(n_in))
            n_in += GROWTH
        stages.append(stage)
    neck = nn.Sequential(nn.BatchNorm1d(n_in), nn.ReLU(), MeanOverTime())
    model = EcgModel(stages, neck, n_in, n_labels, age_sex)
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return model
