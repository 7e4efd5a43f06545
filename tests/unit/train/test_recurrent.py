"""The recurrent models against the definitions of their cells, sample by sample in numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.kernels.layers import FastMeanMax, WideLinear
from ecgtransfer.train.models.base import EcgModel, MeanMaxOverTime
from ecgtransfer.train.models.recurrent import bigru, bilstm, fast_form, gru, lstm

torch.set_num_threads(1)

MODELS = {"gru": gru, "lstm": lstm, "bilstm": bilstm, "bigru": bigru}
every_model = pytest.mark.parametrize("name", MODELS)
heads = pytest.mark.parametrize("head", ["pool", "flatten"])

STUDY = {  # Nguyen & Do 2025: parameters by model and number of labels
    "gru": {2: 234_202, 5: 534_205, 7: 734_207, 9: 934_209, 10: 1_034_210},
    "lstm": {2: 245_602, 5: 545_605, 7: 745_607, 9: 945_609, 10: 1_045_610},
    "bilstm": {2: 491_202, 5: 1_091_205, 7: 1_491_207, 9: 1_891_209, 10: 2_091_210},
}


def new_model(name: str, n_samples: int = 20, n_labels: int = 3, **options: Any) -> EcgModel:
    torch.manual_seed(0)
    return MODELS[name](12, n_samples, n_labels, **options)


def new_fast_model(name: str, **options: Any) -> EcgModel:
    model = new_model(name, **options)
    fast_form(model)
    return model


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", STUDY)
def test_number_of_parameters_is_that_of_the_study(name: str) -> None:
    found = {n_labels: parameters_of(new_model(name, 1000, n_labels)) for n_labels in STUDY[name]}
    assert found == STUDY[name]


@every_model
def test_number_of_parameters(name: str) -> None:
    gates, directions = 3 if "gru" in name else 4, 2 if name.startswith("bi") else 1
    layer = directions * gates * (100 * 12 + 100 * 100 + 2 * 100)
    assert parameters_of(new_model(name, 1000, 7)) == layer + (1000 * 100 * directions + 1) * 7
    assert parameters_of(new_model(name, 1000, 7, head="pool")) == layer + (2 * 100 * directions + 1) * 7


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def gru_step(
    x: np.ndarray, h: np.ndarray, c: np.ndarray, weights: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Cho et al. 2014, in the form of the torch manual."""
    reset_in, update_in, new_in = np.split(x @ weights["weight_ih"].T + weights["bias_ih"], 3, axis=1)
    reset_hidden, update_hidden, new_hidden = np.split(h @ weights["weight_hh"].T + weights["bias_hh"], 3, axis=1)
    update = sigmoid(update_in + update_hidden)
    new = np.tanh(new_in + sigmoid(reset_in + reset_hidden) * new_hidden)
    return (1 - update) * new + update * h, c


def lstm_step(
    x: np.ndarray, h: np.ndarray, c: np.ndarray, weights: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Hochreiter & Schmidhuber 1997 with forget gates, in the form of the torch manual."""
    gates = x @ weights["weight_ih"].T + weights["bias_ih"] + h @ weights["weight_hh"].T + weights["bias_hh"]
    into, forget, new, out = np.split(gates, 4, axis=1)
    c = sigmoid(forget) * c + sigmoid(into) * np.tanh(new)
    return sigmoid(out) * np.tanh(c), c


def states_in_numpy(name: str, model: EcgModel, x: np.ndarray) -> np.ndarray:
    """Return the states (records, samples, hidden x directions)."""
    layer: Any = model.stages[0].layer
    weights = {key: value.double().numpy() for key, value in layer.state_dict().items()}
    directions = []
    for suffix in ("_l0", "_l0_reverse") if name.startswith("bi") else ("_l0",):
        of_direction = {key.removesuffix(suffix): value for key, value in weights.items() if key.endswith(suffix)}
        samples = range(x.shape[2])
        h = c = np.zeros((len(x), 100))
        states = np.empty((len(x), x.shape[2], 100))
        for sample in reversed(samples) if suffix.endswith("reverse") else samples:
            h, c = (gru_step if "gru" in name else lstm_step)(x[:, :, sample], h, c, of_direction)
            states[:, sample] = h
        directions.append(states)
    return np.concatenate(directions, axis=2)


@every_model
@heads
@pytest.mark.parametrize("make", [new_fast_model, new_model], ids=["fast", "plain"])
def test_reads_sample_by_sample(name: str, head: str, make: Callable[..., EcgModel]) -> None:
    model = make(name, head=head)
    x = torch.randn(3, 12, 20)
    states = states_in_numpy(name, model, x.double().numpy())
    if head == "pool":
        features = np.concatenate([states.mean(axis=1), states.max(axis=1)], axis=1)
    else:
        features = states.reshape(3, -1)  # sample after sample
    expected = features @ model.head.weight.detach().double().numpy().T + model.head.bias.detach().double().numpy()
    with torch.no_grad():
        assert np.allclose(model.sequence(x), states.transpose(0, 2, 1), atol=1e-5)
        assert np.allclose(model.features(x), features, atol=1e-5)
        assert np.allclose(model(x), expected, atol=1e-5)
    assert np.allclose(model(x).detach(), expected, atol=1e-5)


@every_model
@heads
def test_gradients_are_those_of_torch(name: str, head: str) -> None:
    fast, exact = new_fast_model(name, head=head), new_model(name, head=head).double()
    x = torch.randn(4, 12, 20)
    for model in (fast, exact):
        logits = model(x.to(model.head.weight.dtype))
        (logits * torch.arange(12).view(4, 3)).sum().backward()
    for (key, weight), reference in zip(fast.named_parameters(), exact.parameters(), strict=True):
        assert weight.grad is not None
        assert reference.grad is not None
        assert (weight.grad - reference.grad).abs().max() < 1e-5 * reference.grad.abs().max(), key


@pytest.mark.parametrize("head", ["flatten", "pool"])
@pytest.mark.parametrize(("name", "kind"), [("gru", nn.GRU), ("bilstm", nn.LSTM)])
def test_models_start_as_torch_does(name: str, kind: type[nn.GRU] | type[nn.LSTM], head: str) -> None:
    torch.manual_seed(0)
    reference = kind(12, 100, bidirectional=name.startswith("bi")).state_dict()
    found: Any = new_model(name, head=head).stages[0]
    assert found.layer.state_dict().keys() == reference.keys()
    for key, weight in found.layer.state_dict().items():
        assert torch.equal(weight, reference[key])


def test_other_heads_are_named() -> None:
    with pytest.raises(InputError, match="head is 'flatten' or 'pool', not 'mean'"):
        gru(12, 20, 3, head="mean")


def test_flattened_features_are_the_states_in_place() -> None:
    model = new_fast_model("gru")
    with torch.no_grad():
        frames = model.sequence(torch.randn(3, 12, 20))
        assert model.neck(frames).data_ptr() == frames.data_ptr()


def as_written(x: Tensor) -> Tensor:
    """Return (records, channels, samples) with samples outermost in memory."""
    return x.permute(2, 1, 0).contiguous().permute(2, 1, 0).detach()


@pytest.mark.parametrize("order", [Tensor.contiguous, as_written])
def test_mean_and_maximum_and_their_gradients(order: Any) -> None:
    x = order(torch.randint(-3, 3, (4, 5, 30)).float()).requires_grad_()  # every maximum several times
    weights = torch.randn(4, 10)
    found, expected = FastMeanMax()(x), MeanMaxOverTime()(x)
    assert torch.allclose(found, expected)
    gradients = [torch.autograd.grad(features, x, weights)[0] for features in (found, expected)]
    assert torch.allclose(*gradients, atol=1e-6)


@pytest.mark.parametrize("order", [Tensor.contiguous, lambda x: x.t().contiguous().t()])
def test_wide_layer_computes_what_a_linear_one_does(order: Any) -> None:
    linear = nn.Linear(50, 3)
    wide = WideLinear(linear)
    x = order(torch.randn(4, 50)).requires_grad_()
    weights = torch.randn(4, 3)
    results = []
    for layer in (wide, linear):
        y = layer(x)
        results.append([y, *torch.autograd.grad(y, [x, *layer.parameters()], weights)])
    for found, expected in zip(*results, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)
