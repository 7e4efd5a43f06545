"""The state-space layer against its recurrence, frame by frame in numpy, and the network around it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ecgtransfer.train.models.s4d import N_MODES, STEP_RANGE, DiagonalStateSpace, s4d

torch.set_num_threads(1)


def new_layer(n_channels: int = 3, n_directions: int = 2) -> DiagonalStateSpace:
    torch.manual_seed(0)
    layer = DiagonalStateSpace(n_channels, n_directions)
    with torch.no_grad():  # away from the start, where all channels have the same modes
        layer.log_decay += 0.3 * torch.randn_like(layer.log_decay)
        layer.frequency += 0.3 * torch.randn_like(layer.frequency)
    return layer.double()


def by_recurrence(layer: DiagonalStateSpace, x: Tensor, direction: int) -> np.ndarray:
    """Return the output of one direction without the skip, from the state of every frame.

    Zero-order hold, Gu et al. 2022, equation 2: x' = A x + u between frames has the solution exp(A dt) x + (exp(A dt) -
    1) / A u. The direction that reads from the end gives a frame the state before the frame's own input.
    """
    weights = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    modes = -np.exp(weights["log_decay"]) + 1j * weights["frequency"]
    step = np.exp(weights["log_step"])
    transition, entry = np.exp(step * modes), (np.exp(step * modes) - 1) / modes
    readout = weights["readout"][direction] @ np.array([1, 1j])
    records, channels, frames = x.shape
    state = np.zeros((records, channels, N_MODES), dtype=np.complex128)
    output = np.empty(x.shape)
    for frame in reversed(range(frames)) if direction else range(frames):
        before = state
        state = transition * state + entry * x.numpy()[:, :, frame, None]
        output[:, :, frame] = 2 * ((before if direction else state) * readout).sum(axis=2).real
    return output


@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.parametrize("n_frames", [1, 2, 16, 37])
def test_convolution_is_the_recurrence(n_directions: int, n_frames: int) -> None:
    layer, x = new_layer(n_directions=n_directions), torch.randn(2, 3, n_frames, dtype=torch.float64)
    expected = sum(by_recurrence(layer, x, direction) for direction in range(n_directions))
    expected = expected + layer.skip.detach().numpy() * x.numpy()
    assert np.allclose(layer(x).detach(), expected, atol=1e-10)


def test_single_precision_is_enough_for_long_signals() -> None:
    layer, x = new_layer(n_channels=16), torch.randn(2, 16, 500, dtype=torch.float64)
    exact = layer(x)
    assert (layer.float()(x.float()) - exact).abs().max() < 1e-3 * exact.abs().max()


def frames_changed_by(layer: DiagonalStateSpace, changed: int) -> list[int]:
    x = torch.randn(1, 3, 40, dtype=torch.float64)
    other = x.clone()
    other[:, :, changed] += 1
    with torch.no_grad():
        layer.skip.zero_()
        difference = (layer(other) - layer(x)).abs().amax(dim=(0, 1))
    found: list[int] = (difference > 1e-9).nonzero()[:, 0].tolist()
    return found


def test_one_direction_is_causal_and_the_other_sees_the_future_only() -> None:
    assert frames_changed_by(new_layer(n_directions=1), 15) == list(range(15, 40))
    layer = new_layer()
    with torch.no_grad():
        layer.readout[0] = 0
    assert frames_changed_by(layer, 15) == list(range(15))


def test_gradients_are_those_of_finite_differences() -> None:
    layer, x = new_layer(n_channels=2), torch.randn(1, 2, 5, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def output(x: Tensor, *weights: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,))
        return y

    assert torch.autograd.gradcheck(output, (x, *weights), fast_mode=True)


def test_starts_as_s4d_lin() -> None:
    layer = DiagonalStateSpace(50)
    assert torch.allclose(layer.log_decay.exp(), torch.tensor(0.5))
    assert torch.allclose(layer.frequency, math.pi * torch.arange(N_MODES))
    steps = layer.log_step.exp()
    assert STEP_RANGE[0] <= steps.min() < 0.002
    assert 0.05 < steps.max() <= STEP_RANGE[1]


def test_mixed_precision_leaves_the_convolution_alone() -> None:
    layer, x = new_layer().float(), torch.randn(2, 3, 30)
    with torch.no_grad():
        expected = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(layer(x), expected)
            assert layer(x.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("n_samples", [64, 101, 250, 1000])
def test_frames_stand_for_four_samples(n_samples: int) -> None:
    model = s4d(12, n_samples, 3)
    assert model.sequence(torch.randn(2, 12, n_samples)).shape == (2, 128, n_samples // 4)


def test_every_frame_sees_every_sample() -> None:
    model = s4d(12, 200, 3).eval()
    x = torch.randn(1, 12, 200, requires_grad=True)
    for frame in (0, 49):
        (gradient,) = torch.autograd.grad(model.sequence(x)[0, :, frame].sum(), x)
        assert (gradient != 0).any(dim=1).all()


def test_all_weights_are_real() -> None:
    """Files of weights hold no complex numbers."""
    assert all(not weight.is_complex() for weight in s4d(12, 64, 3).state_dict().values())
