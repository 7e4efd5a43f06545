"""A small vision transformer that reads the signal in patches of 20 samples of all leads.

The transformer of Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929, with patches of time in place of squares
of an image, as Na et al. 2024, https://arxiv.org/abs/2402.09450, have them for ECGs. Ours differs from the former in
that positions are sines (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), so that any number of samples is
accepted, and that the mean of all patches is classified; from the latter in that a patch spans all leads. The sizes
are ours, chosen so that a processor can train it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ecgtransfer.train.models.base import EcgModel

PATCH = 20
"""Samples: 0.2 s at 100 Hz, a fifth of a heartbeat."""
WIDTH = 192
N_BLOCKS = 6
N_HEADS = 3
EXPANSION = 4
DROPOUT = 0.1
LONGEST_WAVE = 10_000


class Patches(nn.Module):
    """Patches of the signal, each as a vector, with their positions. The last one is filled up with zeros."""

    def __init__(self, n_leads: int) -> None:
        super().__init__()
        self.embedding = nn.Conv1d(n_leads, WIDTH, PATCH, stride=PATCH)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, patches) of (records, leads, samples)."""
        x = self.embedding(pad(x, (0, -x.shape[2] % PATCH)))
        y: Tensor = self.dropout(x + sinusoidal_positions(x.shape[2]).to(x))
        return y


def sinusoidal_positions(n_patches: int) -> Tensor:
    """Return sines and cosines of falling frequency of the number of a patch, (channels, patches)."""
    frequencies = torch.exp(-math.log(LONGEST_WAVE) / (WIDTH // 2) * torch.arange(WIDTH // 2))
    angles = frequencies[:, None] * torch.arange(n_patches)
    return torch.cat([angles.sin(), angles.cos()])


class TransformerBlock(nn.Module):
    """Attention among patches and a layer for each of them, with normalisation before and shortcuts around both."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.attention_out = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(DROPOUT))
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, EXPANSION * WIDTH),
            nn.GELU(),
            nn.Linear(EXPANSION * WIDTH, WIDTH),
            nn.Dropout(DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, patches) of (records, channels, patches)."""
        y = x.transpose(1, 2)
        y = y + self._attention(self.attention_norm(y))
        y = y + self.mlp(y)
        x = y.transpose(1, 2)
        return x

    def _attention(self, y: Tensor) -> Tensor:
        """Return what patches take from others.

        It is written out, for on GPUs the gradients of torch's fused attention differ from run to run.
        """
        records, patches, _ = y.shape
        heads = self.queries_keys_values(y).view(records, patches, 3, N_HEADS, WIDTH // N_HEADS)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(WIDTH // N_HEADS), dim=3)
        taken: Tensor = self.attention_out((weights @ values).transpose(1, 2).flatten(2))
        return taken


class NormalizedMean(nn.Module):
    """The mean of all patches, each normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels) of (records, channels, patches)."""
        mean: Tensor = self.norm(x.transpose(1, 2)).mean(dim=1)
        return mean


def patch_transformer(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return a transformer of six blocks; any number of samples is accepted."""
    stages = [Patches(n_leads), *(TransformerBlock() for _ in range(N_BLOCKS))]
    return EcgModel(stages, NormalizedMean(), WIDTH, n_labels, age_sex)
