"""What training minimises, against scikit-learn, PyTorch and numpy."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from tiny_model import tiny_model
from torch import Tensor, nn

from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.objectives import (
    MaskedPatches,
    MultiLabel,
    OwnError,
    Regression,
    Scores,
    balancing_weight,
    macro_auroc,
    weighted_f1,
)
from ecgtransfer.train.registry import REGISTRY, build_model

torch.set_num_threads(1)

NAN = math.nan


def table(seed: int, n_records: int = 40, n_labels: int = 5, unknown: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return logits, and labels of which a share is not known."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n_records, n_labels, generator=generator) * 3
    labels = (torch.rand(n_records, n_labels, generator=generator) < 0.4).float()
    labels[torch.rand(n_records, n_labels, generator=generator) < unknown] = NAN
    return logits, labels


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_cross_entropy_is_that_of_known_cells(unknown: float) -> None:
    logits, labels = table(1, unknown=unknown)
    losses = MultiLabel().cell_losses(logits, labels)
    for loss, logit, label in zip(losses.flatten(), logits.flatten(), labels.flatten(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        expected = 0 if label.isnan() else -math.log(p if label == 1 else 1 - p)
        assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_unknown_cells_have_no_gradient() -> None:
    logits, labels = table(2, unknown=0.3)
    for objective in (MultiLabel(), MultiLabel(torch.full((5,), 7.0)), Regression()):
        outputs = logits.clone().requires_grad_()
        objective.cell_losses(outputs, labels).sum().backward()
        assert outputs.grad is not None
        assert outputs.grad.isfinite().all()
        assert ((outputs.grad == 0) == labels.isnan()).all()


def test_balanced_weights_equal_those_of_torch() -> None:
    logits, labels = table(3)
    labels[:, 3] = 0
    n_positives = labels.sum(dim=0)
    weight = torch.where(n_positives > 0, (len(labels) - n_positives) / n_positives, 1.0)
    torch.testing.assert_close(balancing_weight(labels), weight)
    losses = MultiLabel(balancing_weight(labels)).cell_losses(logits, labels)
    expected = nn.BCEWithLogitsLoss(pos_weight=weight, reduction="none")(logits, labels)
    torch.testing.assert_close(losses, expected)


def test_positives_and_negatives_weigh_the_same_when_balanced() -> None:
    _, labels = table(4, n_records=400, unknown=0.5)
    losses = MultiLabel(balancing_weight(labels)).cell_losses(torch.zeros_like(labels), labels)
    positives, negatives = (losses.masked_fill(labels != which, 0).sum(dim=0) for which in (1, 0))
    torch.testing.assert_close(positives, negatives)
    assert balancing_weight(torch.full((4, 2), NAN)).tolist() == [1, 1]
    assert balancing_weight(torch.ones(4, 2)).tolist() == [0, 0]


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_macro_auroc_equals_sklearn(unknown: float) -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random((80, 6)) < [0.5, 0.1, 0.9, 0.3, 0, 0.4]).astype(np.float32)
    labels[:, 5] = 1
    scores = (rng.normal(size=(80, 6)) + labels).round(1).astype(np.float32)  # with ties
    labels[rng.random((80, 6)) < unknown] = NAN
    known = np.isfinite(labels)
    expected = np.mean([roc_auc_score(labels[known[:, i], i], scores[known[:, i], i]) for i in range(4)])
    assert macro_auroc(labels, scores) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(macro_auroc(labels[:, 4:], scores[:, 4:]))
    assert math.isnan(macro_auroc(np.full_like(labels, NAN), scores))
    found = MultiLabel().scores(torch.from_numpy(scores), torch.from_numpy(labels))
    assert found == Scores(macro_auroc(labels, scores), weighted_f1(labels, scores))


def test_weighted_f1_equals_sklearn() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random((90, 5)) < [0.5, 0.05, 0.9, 0.3, 0]).astype(np.float32)
    labels[:, 3] = 1
    logits = (rng.normal(size=(90, 5)) + labels - 0.5).round(1).astype(np.float32)
    logits[:, 1] = -1  # never answered
    assert (logits == 0).any()  # probability 0.5, which is no
    expected = f1_score(labels, logits > 0, average="weighted", zero_division=0)
    assert weighted_f1(labels, logits) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(weighted_f1(labels[:, 4:], logits[:, 4:]))
    assert math.isnan(weighted_f1(np.full_like(labels, NAN), logits))


def test_weighted_f1_is_of_known_cells_weighted_by_their_prevalence() -> None:
    rng = np.random.default_rng(7)
    labels = (rng.random((90, 3)) < [0.5, 0.1, 0.3]).astype(np.float32)
    logits = (rng.normal(size=(90, 3)) + labels).astype(np.float32)
    labels[rng.random((90, 3)) < [0.6, 0.0, 0.2]] = NAN
    known = np.isfinite(labels)
    f1, prevalence = [], []
    for i in range(3):
        rows = known[:, i]
        f1.append(f1_score(labels[rows, i], logits[rows, i] > 0))
        prevalence.append(labels[rows, i].mean())
    assert weighted_f1(labels, logits) == pytest.approx(np.average(f1, weights=prevalence))


def test_regression_is_hubers_loss_of_known_values() -> None:
    outputs, values = torch.tensor([[0.0, 0.5, -3.0, 1.0, 9.0]]), torch.tensor([[0.25, 2.5, 2.0, 1.0, NAN]])
    assert Regression().cell_losses(outputs, values).tolist() == [[0.25**2 / 2, 1.5, 4.5, 0, 0]]
    assert all(map(math.isnan, Regression().scores(outputs, values)))  # the loss decides


def test_own_error_is_passed_on() -> None:
    errors = torch.rand(4, 1)
    assert torch.equal(OwnError().cell_losses(errors, torch.zeros(4, 0)), errors)
    assert all(map(math.isnan, OwnError().scores(errors, torch.zeros(4, 0))))


def waves(seed: int, n_records: int = 10, n_samples: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    time = torch.linspace(0, 1, n_samples)
    phase, cycles = torch.rand(2, n_records, 1, 1, generator=generator)
    per_lead = torch.linspace(-1, 1, 12)[:, None] + 0.05
    return math.sqrt(2) * torch.sin(2 * math.pi * ((2 + 4 * cycles) * time + phase)) * per_lead / per_lead.std()


def masked(n_samples: int = 64, patch_samples: int = 6, model: EcgModel | None = None) -> MaskedPatches:
    torch.manual_seed(0)
    return MaskedPatches(model or tiny_model(plain=True), 12, n_samples, patch_samples)


def seen_by_model(masked: MaskedPatches, x: Tensor, seed: int = 1) -> Tensor:
    """Return what reaches the first stage."""
    inputs: list[Tensor] = []
    handle = masked.model.stages[0].register_forward_pre_hook(lambda _, given: inputs.append(given[0].clone()))
    torch.manual_seed(seed)
    masked(x)
    handle.remove()
    return inputs[0]


def hidden_in(masked: MaskedPatches, x: Tensor, seed: int = 1) -> Tensor:
    """Return which samples of each recording do not reach the first stage, (records, samples); `x` has no zeros."""
    seen = seen_by_model(masked, x, seed)
    hidden = (seen == 0).all(dim=1)
    assert torch.equal(seen, x.masked_fill(hidden[:, None], 0))
    return hidden


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("n_samples", "patch_samples"), [(64, 6), (60, 6), (64, 64), (65, 64), (40, 1), (64, 20)])
def test_half_of_the_patches_are_hidden(training: bool, n_samples: int, patch_samples: int) -> None:
    model = masked(n_samples, patch_samples).train(training)
    hidden = hidden_in(model, waves(1, n_samples=n_samples) + 30)
    n_patches = math.ceil(n_samples / patch_samples)
    for row in hidden:
        patches = [set(patch.tolist()) for patch in row.split(patch_samples)]
        assert all(len(patch) == 1 for patch in patches)  # hidden as a whole or not at all
        assert sum(True in patch for patch in patches) == math.ceil(n_patches / 2)


@pytest.mark.parametrize("training", [True, False])
def test_hidden_samples_have_no_influence_on_what_the_model_sees(training: bool) -> None:
    model = masked().train(training)
    x = waves(1) + 30
    hidden = hidden_in(model, x)[:, None].expand_as(x)
    other = torch.where(hidden, torch.randn_like(x) * 100, x)
    assert torch.equal(seen_by_model(model, x), seen_by_model(model, other))
    shown = torch.where(hidden, x, x + 1)
    assert not torch.equal(seen_by_model(model, x), seen_by_model(model, shown))


@pytest.mark.parametrize("training", [True, False])
def test_error_is_that_of_hidden_samples_alone(training: bool) -> None:
    model = masked().train(training)
    x = waves(1) + 30
    hidden = hidden_in(model, x).numpy()
    with torch.no_grad():
        frames = model.model.sequence(x * torch.from_numpy(~hidden)[:, None]).numpy()
        torch.manual_seed(1)
        errors = model(x).numpy()
    assert errors.shape == (10, 1)
    weight, bias = (parameter.detach().numpy() for parameter in model.decoder.parameters())
    n_frames = frames.shape[2]
    per_frame = len(bias) // 12
    assert per_frame * n_frames >= 64 > (per_frame - 1) * n_frames
    for record in range(10):
        decoded = np.zeros((12, per_frame * n_frames))
        for frame in range(n_frames):
            samples = weight[:, :, 0] @ frames[record, :, frame] + bias
            decoded[:, frame * per_frame : (frame + 1) * per_frame] = samples.reshape(12, per_frame)
        wrong_by = decoded[:, :64][:, hidden[record]] - x[record].numpy()[:, hidden[record]]
        assert errors[record, 0] == pytest.approx((wrong_by**2).mean(), rel=1e-4)


def test_every_step_of_training_hides_other_patches_and_evaluation_the_same() -> None:
    model, x = masked(), waves(1) + 30
    model.train()
    first, second = hidden_in(model, x, seed=1), hidden_in(model, x, seed=2)
    assert not torch.equal(first, second)
    assert len(first.unique(dim=0)) > 5  # and others of each record
    model.eval()
    fixed = hidden_in(model, x, seed=1)
    assert len(fixed.unique(dim=0)) == 1
    assert torch.equal(fixed, hidden_in(model, x, seed=2))
    assert fixed[0].tolist() != sorted(fixed[0].tolist())
    other = masked()
    other.load_state_dict({**other.state_dict(), "hidden_in_evaluation": ~other.hidden_in_evaluation})
    restored = masked()
    restored.load_state_dict(other.state_dict())
    assert torch.equal(restored.eval()(x), other.eval()(x))
    assert not torch.allclose(other(x), model(x))


def test_error_of_a_record_does_not_depend_on_its_batch() -> None:
    model, x = masked().eval(), waves(1, n_records=20)
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(whole, torch.cat([model(part) for part in x.split([1, 12, 7])]))
        torch.testing.assert_close(whole.flip(0), model(x.flip(0)))


def test_all_but_neck_and_head_learns() -> None:
    model = masked().train()
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with torch.no_grad():
        before = model.eval()(waves(9)).mean().item()
    model.train()
    for step in range(150):
        errors = model(waves(100 + step, n_records=16))
        optimizer.zero_grad()
        errors.mean().backward()
        optimizer.step()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in model.named_parameters() if name.startswith(("model.neck.", "model.head."))}
    with torch.no_grad():
        assert model.eval()(waves(9)).mean().item() < 0.5 * before


FAMILIES = list({entry.module: name for name, entry in reversed(REGISTRY.items())}.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_models_can_learn_so(name: str) -> None:
    """At a number of samples that none of their strides divides."""
    torch.manual_seed(0)
    n_samples = 251
    network = build_model(name, 12, n_samples, 1, {})
    assert isinstance(network, EcgModel)
    model = masked(n_samples, 20, network).train()
    errors = model(torch.randn(3, 12, n_samples))
    assert errors.shape == (3, 1)
    errors.mean().backward()
    for part in (model.model.stages, model.decoder):
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in part.parameters())
    assert any(parameter.grad.abs().sum() > 0 for parameter in model.model.stages[0].parameters())
    first, _ = seen_by_model(model.eval(), torch.ones(2, 12, n_samples))
    assert 0 < (first == 0).float().mean() < 1
