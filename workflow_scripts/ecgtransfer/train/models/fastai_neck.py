"""What the networks of the PTB-XL benchmark have behind their convolutions: the head of the library fastai.

Strodthoff et al. 2020, https://doi.org/10.1109/JBHI.2020.3022989; sizes and start from its code,
github.com/helme/ecg_ptbxl_benchmarking.
"""

import torch
from torch import Tensor, nn

N_FEATURES = 128


class MaxMeanOverTime(nn.Module):
    """Global maximum and average pooling side by side, in fastai's order, so that its weights fit."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 2 x channels) of (records, channels, frames)."""
        return torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)


def fastai_neck(n_channels: int) -> nn.Sequential:
    """Return pooling and one hidden layer with dropout, from (records, n_channels, frames) to `N_FEATURES`."""
    return nn.Sequential(
        MaxMeanOverTime(),
        nn.BatchNorm1d(2 * n_channels),
        nn.Dropout(0.25),
        nn.Linear(2 * n_channels, N_FEATURES),
        nn.ReLU(),
        nn.BatchNorm1d(N_FEATURES),
        nn.Dropout(0.5),
    )


def start_as_in_benchmark(model: nn.Module) -> None:
    """Draw all weights, those of the last layer, too, after He et al. 2015, and set biases to 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
