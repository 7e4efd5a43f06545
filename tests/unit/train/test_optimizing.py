"""How long and how fast a model is trained."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from ecgtransfer.train.optimizing import ONE_CYCLE_END, ONE_CYCLE_START, WARM_UP, Adam, learning_rates
from ecgtransfer.train.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=15, min_steps=0, patience=5, batch_size=16, learning_rate=0.02, weight_decay=0.3)


@pytest.mark.parametrize(
    ("n_train", "epochs", "patience"),
    [
        (1600, 15, 5),  # 100 steps per epoch
        (160, 15, 5),  # 10: exactly the 150 asked for
        (159, 15, 5),
        (144, 17, 6),  # 9 steps: 16.7 epochs
        (16, 150, 50),
        (17, 75, 25),
        (2, 150, 50),
    ],
)
def test_small_training_sets_get_the_steps_asked_for(n_train: int, epochs: int, patience: int) -> None:
    settings = SETTINGS.model_copy(update={"min_steps": 150})
    assert settings.for_size(n_train) == (epochs, patience)
    assert settings.model_copy(update={"min_steps": 0}).for_size(n_train) == (15, 5)


def all_rates(settings: TrainingSettings, epochs: int, steps: int) -> list[float]:
    return [rate for epoch in range(1, epochs + 1) for rate in learning_rates(settings, epoch, epochs, steps)]


def rates_of_torch(scheduler: type, n_steps: int, **arguments: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = scheduler(optimizer, **arguments)
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_constant_rate() -> None:
    assert all_rates(SETTINGS, 3, 7) == [0.02] * 21


def test_cosine_equals_torch() -> None:
    rates = all_rates(SETTINGS.model_copy(update={"schedule": "cosine"}), 4, 5)
    assert rates == pytest.approx(rates_of_torch(CosineAnnealingLR, 20, T_max=20))
    assert rates[0] == 0.02
    assert rates[-1] > 0


def test_one_cycle_equals_its_closed_form() -> None:
    rates = all_rates(SETTINGS.model_copy(update={"schedule": "one-cycle"}), 10, 4)
    assert (WARM_UP, ONE_CYCLE_START, ONE_CYCLE_END) == (0.3, 0.04, 0.0001)
    for step, rate in enumerate(rates):
        if step < 12:  # from 1/25 to all of it
            factor = 0.04 + 0.96 * math.sin(math.pi / 2 * step / 12) ** 2
        else:
            factor = 1 - 0.9999 * math.sin(math.pi / 2 * (step - 12) / 28) ** 2
        assert rate == pytest.approx(0.02 * factor)
    assert rates[0] == pytest.approx(0.0008)
    assert rates[12] == max(rates) == 0.02
    assert rates[-1] == min(rates[12:])


def test_one_cycle_is_that_of_torch_when_there_are_many_steps() -> None:
    """PyTorch's reaches the ends of its phases a step earlier."""
    rates = all_rates(SETTINGS.model_copy(update={"schedule": "one-cycle"}), 10, 1000)
    theirs = rates_of_torch(
        OneCycleLR, 10_000, max_lr=0.02, total_steps=10_000, pct_start=0.3, div_factor=25, final_div_factor=400
    )
    np.testing.assert_allclose(rates, theirs, atol=0.02 * 1e-3)


def test_rates_of_an_epoch_do_not_depend_on_those_before() -> None:
    settings = SETTINGS.model_copy(update={"schedule": "one-cycle"})
    assert list(learning_rates(settings, 3, 5, 4)) == all_rates(settings, 5, 4)[8:12]


def one_update(kind: str, weights: np.ndarray, gradients: list[np.ndarray], rate: float) -> np.ndarray:
    """Return weights after Adam (Kingma & Ba 2015), with decay as L2 or decoupled (Loshchilov & Hutter 2019)."""
    first, second, decay = np.zeros_like(weights), np.zeros_like(weights), SETTINGS.weight_decay
    for step, given in enumerate(gradients, start=1):
        gradient = given + decay * weights if kind == "adam" else given
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        move = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights = weights - rate * move - (rate * decay * weights if kind == "adamw" else 0)
    return weights


@pytest.mark.parametrize("kind", ["adamw", "adam"])
def test_optimisers_are_those_of_the_papers(kind: str) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(4, 3)), [rng.normal(size=(4, 3)) for _ in range(5)]
    weights = [nn.Parameter(torch.from_numpy(start.copy())) for _ in range(2)]
    factors = (1.0, 0.25)
    groups = [([parameter], factor) for parameter, factor in zip(weights, factors, strict=True)]
    optimizer = Adam(groups, SETTINGS.model_copy(update={"optimizer": kind}))
    for gradient in gradients:
        optimizer.zero_grad()
        for parameter in weights:
            assert parameter.grad is None
            parameter.grad = torch.from_numpy(gradient)
        optimizer.step(SETTINGS.learning_rate)
    moved = [one_update(kind, start, gradients, SETTINGS.learning_rate * factor) for factor in factors]
    for parameter, expected in zip(weights, moved, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-9)
    assert not np.allclose(*moved)


@pytest.mark.parametrize(("kind", "theirs"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_the_order_in_memory_and_missing_gradients_change_nothing(kind: str, theirs: type[torch.optim.Adam]) -> None:
    """Weights with channels innermost, a gradient in another order than its weight, one that starts later."""
    torch.manual_seed(0)
    values = [torch.randn(6, 5, 3), torch.randn(4), torch.randn(3, 7)]
    values[0] = values[0].transpose(1, 2).contiguous().transpose(1, 2)
    ours, references = ([nn.Parameter(value.clone()) for value in values] for _ in range(2))
    assert not ours[0].is_contiguous()
    optimizer = Adam([(ours, 1.0)], SETTINGS.model_copy(update={"optimizer": kind}))
    reference = theirs(references, lr=0.01, weight_decay=SETTINGS.weight_decay, foreach=False)
    for step in range(4):
        gradients = [torch.randn(value.shape) for value in values]
        for parameters in (ours, references):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            if step < 2:
                parameters[1].grad = None
        optimizer.step(0.01)
        reference.step()
    for weights, expected in zip(ours, references, strict=True):
        torch.testing.assert_close(weights, expected)
        assert weights.stride() == expected.stride()


def test_an_optimiser_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(6, 5, 3)
    weights = [nn.Parameter(torch.ones(5, 3)) for _ in range(2)]
    whole, begun = (Adam([([parameter], 1.0)], SETTINGS) for parameter in weights)
    for number, gradient in enumerate(gradients):
        if number == 4:
            state = {name: tensor.clone() for name, tensor in begun.state().items()}
            begun = Adam([([weights[1]], 1.0)], SETTINGS)
            begun.restore(state)
        for parameter, optimizer in zip(weights, (whole, begun), strict=True):
            parameter.grad = gradient.clone()
            optimizer.step(0.01)
    assert torch.equal(*weights)
