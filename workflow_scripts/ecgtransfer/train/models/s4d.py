"""A network of diagonal state-space models (S4D), which read the whole signal at once and in both directions.

The layer is that of Gu et al. 2022, https://arxiv.org/abs/2206.11893, started as their S4D-Lin; the block around it is
theirs, too, with batch in place of layer normalisation. Mehari & Strodthoff 2023, https://arxiv.org/abs/2308.15291,
introduced such networks to the 12-lead ECG. The sizes are ours: smaller, and behind a convolution that leaves every
fourth frame, so that a processor can train it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ecgtransfer.train.models.base import EcgModel, MeanOverTime

WIDTH = 128
N_BLOCKS = 4
N_MODES = 32
"""Complex modes per channel; each represents itself and its conjugate, so that the state has 64 numbers."""
DROPOUT = 0.1
"""Of whole channels of a record."""
STEP_RANGE = (0.001, 0.1)
"""Time from one frame to the next, as the model of a channel starts: from long memory to short."""
STEM_KERNEL, STEM_STRIDE = 8, 4


class DiagonalStateSpace(nn.Module):
    """One linear state-space model per channel, computed as a convolution.

    Of an input u and a state x of complex numbers: x' = A x + u and y = 2 Re(C x) + D u with A diagonal, discretised by
    holding u between frames. All complex numbers are stored as pairs of real ones.

    Parameters
    ----------
    n_channels
        Channels, none of which sees another.
    n_directions
        1 for a causal model; 2 adds one that reads from the end, with a C of its own, whose output at a frame
        depends on later frames only.
    """

    def __init__(self, n_channels: int, n_directions: int = 2) -> None:
        super().__init__()
        shortest, longest = map(math.log, STEP_RANGE)
        self.log_step = nn.Parameter(torch.empty(n_channels, 1).uniform_(shortest, longest))
        self.log_decay = nn.Parameter(torch.full((n_channels, N_MODES), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(N_MODES).repeat(n_channels, 1))
        self.readout = nn.Parameter(torch.randn(n_directions, n_channels, N_MODES, 2) * math.sqrt(0.5))
        self.skip = nn.Parameter(torch.randn(n_channels, 1))

    def kernels(self, n_frames: int) -> Tensor:
        """Return the responses to an impulse, (directions, channels, n_frames).

        They are sums of powers of the modes, and the power q b + r is the product of the powers q b and r: so a
        matrix product makes all of them from few exponentials.
        """
        modes = torch.complex(-self.log_decay.exp(), self.frequency)
        exponents = modes * self.log_step.exp()
        weights = 2 * torch.view_as_complex(self.readout) * (exponents.exp() - 1) / modes
        block = math.ceil(math.sqrt(n_frames))
        powers = torch.arange(block, device=weights.device)
        low = (exponents[:, :, None] * powers).exp()
        high = (exponents[:, None, :] * (block * powers)[:, None]).exp() * weights[:, :, None, :]
        products = torch.cat([high.real, -high.imag], dim=3) @ torch.cat([low.real, low.imag], dim=1)
        return products.flatten(2)[:, :, :n_frames]

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames) of (records, channels, frames).

        The convolution goes through Fourier transforms of twice the length, in which nothing wraps around. It stays in
        the precision of the weights, also within a mixed-precision context.
        """
        n_frames = x.shape[2]
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.skip.dtype)
            kernels = self.kernels(n_frames)
            kernel = pad(kernels[0], (0, n_frames))
            if len(kernels) == 2:
                kernel = kernel + pad(kernels[1].flip(1), (n_frames, 0))
            spectrum = torch.fft.rfft(x, n=2 * n_frames) * torch.fft.rfft(kernel)
            y: Tensor = torch.fft.irfft(spectrum, n=2 * n_frames)[:, :, :n_frames] + self.skip * x
        return y

    def flops(self, n_frames: int) -> int:
        """Return the operations for one recording: two Fourier transforms and the product between them.

        The responses to an impulse are left out, for they are computed once for a whole batch.
        """
        transform = 2.5 * 2 * n_frames * math.log2(2 * n_frames)
        return round(len(self.skip) * (2 * transform + 6 * (n_frames + 1)))


class S4DBlock(nn.Module):
    """State-space models, a gated layer that mixes their channels, a shortcut and normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.states = DiagonalStateSpace(WIDTH)
        self.mixing = nn.Sequential(nn.GELU(), nn.Dropout1d(DROPOUT), nn.Conv1d(WIDTH, 2 * WIDTH, 1), nn.GLU(dim=1))
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames) of (records, channels, frames)."""
        y: Tensor = self.norm(x + self.mixing(self.states(x)))
        return y


def s4d(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return a network of four blocks behind a convolution; any number of samples is accepted."""
    padding = (STEM_KERNEL - STEM_STRIDE) // 2
    stem = nn.Sequential(
        nn.Conv1d(n_leads, WIDTH, STEM_KERNEL, STEM_STRIDE, padding, bias=False), nn.BatchNorm1d(WIDTH)
    )
    blocks = [S4DBlock() for _ in range(N_BLOCKS)]
    return EcgModel([stem, *blocks], MeanOverTime(), WIDTH, n_labels, age_sex)
