"""What every model of the registry does, with every option that it has."""

import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgtransfer.train.models.base import AGE_SEX_FEATURES, AGE_SEX_INPUTS, EcgModel
from ecgtransfer.train.registry import REGISTRY, build_model
from ecgtransfer.train.weights import save_weights

torch.set_num_threads(1)

VALUES = {"head": ("pool", "flatten")}
"""The values that tests try of an option; an option of the registry without an entry fails them."""

EVERY_MODEL: list[tuple[str, dict[str, Any]]] = [
    (name, dict(zip(entry.options, values, strict=True)))
    for name, entry in REGISTRY.items()
    for values in product(*(VALUES[option] for option in entry.options))
]
every_model = pytest.mark.parametrize(
    ("name", "options"), EVERY_MODEL, ids=["-".join([name, *options.values()]) for name, options in EVERY_MODEL]
)


def seeded_model(seed: int, name: str, options: dict[str, Any], n_samples: int = 64, n_labels: int = 3) -> EcgModel:
    """Return a model as the workflow trains it on a CPU; its plain form is held against that in test_kernels."""
    torch.manual_seed(seed)
    return build_model(name, 12, n_samples, n_labels, options, fast=True)


def used_model(seed: int, name: str, options: dict[str, Any]) -> EcgModel:
    """Return a model in evaluation whose batch normalisation has seen some records of 64 samples."""
    model = seeded_model(seed, name, options)
    with torch.no_grad():
        for _ in range(3):
            model(records(4), *age_sex_of(model, 4))
    return model.eval()


def shapes_of(name: str, options: dict[str, Any], n_labels: int = 3) -> EcgModel:
    """Return a model without numbers, which is fast."""
    with torch.device("meta"):
        return build_model(name, 12, 64, n_labels, options)


def records(n_records: int, n_samples: int = 64) -> Tensor:
    return torch.randn(n_records, 12, n_samples) * torch.linspace(0.5, 3, n_records)[:, None, None]


def age_sex_of(model: EcgModel, n_records: int) -> tuple[Tensor, ...]:
    return () if model.age_sex is None else (torch.randn(n_records, AGE_SEX_INPUTS),)


@every_model
def test_one_logit_per_record_and_label(name: str, options: dict[str, Any]) -> None:
    for age_sex, n_records, n_samples, n_labels in ((False, 2, 64, 1), (True, 3, 101, 26)):
        model = seeded_model(0, name, {**options, "age_sex": age_sex}, n_samples, n_labels)
        logits = model(records(n_records, n_samples), *age_sex_of(model, n_records))
        assert logits.shape == (n_records, n_labels)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()


@every_model
def test_gradient_reaches_every_weight(name: str, options: dict[str, Any]) -> None:
    """In evaluation: in training, a bias in front of batch normalisation has none."""
    model = used_model(1, name, {**options, "age_sex": True})
    logits = model(records(4), *age_sex_of(model, 4))
    (logits * torch.randn_like(logits)).sum().backward()
    for weight_name, weight in model.named_parameters():
        assert weight.grad is not None, weight_name
        assert weight.grad.isfinite().all(), weight_name
        assert (weight.grad != 0).any(), weight_name


@every_model
def test_evaluation_is_deterministic_and_independent_of_the_batch(name: str, options: dict[str, Any]) -> None:
    model = used_model(2, name, options)
    x = records(5)
    with torch.no_grad():
        together = model(x)
        assert torch.equal(model(x), together)
        spread = together.std(dim=0).min()
        assert spread > 1e-4  # records differ, so the comparisons say something
        assert (torch.cat([model(record[None]) for record in x]) - together).abs().max() < 1e-3 * spread
        order = torch.tensor([3, 0, 4])
        assert (model(x[order]) - together[order]).abs().max() < 1e-3 * spread


@every_model
def test_parts_make_the_whole(name: str, options: dict[str, Any]) -> None:
    model = used_model(3, name, options)
    x = records(4)
    with torch.no_grad():
        frames, features = model.sequence(x), model.features(x)
        assert frames.ndim == 3
        assert len(frames) == 4
        assert features.shape == (4, model.head.in_features)
        assert torch.equal(features, model.neck(frames))
        assert torch.equal(model.head(features), model(x))


@every_model
def test_age_and_sex_join_the_features(name: str, options: dict[str, Any]) -> None:
    plain, told = (used_model(4, name, {**options, "age_sex": age_sex}) for age_sex in (False, True))
    assert told.head.in_features == plain.head.in_features + AGE_SEX_FEATURES
    x, age_sex = records(1).repeat(2, 1, 1), torch.randn(2, AGE_SEX_INPUTS)
    with torch.no_grad():
        assert torch.equal(told.features(x, age_sex)[:, :-AGE_SEX_FEATURES], told.neck(told.sequence(x)))
        one, other = told(x, age_sex)
    assert not torch.allclose(one, other)


@every_model
@pytest.mark.parametrize("age_sex", [False, True])
def test_layer_groups_hold_every_weight_but_the_head_once(name: str, options: dict[str, Any], age_sex: bool) -> None:
    model = shapes_of(name, {**options, "age_sex": age_sex})
    grouped = [
        parameter for group in model.layer_groups() for module in group for parameter in module.parameters()
    ]  # fmt: skip
    head = {id(parameter) for parameter in model.head.parameters()}
    others = {id(parameter) for parameter in model.parameters()} - head
    assert len(grouped) == len(others)
    assert {id(parameter) for parameter in grouped} == others
    assert all(any(True for module in group for _ in module.parameters()) for group in model.layer_groups())


@every_model
def test_head_is_exactly_what_depends_on_the_labels(name: str, options: dict[str, Any]) -> None:
    two, seven = (shapes_of(name, options, n_labels).state_dict() for n_labels in (2, 7))
    assert two.keys() == seven.keys()
    assert {key for key in two if two[key].shape != seven[key].shape} == {"head.weight", "head.bias"}


@every_model
def test_weights_return_from_a_file(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    trained, new = used_model(6, name, options), seeded_model(7, name, options).eval()
    save_weights(trained, name, ["a", "b", "c"], tmp_path / "weights.safetensors")
    new.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    x = records(3)
    with torch.no_grad():
        assert torch.equal(new(x), trained(x))


@every_model
def test_learns_two_labels_in_a_few_steps(name: str, options: dict[str, Any]) -> None:
    """At a learning rate that suits most networks, or at one that suits attention without warm-up."""
    assert any(learns_two_labels(seeded_model(8, name, options, n_labels=2), rate) for rate in (3e-3, 3e-4))


def learns_two_labels(model: EcgModel, learning_rate: float) -> bool:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # it slows learning, and the steps are few
    labels = torch.tensor([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)]).repeat(4, 1)
    x = 0.5 * torch.randn(16, 12, 64)
    x[:, 0] += 2 * labels[:, :1]
    x[:, 6, 20:40] -= 2 * labels[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    knowing_nothing = math.log(2)
    for step in range(25):
        loss = binary_cross_entropy_with_logits(model(x), labels)
        if step == 0:
            assert loss.item() > 0.7 * knowing_nothing
        if loss.item() < 0.3 * knowing_nothing:
            return True
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return False
