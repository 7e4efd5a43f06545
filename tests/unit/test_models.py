"""Every model of the registry, and what is particular to one."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgtransfer.errors import InputError
from ecgtransfer.train.registry import REGISTRY, build_model

torch.set_num_threads(1)

OPTIONS: dict[str, list[dict[str, Any]]] = {"gru": [{"head": "pool"}, {"head": "flatten"}]}
"""The options that tests try of a model; a model without an entry has none."""

EVERY_MODEL = [(name, options) for name in REGISTRY for options in OPTIONS.get(name, [{}])]
every_model = pytest.mark.parametrize(("name", "options"), EVERY_MODEL)


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def seeded_model(seed: int, name: str, options: dict[str, Any], n_samples: int = 64, n_labels: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(name, 12, n_samples, n_labels, options)


@every_model
@pytest.mark.parametrize(("n_records", "n_samples", "n_labels"), [(1, 64, 1), (3, 64, 5), (2, 101, 26)])
def test_one_logit_per_record_and_label(
    name: str, options: dict[str, Any], n_records: int, n_samples: int, n_labels: int
) -> None:
    logits = seeded_model(0, name, options, n_samples, n_labels)(torch.randn(n_records, 12, n_samples))
    assert logits.shape == (n_records, n_labels)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


PARAMETERS = {
    ("resnet1d18", "", 5): 4_114_053,  # these and the flattened GRU: Nguyen & Do 2025
    ("resnet1d18", "", 10): 4_116_618,
    ("gru", "flatten", 5): 534_205,
    ("gru", "flatten", 10): 1_034_210,
    ("gru", "pool", 5): 3 * (12 * 100 + 100 * 100 + 2 * 100) + (200 + 1) * 5,
    ("gru", "pool", 10): 3 * (12 * 100 + 100 * 100 + 2 * 100) + (200 + 1) * 10,
}


@pytest.mark.parametrize(("key", "expected"), PARAMETERS.items())
def test_number_of_parameters(key: tuple[str, str, int], expected: int) -> None:
    name, head, n_labels = key
    assert parameters_of(build_model(name, 12, 1000, n_labels, {"head": head} if head else {})) == expected


def test_number_of_parameters_is_checked_for_every_model() -> None:
    assert {(name, head) for name, head, _ in PARAMETERS} == {
        (name, options.get("head", "")) for name, options in EVERY_MODEL
    }


@every_model
def test_gradient_reaches_every_weight(name: str, options: dict[str, Any]) -> None:
    model = seeded_model(1, name, options)
    model(torch.randn(8, 12, 64)).square().sum().backward()
    for weight_name, weight in model.named_parameters():
        assert weight.grad is not None, weight_name
        assert (weight.grad != 0).any(), weight_name


@every_model
def test_evaluation_is_deterministic_and_independent_of_the_batch(name: str, options: dict[str, Any]) -> None:
    model = seeded_model(2, name, options)
    x = torch.randn(9, 12, 64) * torch.linspace(0.5, 3, 9)[:, None, None]
    for _ in range(3):  # batch normalisation has seen something
        model(x)
    model.eval()
    with torch.no_grad():
        together = model(x)
        assert torch.equal(model(x), together)
        assert torch.allclose(torch.cat([model(record[None]) for record in x]), together, atol=1e-5)
        order = torch.tensor([5, 0, 7, 2])
        assert torch.allclose(model(x[order]), together[order], atol=1e-5)
    assert together.std(dim=0).min() > 1e-4  # records differ, so the comparisons say something


@every_model
def test_learns_two_labels_in_a_few_steps(name: str, options: dict[str, Any]) -> None:
    model = seeded_model(3, name, options, n_labels=2)
    labels = torch.tensor([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)]).repeat(6, 1)
    x = 0.5 * torch.randn(24, 12, 64)
    x[:, 0] += 2 * labels[:, :1]
    x[:, 6, 20:40] -= 2 * labels[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss = binary_cross_entropy_with_logits(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8 * math.log(2)  # knowing nothing
    assert min(losses) < 0.3 * math.log(2)


@every_model
def test_head_is_exactly_what_depends_on_the_labels(name: str, options: dict[str, Any]) -> None:
    two, seven = (build_model(name, 12, 64, n_labels, options).state_dict() for n_labels in (2, 7))
    assert two.keys() == seven.keys()
    assert {key for key in two if two[key].shape != seven[key].shape} == {key for key in two if key.startswith("head.")}
    assert {"head.weight", "head.bias"} <= two.keys() < {*two.keys(), "x"}


def test_unknown_model_is_named() -> None:
    with pytest.raises(InputError, match="'vgg' is not a model; known are resnet1d18, gru"):
        build_model("vgg", 12, 64, 2)


def test_resnet1d18_downsamples_by_32() -> None:
    model: Any = build_model("resnet1d18", 12, 1000, 2)
    with torch.no_grad():
        stem = model.stem(torch.randn(1, 12, 1000))
        assert stem.shape == (1, 64, 250)
        assert model.stages(stem).shape == (1, 512, 32)
    assert len(model.stages) == 8


def test_resnet1d18_computes_what_its_paper_draws() -> None:
    model = seeded_model(5, "resnet1d18", {}, n_samples=101)
    x = torch.randn(4, 12, 101)
    for _ in range(3):
        model(x)
    state = model.eval().state_dict()

    def normalized(y: Tensor, name: str) -> Tensor:
        running = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(y, *running, state[f"{name}.weight"], state[f"{name}.bias"])

    def block(y: Tensor, name: str, stride: int) -> Tensor:
        inner = functional.conv1d(y, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        inner = functional.conv1d(normalized(inner, f"{name}.norm1").relu(), state[f"{name}.conv2.weight"], padding=1)
        if f"{name}.shortcut.0.weight" in state:
            y = normalized(
                functional.conv1d(y, state[f"{name}.shortcut.0.weight"], stride=stride), f"{name}.shortcut.1"
            )
        return (normalized(inner, f"{name}.norm2") + y).relu()

    y = normalized(functional.conv1d(x, state["stem.0.weight"], stride=2, padding=3), "stem.1").relu()
    y = functional.max_pool1d(y, 3, stride=2, padding=1)
    for number, stride in enumerate((1, 1, 2, 1, 2, 1, 2, 1)):
        y = block(y, f"stages.{number}", stride)
    y = functional.linear(
        functional.adaptive_avg_pool1d(y, 1)[:, :, 0], state["features.weight"], state["features.bias"]
    )
    logits = functional.linear(y.relu(), state["head.weight"], state["head.bias"])
    assert torch.allclose(model(x), logits, atol=1e-5)


@pytest.mark.parametrize("head", ["pool", "flatten"])
def test_gru_reads_sample_by_sample(head: str) -> None:
    model: Any = seeded_model(4, "gru", {"head": head}, n_samples=20)
    x = torch.randn(3, 12, 20)
    w_in, w_hidden = model.recurrent.weight_ih_l0, model.recurrent.weight_hh_l0
    b_in, b_hidden = model.recurrent.bias_ih_l0, model.recurrent.bias_hh_l0
    state, states = torch.zeros(3, 100), []
    for sample in range(20):  # Cho et al. 2014, in the form of the torch manual
        reset_in, update_in, new_in = (x[:, :, sample] @ w_in.T + b_in).chunk(3, dim=1)
        reset_hidden, update_hidden, new_hidden = (state @ w_hidden.T + b_hidden).chunk(3, dim=1)
        update = torch.sigmoid(update_in + update_hidden)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_hidden) * new_hidden)
        state = (1 - update) * new + update * state
        states.append(state)
    outputs = torch.stack(states)
    features: Tensor
    if head == "pool":
        features = torch.cat([outputs.mean(dim=0), outputs.max(dim=0).values], dim=1)
    else:
        features = torch.cat(states, dim=1)
    assert torch.allclose(model(x), features @ model.head.weight.T + model.head.bias, atol=1e-5)
