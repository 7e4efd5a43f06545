"""Counted arithmetic equals that of formulas, and that of the models of the literature."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ecgtransfer.train.flops import forward_flops
from ecgtransfer.train.models.base import AGE_SEX_FEATURES, AGE_SEX_INPUTS, EcgModel, MeanOverTime
from ecgtransfer.train.registry import build_model

torch.set_num_threads(1)

N_LEADS, N_SAMPLES, N_LABELS, WIDTH = 3, 40, 5, 8
HEAD = 2 * WIDTH * N_LABELS


def model_of(*stages: nn.Module, width: int = WIDTH, age_sex: bool = False) -> EcgModel:
    return EcgModel(stages, MeanOverTime(), width, N_LABELS, age_sex)


class Recurrent(nn.Module):
    """A recurrent layer as a stage."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames)."""
        if self.layer.batch_first:
            return self.layer(x.transpose(1, 2))[0].transpose(1, 2)
        return self.layer(x.permute(2, 0, 1))[0].permute(1, 2, 0)


class Attention(nn.Module):
    """An encoder layer as a stage, in PyTorch's form, which has a fused one for evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, nhead=2, dim_feedforward=20, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames)."""
        y: Tensor = self.layer(x.transpose(1, 2)).transpose(1, 2)
        return y


class Declares(nn.Module):
    """Says what it costs, whatever is inside."""

    def __init__(self, inside: nn.Module, per_frame: int) -> None:
        super().__init__()
        self.inside, self.per_frame = inside, per_frame

    def flops(self, n_frames: int) -> int:
        """Return the cost for so many frames."""
        return self.per_frame * n_frames

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, frames)."""
        y: Tensor = self.inside(x)
        return y


def test_convolutions_and_matrix_products() -> None:
    model = model_of(
        nn.Conv1d(N_LEADS, 6, 5, stride=2, padding=2), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, WIDTH, 3, groups=2)
    )
    first, second = 20 * 6 * N_LEADS * 5, 18 * WIDTH * 3 * 3
    assert forward_flops(model, N_LEADS, N_SAMPLES) == 2 * (first + second) + HEAD


def test_age_and_sex_are_input_too() -> None:
    model = model_of(nn.Conv1d(N_LEADS, WIDTH, 1), age_sex=True)
    inputs, features = AGE_SEX_INPUTS * AGE_SEX_FEATURES, (WIDTH + AGE_SEX_FEATURES) * N_LABELS
    assert forward_flops(model, N_LEADS, N_SAMPLES) == 2 * (N_SAMPLES * N_LEADS * WIDTH + inputs + features)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("kind", "gates"), [(nn.GRU, 3), (nn.LSTM, 4), (nn.RNN, 1)])
def test_recurrent_layers(kind: type[nn.RNNBase], gates: int, batch_first: bool) -> None:
    """Each gate of each step multiplies input and state with a matrix (Cho et al. 2014, equations 5 to 8)."""
    one = model_of(Recurrent(kind(N_LEADS, WIDTH, batch_first=batch_first)))
    per_step = 2 * gates * (N_LEADS * WIDTH + WIDTH * WIDTH)
    assert forward_flops(one, N_LEADS, N_SAMPLES) == N_SAMPLES * per_step + HEAD
    deep = model_of(
        Recurrent(kind(N_LEADS, WIDTH, num_layers=2, bidirectional=True, batch_first=batch_first)), width=2 * WIDTH
    )
    per_step += 2 * gates * (2 * WIDTH * WIDTH + WIDTH * WIDTH)
    assert forward_flops(deep, N_LEADS, N_SAMPLES) == 2 * N_SAMPLES * per_step + 2 * HEAD


def test_attention_is_counted_although_it_has_a_fused_form() -> None:
    model = model_of(nn.Conv1d(N_LEADS, WIDTH, 1), Attention())
    projections, scores_and_sum, feedforward = 4 * WIDTH * WIDTH, 2 * N_SAMPLES * WIDTH, 2 * WIDTH * 20
    per_frame = N_LEADS * WIDTH + projections + scores_and_sum + feedforward
    assert forward_flops(model, N_LEADS, N_SAMPLES) == 2 * N_SAMPLES * per_frame + HEAD


def test_what_a_module_says_replaces_what_is_counted_inside() -> None:
    inner = Declares(nn.Conv1d(4, WIDTH, 3, padding=1), 1000)
    outer = Declares(nn.Sequential(nn.Conv1d(N_LEADS, 4, 2, stride=2), inner), 7)
    alone = nn.Conv1d(N_LEADS, 4, 2, stride=2)
    assert forward_flops(model_of(outer), N_LEADS, N_SAMPLES) == 7 * N_SAMPLES + HEAD
    assert forward_flops(model_of(alone, inner), N_LEADS, N_SAMPLES) == 2 * 20 * 4 * N_LEADS * 2 + 1000 * 20 + HEAD


def test_nothing_is_changed() -> None:
    model = model_of(Declares(nn.Conv1d(N_LEADS, WIDTH, 1), 1), nn.BatchNorm1d(WIDTH), nn.Dropout(0.5))
    model.stages[1].eval()
    modes = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    assert forward_flops(model, N_LEADS, N_SAMPLES) == forward_flops(model, N_LEADS, N_SAMPLES)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


LITERATURE: dict[str, float] = {
    # counted on the code of Nguyen & Do 2025 and of Strodthoff et al. 2020
    "resnet1d18": 351,
    "resnet1d50": 1588,
    "resnet1d101": 3132,
    "xresnet1d18": 94,
    "xresnet1d50": 210,
    "xresnet1d101": 324,
    "resnet1d_wang": 505,
    "inception1d": 943,
}


@pytest.mark.parametrize("name", LITERATURE)
def test_models_of_the_literature(name: str) -> None:
    model: Any = build_model(name, 12, 1000, 5)
    assert forward_flops(model, 12, 1000) / 1e6 == pytest.approx(LITERATURE[name], abs=0.5)
