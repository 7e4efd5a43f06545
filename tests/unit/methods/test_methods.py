"""The methods of transfer: exactly the intended weights move, at the intended epochs and rates."""

import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from toy_model import N_LABELS, inputs, toy_model

from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import ALL_WEIGHTS, LayerGroup, TrainingPlan
from ecgtransfer.methods import METHODS, method_class, method_module, method_of
from ecgtransfer.train.models.base import EcgModel

torch.set_num_threads(1)

TEXTS = ["finetune", "probe", "svm", "gradual", "discriminative", "partial:1", "partial:2", "partial:3"]
SETTINGS = {"gradual": {"epochs_per_group": 2}, "discriminative": {"rate_ratio": 2.6}}
GROUPS = ["stages.0.", "stages.1.", "stages.2.", ("neck.", "age_sex."), "head."]
"""The toy model from the input to the top, as the tests see it: beginnings of names in the state dict."""
FROZEN_GROUPS = {
    "finetune": 0,
    "discriminative": 0,
    "probe": 4,
    "svm": 4,
    "partial:1": 1,
    "partial:2": 2,
    "partial:3": 3,
}


def plan_of(text: str, model: EcgModel) -> TrainingPlan:
    return method_of(text, SETTINGS.get(text)).plan(model)


def below(model: nn.Module, n_groups: int) -> set[str]:
    """Return the entries of the state dict, buffers included, of the first groups."""
    return {name for name in model.state_dict() for group in GROUPS[:n_groups] if name.startswith(group)}


def optimizer_of(plan: TrainingPlan, model: nn.Module, lr: float = 0.01) -> torch.optim.Optimizer:
    groups = [{"params": weights, "lr": lr * factor} for weights, factor in plan.parameter_groups(model)]
    return torch.optim.AdamW(groups, weight_decay=0.1, foreach=True)


def train_one_epoch(
    model: EcgModel, plan: TrainingPlan, optimizer: torch.optim.Optimizer, epoch: int, steps: int = 2
) -> set[str]:
    """Return the names of weights and buffers that an epoch has changed."""
    before = deepcopy(model.state_dict())
    plan.start_epoch(model, epoch)
    for step in range(steps):
        torch.manual_seed(100 * epoch + step)  # dropout
        labels = torch.rand(12, N_LABELS).round()
        loss = binary_cross_entropy_with_logits(model(*inputs(100 * epoch + step)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()  # as validation does
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("text", FROZEN_GROUPS)
def test_exactly_the_intended_weights_move(text: str) -> None:
    model = toy_model()
    plan = plan_of(text, model)
    optimizer = optimizer_of(plan, model)
    for epoch in (1, 2):
        moved = train_one_epoch(model, plan, optimizer, epoch)
        assert moved == set(model.state_dict()) - below(model, FROZEN_GROUPS[text])


def test_gradual_adds_a_group_from_the_top_every_few_epochs() -> None:
    model = toy_model()
    plan = plan_of("gradual", model)
    optimizer = optimizer_of(plan, model)
    for epoch, n_frozen in enumerate([4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0], start=1):
        assert train_one_epoch(model, plan, optimizer, epoch) == set(model.state_dict()) - below(model, n_frozen), epoch
    assert plan.settled_from == 9
    assert ALL_WEIGHTS.settled_from == plan_of("partial:2", model).settled_from == 1


@pytest.mark.parametrize("text", TEXTS)
def test_weights_that_once_had_gradients_are_not_decayed_once_frozen(text: str) -> None:
    model = toy_model()
    everything = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    train_one_epoch(model, ALL_WEIGHTS, everything, 1)
    plan = plan_of(text, model)
    plan.start_epoch(model, 1)
    before = deepcopy(model.state_dict())
    everything.step()  # on the gradients that are left
    frozen = {name for group in plan.groups if not group.is_trained(1) for name in group.modules}
    for name, parameter in model.named_parameters():
        is_frozen = any(name.startswith(f"{module}.") for module in frozen)
        assert (parameter.grad is None) == is_frozen
        assert torch.equal(parameter, before[name]) == is_frozen, name


@pytest.mark.parametrize("bare_neck", [False, True])
@pytest.mark.parametrize("text", ["probe", "svm"])
def test_features_of_a_record_stay_those_of_the_source(text: str, bare_neck: bool) -> None:
    model = toy_model(bare_neck=bare_neck)
    source = deepcopy(model).eval()
    plan = plan_of(text, model)
    assert plan.head_only
    optimizer = optimizer_of(plan, model)
    for epoch in (1, 2):
        assert train_one_epoch(model, plan, optimizer, epoch) == {"head.weight", "head.bias"}
        plan.start_epoch(model, epoch)
        features = model.features(*inputs(5))  # in training, where dropout would be seen
        assert torch.equal(features, source.features(*inputs(5)))
        assert torch.allclose(features[:3], model.features(*(part[:3] for part in inputs(5))), atol=1e-6)
        assert not features.requires_grad


def test_only_a_frozen_body_is_head_only() -> None:
    assert {text for text in TEXTS if plan_of(text, toy_model()).head_only} == {"probe", "svm"}
    assert not ALL_WEIGHTS.head_only


@pytest.mark.parametrize(
    ("text", "n_frozen"),
    [
        ("finetune", [0, 0, 0]),
        ("discriminative", [0, 0, 0]),
        ("partial:2", [2, 2, 2]),
        ("probe", [4, 4, 4]),
        ("gradual", [4, 3, 0]),
    ],
)
def test_dropout_drops_in_trained_layers_alone(text: str, n_frozen: list[int]) -> None:
    model = toy_model()
    plan = plan_of(text, model)
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Dropout | nn.BatchNorm1d)]
    assert len(layers) == 8
    for epoch, number in zip((1, 3, 9), n_frozen, strict=True):
        plan.start_epoch(model, epoch)
        trained = {name for name in layers if not any(name.startswith(group) for group in GROUPS[:number])}
        assert {name for name in layers if model.get_submodule(name).training} == trained


@pytest.mark.parametrize("text", ["gradual", "partial:2", "probe"])
def test_any_epoch_can_be_the_first(text: str) -> None:
    """Frozen or not, training or not, does not depend on the epochs before: after 1, 2, 3; at once; going back."""

    def state(model: nn.Module) -> list[Any]:
        return [
            *(parameter.requires_grad for parameter in model.parameters()),
            *(parameter.grad is None for parameter in model.parameters() if not parameter.requires_grad),
            *(module.training for module in model.modules()),
        ]

    one_by_one = toy_model()
    plan = plan_of(text, one_by_one)
    optimizer = optimizer_of(plan, one_by_one)
    for epoch in range(1, 10):
        train_one_epoch(one_by_one, plan, optimizer, epoch, steps=1)
        plan.start_epoch(one_by_one, epoch)
        at_once, going_back = toy_model(), toy_model()
        plan.start_epoch(at_once, epoch)
        plan.start_epoch(going_back, 20)
        going_back(*inputs(1)).sum().backward()
        plan.start_epoch(going_back, epoch)
        going_back.eval()
        plan.start_epoch(going_back, epoch)
        assert state(one_by_one) == state(at_once) == state(going_back), epoch


@pytest.mark.parametrize("text", ["gradual", "discriminative", "partial:2"])
@pytest.mark.parametrize("killed_after", [1, 4])
def test_training_that_goes_on_ends_with_the_same_bytes(text: str, killed_after: int) -> None:
    undisturbed = toy_model()
    plan = plan_of(text, undisturbed)
    optimizer = optimizer_of(plan, undisturbed)
    for epoch in range(1, 7):
        train_one_epoch(undisturbed, plan, optimizer, epoch)
        if epoch == killed_after:
            saved = deepcopy((undisturbed.state_dict(), optimizer.state_dict()))

    resumed = toy_model(seed=1)
    plan = plan_of(text, resumed)
    optimizer = optimizer_of(plan, resumed)
    resumed.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    for epoch in range(killed_after + 1, 7):
        train_one_epoch(resumed, plan, optimizer, epoch)
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_lower_layers_learn_more_slowly() -> None:
    model = toy_model()
    plan = plan_of("discriminative", model)
    groups = plan.parameter_groups(model)
    optimizer = torch.optim.SGD([{"params": weights, "lr": 0.01 * factor} for weights, factor in groups])
    before = deepcopy(model.state_dict())
    plan.start_epoch(model, 1)
    model(*inputs(1)).square().sum().backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        depth = next(4 - place for place, beginning in enumerate(GROUPS) if name.startswith(beginning))
        assert parameter.grad is not None
        expected = before[name] - 0.01 / 2.6**depth * parameter.grad
        assert torch.allclose(parameter, expected, rtol=1e-5, atol=1e-9), name
    assert sorted(factor for _, factor in groups) == pytest.approx([2.6**-4, 2.6**-3, 2.6**-2, 1 / 2.6, 1])


@pytest.mark.parametrize("text", TEXTS)
def test_optimizer_gets_every_weight_that_is_ever_trained_once(text: str) -> None:
    model = toy_model()
    groups = plan_of(text, model).parameter_groups(model)
    given = [id(parameter) for weights, _ in groups for parameter in weights]
    frozen = below(model, FROZEN_GROUPS.get(text, 0))
    assert sorted(given) == sorted(id(tensor) for name, tensor in model.named_parameters() if name not in frozen)
    assert len(groups) == (5 if text == "discriminative" else 1)  # few groups, so that its steps are of many weights


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("age_sex", [False, True])
def test_counts_are_those_of_the_weights(text: str, age_sex: bool) -> None:
    sizes = [
        *(n_in * 3 * n_out + n_out + 2 * n_out for n_in, n_out in ((3, 4), (4, 5), (5, 6))),
        6 * 7 + 7 + 2 * 7 + (4 * 16 + 16 if age_sex else 0),
        (7 + (16 if age_sex else 0)) * 2 + 2,
    ]
    model = toy_model(age_sex=age_sex)
    n_frozen = FROZEN_GROUPS.get(text, 0)
    names = (
        ["stages.0", "stages.1", "stages.2", "neck", "age_sex"]
        if age_sex
        else ["stages.0", "stages.1", "stages.2", "neck"]
    )
    assert plan_of(text, model).counts(model) == {
        "trained_weights": sum(sizes[n_frozen:]),
        "frozen_weights": sum(sizes[:n_frozen]),
        "frozen_layers": names if n_frozen == 4 else names[:n_frozen],
    }


def test_neck_without_weights_goes_with_the_group_below_it() -> None:
    model = toy_model(bare_neck=True, age_sex=False)
    for text, frozen in {"partial:2": False, "probe": True}.items():
        plan = plan_of(text, model)
        plan.start_epoch(model, 1)
        assert model.neck[-1].training is not frozen
    gradual = plan_of("gradual", model)
    for epoch, training in ((2, False), (3, True)):
        gradual.start_epoch(model, epoch)
        assert model.neck[-1].training is model.stages[2][-1].training is training
        assert not model.stages[1].training


def test_plan_serves_any_copy_and_any_module() -> None:
    model = toy_model()
    plan = plan_of("partial:2", model)
    copy = deepcopy(model)
    assert train_one_epoch(copy, plan, optimizer_of(plan, copy), 1) == set(model.state_dict()) - below(model, 2)
    assert all(torch.equal(tensor, toy_model().state_dict()[name]) for name, tensor in model.state_dict().items())

    wrapped = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    wrapped[0].requires_grad_(False)
    ALL_WEIGHTS.start_epoch(wrapped, 1)
    assert wrapped[0].weight.requires_grad
    assert wrapped[1].training
    assert ALL_WEIGHTS.counts(wrapped) == {"trained_weights": 6, "frozen_weights": 0, "frozen_layers": []}


@pytest.mark.parametrize("text", TEXTS)
def test_methods_are_read_as_they_are_written(text: str) -> None:
    method = method_of(text)
    assert str(method) == text
    assert method.name == text.split(":")[0]
    assert getattr(method, "n_frozen", None) == (int(text.partition(":")[2]) if ":" in text else None)
    assert {method_of(known).name for known in TEXTS} == set(METHODS)


@pytest.mark.parametrize("text", TEXTS)
def test_every_method_says_what_it_does(text: str) -> None:
    method = method_of(text)
    number = text.partition(":")[2]
    assert number in method.meaning_here and number in method.in_figures_here
    assert len(method.meaning_here) > 20 and " k " not in method.meaning_here + method.in_figures_here
    assert bool(method.in_figures_here) == (text != "finetune")
    assert method.keeps_features == plan_of(text, toy_model()).head_only
    assert method.trains_all_layers == all(group.trained_from == 1 for group in plan_of(text, toy_model()).groups) or (
        method.name == "partial"
    )
    assert ("fit" in vars(method_class(method.name))) != method.by_gradients
    assert method_module(method.name) == type(method).__module__


def test_settings_of_a_method_are_checked() -> None:
    assert method_of("gradual", {"epochs_per_group": "3"}).settings.as_given() == {"epochs_per_group": 3}
    with pytest.raises(ValidationError):
        method_of("probe", {"epochs_per_group": 3})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "fintune",
            r"'fintune' is no method; known are discriminative, finetune, .*partial:k.*; did you mean `finetune`\?",
        ),
        ("Probe", r"'Probe' is no method.*did you mean `probe`\?"),
        ("parcial:2", r"'parcial:2' is no method.*did you mean `partial`\?"),
        ("", "'' is no method"),
        ("scratch", "'scratch' is no method"),
        ("partial", r"'partial' should be partial:k \(the lowest k = 1, 2, ... layer groups frozen\)"),
        *((f"partial:{k}", "should be partial:k") for k in ("0", "-1", "", "1.5", "two", "02", " 2", "٣")),
        ("probe:2", "'probe:2' should be probe"),
        ("finetune:", "'finetune:' should be finetune"),
    ],
)
def test_what_is_no_method_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^transfer\.methods: .*{message}"):
        method_of(text)


@pytest.mark.parametrize("k", [4, 5, 100])
def test_partial_leaves_a_group_below_the_head(k: int) -> None:
    message = (
        rf"^transfer\.methods: partial:{k} freezes everything but the head, as the model has 4 layer groups; .*probe"
    )
    with pytest.raises(InputError, match=message):
        method_of(f"partial:{k}").plan(toy_model())


def test_study_can_read_the_methods_without_torch() -> None:
    code = "import sys; from ecgtransfer.methods import spellings; spellings(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "workflow_scripts"}, check=True)


def test_groups_are_in_order_from_the_input_to_the_head() -> None:
    plan = plan_of("probe", toy_model())
    assert [group.modules for group in plan.groups] == [
        ("stages.0",), ("stages.1",), ("stages.2",), ("neck", "age_sex"), ("head",),
    ]  # fmt: skip
    assert plan.groups[-1] == LayerGroup(("head",))
