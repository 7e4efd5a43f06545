"""The training loop: what it computes, when it stops, and which epoch it keeps."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from tiny_model import tiny_model
from tiny_task import NORMALIZE, SETTINGS, TASK, TRAIN, VALID, bytes_of, examples, learnt, trained
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import TrainingPlan
from ecgtransfer.methods import method_of
from ecgtransfer.train import loop
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.hardware import fix_seeds
from ecgtransfer.train.loop import Epoch, best_epoch, predict
from ecgtransfer.train.objectives import MultiLabel, Scores
from ecgtransfer.train.settings import TrainingSettings

torch.set_num_threads(1)

PLAIN = partial(tiny_model, plain=True)


def epoch(number: int, valid_macro_auroc: float, valid_loss: float, valid_weighted_f1: float = math.nan) -> Epoch:
    scores = {"valid_macro_auroc": valid_macro_auroc, "valid_weighted_f1": valid_weighted_f1}
    return Epoch(number, 0.5, valid_loss, **scores, seconds=0.1, device_seconds=0.1, joules=None)


@pytest.fixture
def with_scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """Return a function: let the epochs of the next `fit` score so on the validation records; the last score stays.

    Of weighted F1, the worse the AUROC the better it is.
    """

    def score_so(scores: list[float]) -> None:
        left = iter(scores)

        def next_scores(*_: Any) -> Scores:
            score = next(left, scores[-1])
            return Scores(score, 1 - score)

        monkeypatch.setattr(MultiLabel, "scores", next_scores)

    return score_so


def normalized(part: Examples) -> Tensor:
    """Return a model's input by way of float64."""
    millivolts = part.signals.double() / 1000
    return ((millivolts - NORMALIZE.mean_mv.double()[:, None]) / NORMALIZE.deviation_mv.double()[:, None]).float()


def rates_of(settings: TrainingSettings, n_steps: int) -> Iterator[float]:
    for step in range(n_steps):
        cosine = (1 + math.cos(math.pi * step / n_steps)) / 2
        yield settings.learning_rate * (cosine if settings.schedule == "cosine" else 1)


@pytest.mark.parametrize(
    ("optimizer", "schedule", "balanced", "unknown"),
    [("adamw", "constant", False, 0.0), ("adam", "cosine", False, 0.3), ("adamw", "constant", True, 0.3)],
)
def test_equals_plain_torch_on_the_same_order_of_batches(
    optimizer: str, schedule: str, balanced: bool, unknown: float
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 3, "optimizer": optimizer, "schedule": schedule})
    train, valid = examples(1, 37, unknown), examples(2, 20, unknown)
    positives, negatives = ((train.labels == which).sum(dim=0) for which in (1, 0))
    weight = negatives / positives if balanced else None
    model, history = trained(settings, train=train, valid=valid, objective=MultiLabel(weight))

    def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
        known = ~labels.isnan()
        losses: Tensor = nn.BCEWithLogitsLoss(reduction="none", pos_weight=weight)(logits, labels.nan_to_num())
        return losses[known].sum() / labels.numel()  # an unknown cell counts as 0

    fix_seeds(0)
    reference = tiny_model()
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[optimizer]
    updates = kind(reference.parameters(), weight_decay=0.01, foreach=False)
    rates, states = rates_of(settings, 15), []
    for row in history:
        reference.train()
        sum_of_losses = 0.0
        for batch in np.array_split(torch.randperm(37).numpy(), 5):
            updates.param_groups[0]["lr"] = next(rates)
            loss = mean_loss(reference(normalized(train)[batch]), train.labels[batch])
            updates.zero_grad()
            loss.backward()
            updates.step()
            sum_of_losses += loss.item() * len(batch)
        reference.eval()
        with torch.no_grad():
            logits = reference(normalized(valid))
        known = ~valid.labels.isnan()
        aurocs = [roc_auc_score(valid.labels[known[:, i], i], logits[known[:, i], i]) for i in range(2)]
        assert row.train_loss == pytest.approx(sum_of_losses / 37, rel=1e-4)
        assert row.valid_loss == pytest.approx(mean_loss(logits, valid.labels).item(), rel=1e-4)
        assert row.valid_macro_auroc == pytest.approx(np.mean(aurocs))
        if not unknown:
            expected = f1_score(valid.labels, logits > 0, average="weighted", zero_division=0)
            assert row.valid_weighted_f1 == pytest.approx(expected)
        states.append({name: tensor.clone() for name, tensor in reference.state_dict().items()})
    assert [row.epoch for row in history] == [1, 2, 3]
    kept = states[best_epoch(history).epoch - 1]
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, kept[name], atol=2e-5, rtol=1e-4, msg=name)


def test_a_cell_that_is_not_known_has_no_influence() -> None:
    """Without batch normalisation, a record of which nothing is known can be anything."""
    settings = SETTINGS.model_copy(update={"epochs": 2, "weight_decay": 0.0})
    labels = TRAIN.labels.clone()
    labels[[3, 30]] = math.nan
    labels[:, 1] = math.nan
    train = replace(TRAIN, labels=labels)
    noise = TRAIN.signals.clone()
    noise[[3, 30]] = torch.randint(-9999, 9999, (2, 12, 64), dtype=torch.int16)
    first, second = (trained(settings, PLAIN, train=replace(train, signals=x))[0] for x in (TRAIN.signals, noise))
    assert bytes_of(first) == bytes_of(second)
    fix_seeds(0)
    start = PLAIN().head
    assert torch.equal(first.head.weight[1], start.weight[1]) and torch.equal(first.head.bias[1], start.bias[1])
    assert not torch.equal(first.head.weight[0], start.weight[0])
    other = replace(train, labels=labels.where(labels.isnan(), 1 - labels))
    assert bytes_of(first) != bytes_of(trained(settings, PLAIN, train=other)[0])


def test_two_runs_are_equal_whatever_was_before_and_other_seeds_are_not() -> None:
    first, history = trained()
    trained(SETTINGS.model_copy(update={"learning_rate": 0.1}), PLAIN, seed=5)
    torch.rand(7)
    second, again = trained()
    assert bytes_of(first) == bytes_of(second)
    assert learnt(history) == learnt(again)
    assert bytes_of(first) != bytes_of(trained(seed=1)[0])


@pytest.mark.parametrize("best", [1, 2, 4])
def test_weights_and_buffers_of_the_best_epoch_are_kept(with_scores: Callable[[list[float]], None], best: int) -> None:
    with_scores([0.9 if number == best else 0.6 + number / 100 for number in range(1, 5)])
    model, history = trained()
    assert len(history) == 4
    assert best_epoch(history).epoch == best
    for n_epochs in (best, best + 1):  # trained for so long and no longer: the order of batches is the same
        with_scores([0.1, 0.2, 0.3, 0.4, 0.5])
        last = trained(SETTINGS.model_copy(update={"epochs": n_epochs}))[0]
        assert (bytes_of(model) == bytes_of(last)) == (n_epochs == best)


def test_best_epoch_is_by_auroc_then_loss_then_first() -> None:
    nan = math.nan
    assert best_epoch([epoch(1, 0.7, 0.1), epoch(2, 0.8, 0.9), epoch(3, 0.75, 0.2)]).epoch == 2
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8, 0.2), epoch(3, 0.8, 0.4)]).epoch == 2
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8 + 1e-13, 0.5)]).epoch == 1
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8, 0.3)]).epoch == 1
    assert best_epoch([epoch(1, nan, 0.5), epoch(2, nan, 0.3), epoch(3, nan, 0.4)]).epoch == 2
    assert best_epoch([epoch(1, nan, 0.1), epoch(2, 0.4, 0.9)]).epoch == 2


def test_best_epoch_by_weighted_f1() -> None:
    history = [epoch(1, 0.9, 0.1, 0.3), epoch(2, 0.8, 0.9, 0.5), epoch(3, 0.7, 0.2, 0.5), epoch(4, 0.95, 0.1, math.nan)]
    assert best_epoch(history, "weighted_f1").epoch == 3
    assert best_epoch(history).epoch == best_epoch(history, "macro_auroc").epoch == 4


def test_weights_and_patience_go_by_the_score_that_the_settings_name(
    with_scores: Callable[[list[float]], None],
) -> None:
    scores = [0.6, 0.5, 0.9, 0.7, 0.8]
    settings = SETTINGS.model_copy(update={"epochs": 5, "patience": 2})
    found = {}
    for choose_by, best, n_epochs in (("macro_auroc", 3, 5), ("weighted_f1", 2, 4)):
        with_scores(scores)
        model, history = trained(settings.model_copy(update={"choose_by": choose_by}))
        assert (best_epoch(history, choose_by).epoch, len(history)) == (best, n_epochs)
        with_scores([0.1, 0.2, 0.3, 0.4, 0.5])
        assert bytes_of(model) == bytes_of(trained(settings.model_copy(update={"epochs": best}))[0])
        found[choose_by] = bytes_of(model)
    assert found["macro_auroc"] != found["weighted_f1"]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_epoch_that_diverged_is_never_the_best(loss: float) -> None:
    assert best_epoch([epoch(1, 0.4, 0.9), epoch(2, 0.5, loss)]).epoch == 1
    assert best_epoch([epoch(1, 0.5, loss), epoch(2, math.nan, 0.9)]).epoch == 2


def test_training_that_diverges_is_one_clear_line() -> None:
    def broken() -> nn.Module:
        model = tiny_model()
        with torch.no_grad():
            model.head.weight[0, 0] = math.nan
        return model

    with pytest.raises(InputError, match=r"^learning_rate: training diverged at 0\.01, no epoch.*lower it$"):
        trained(build=broken)


def test_without_auroc_the_lowest_loss_is_kept() -> None:
    only_negatives = replace(VALID, labels=torch.zeros_like(VALID.labels))
    model, history = trained(SETTINGS.model_copy(update={"epochs": 6, "patience": 6}), valid=only_negatives)
    assert all(math.isnan(row.valid_macro_auroc) for row in history)
    assert len({row.valid_loss for row in history}) == 6
    loss = binary_cross_entropy_with_logits(predict(model, only_negatives, NORMALIZE), only_negatives.labels)
    assert loss.item() == min(row.valid_loss for row in history)


@pytest.mark.parametrize(
    ("scores", "patience", "n_epochs"),
    [
        ([0.9, 0.8], 1, 2),
        ([0.9, 0.8], 3, 4),
        ([0.6, 0.7, 0.9, 0.8], 2, 5),
        ([0.6, 0.5, 0.7, 0.6, 0.8, 0.1], 2, 7),
        ([0.5 + number / 100 for number in range(12)], 1, 12),
    ],
)
def test_stops_after_epochs_without_a_better_one(
    with_scores: Callable[[list[float]], None], scores: list[float], patience: int, n_epochs: int
) -> None:
    with_scores(scores)
    _, history = trained(SETTINGS.model_copy(update={"epochs": 12, "patience": patience}))
    assert len(history) == n_epochs


def gradual(epochs_per_group: int) -> TrainingPlan:
    return method_of("gradual", {"epochs_per_group": epochs_per_group}).plan(tiny_model())


@pytest.mark.parametrize(("epochs", "n_epochs"), [(20, 7), (7, 7), (4, 4)])
def test_gradual_training_goes_on_until_all_layers_have_joined(
    with_scores: Callable[[list[float]], None], epochs: int, n_epochs: int
) -> None:
    """Head from epoch 1, neck from 3, the stages from 5 and 7."""
    with_scores([0.9, 0.8])
    settings = SETTINGS.model_copy(update={"epochs": epochs, "patience": 1})
    assert len(trained(settings, plan=gradual(2))[1]) == n_epochs
    with_scores([0.9, 0.8])
    assert len(trained(settings)[1]) == 2


def test_layers_join_and_learn_at_their_own_rates() -> None:
    """The first step of Adam moves every weight by the rate, whatever its gradient."""
    one_step = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 64, "optimizer": "adam", "weight_decay": 0.0})
    fix_seeds(0)
    start = PLAIN().state_dict()

    def moves(plan: TrainingPlan) -> dict[str, float]:
        model, _ = trained(one_step, PLAIN, plan=plan)
        return {name: (tensor - start[name]).abs().max().item() for name, tensor in model.state_dict().items()}

    discriminative = moves(method_of("discriminative", {"rate_ratio": 2.0}).plan(PLAIN()))
    for layer, factor in {"head": 1, "neck.1": 1 / 2, "stages.1.0": 1 / 4, "stages.0.0": 1 / 8}.items():
        assert discriminative[f"{layer}.weight"] == pytest.approx(0.01 * factor, rel=1e-3)
    assert {name for name, move in moves(gradual(1)).items() if move} == {"head.weight", "head.bias"}


class Noting(nn.Module):
    """Passes on to a tiny model, and notes what it is called with in training."""

    def __init__(self) -> None:
        super().__init__()
        self.model = tiny_model()
        self.seen: list[Tensor] = []
        self.age_sex: list[Tensor | None] = []

    def forward(self, x: Tensor, age_sex: Tensor | None = None) -> Tensor:
        if self.training:
            self.seen.append(((x[:, 11] * NORMALIZE.deviation_mv[11] + NORMALIZE.mean_mv[11]) * 1000).round())
            self.age_sex.append(age_sex)
        logits: Tensor = self.model(x)
        return logits


def noting(settings: TrainingSettings, train: Examples, crop_samples: int | None = None) -> Noting:
    """Train on signals that count their samples in the last lead: 100 times the record, and the sample."""
    numbers = 100 * torch.arange(len(train))[:, None] + torch.arange(64)
    signals = train.signals.clone()
    signals[:, 11] = numbers.to(torch.int16)
    model, _ = trained(settings, Noting, train=replace(train, signals=signals), crop_samples=crop_samples)
    assert isinstance(model, Noting)
    return model


def test_fit_trains_as_long_as_a_small_training_set_needs() -> None:
    assert (
        len(noting(SETTINGS.model_copy(update={"epochs": 2, "min_steps": 23, "patience": 2}), TRAIN).seen) == 25
    )  # in epochs of 5


@pytest.mark.parametrize(
    ("n_train", "sizes"),
    [(2, [2]), (8, [8]), (9, [4, 5]), (16, [8, 8]), (17, [5, 6, 6]), (31, [7, 8, 8, 8])],
)
def test_batches_are_of_equal_size_so_that_none_is_a_single_record(n_train: int, sizes: list[int]) -> None:
    model = noting(SETTINGS.model_copy(update={"epochs": 1}), examples(3, n_train))
    assert sorted(map(len, model.seen)) == sizes


def test_every_record_is_seen_once_per_epoch_in_a_new_order_with_its_age_and_sex() -> None:
    train = examples(3, 30, age_sex=True)
    model = noting(SETTINGS.model_copy(update={"epochs": 2}), train)
    seen = (torch.cat(model.seen)[:, 0] / 100).long().tolist()
    assert sorted(seen[:30]) == sorted(seen[30:]) == list(range(30))
    assert seen[:30] != seen[30:] != list(range(30))
    assert train.age_sex is not None
    assert torch.equal(torch.cat(model.age_sex), train.age_sex[seen])


def test_crops_are_parts_of_every_record_that_change() -> None:
    model = noting(SETTINGS.model_copy(update={"epochs": 6, "patience": 6}), TRAIN, crop_samples=20)
    crops = torch.cat(model.seen).long()
    assert crops.shape == (6 * 37, 20)
    records, starts = crops[:, 0] // 100, crops[:, 0] % 100
    assert torch.equal(crops, crops[:, :1] + torch.arange(20))
    assert records.bincount().tolist() == [6] * 37
    assert min(starts) < 5 and max(starts) > 39 and max(starts) <= 44
    assert len(set(starts[records == 0].tolist())) > 3


@pytest.mark.parametrize("balance", [True, False])
def test_data_sets_have_the_same_share_when_balanced(balance: bool) -> None:
    model = noting(SETTINGS.model_copy(update={"epochs": 3, "balance_datasets": balance}), TRAIN)
    assert TRAIN.dataset.bincount().tolist() == [25, 12]
    for seen in torch.cat(model.seen)[:, 0].div(100).long().split(37):
        assert TRAIN.dataset[seen].bincount().tolist() == ([19, 18] if balance else [25, 12])


def test_predictions_are_those_of_the_model_in_evaluation_mode() -> None:
    model, _ = trained()
    many = examples(4, 2 * loop.EVALUATION_BATCH + 3)
    model.train()
    logits = predict(model, many, NORMALIZE)
    assert not logits.requires_grad and logits.dtype == torch.float32
    model.eval()
    torch.testing.assert_close(logits, model(normalized(many)), atol=1e-5, rtol=1e-4)
    features = predict(model, many, NORMALIZE, part=model.features)
    torch.testing.assert_close(features, model.features(normalized(many)), atol=1e-5, rtol=1e-4)


def test_predictions_take_age_and_sex() -> None:
    torch.manual_seed(0)
    model = tiny_model(age_sex=True).eval()
    many = examples(4, 300, age_sex=True)
    expected = model(normalized(many), many.age_sex)
    torch.testing.assert_close(predict(model, many, NORMALIZE), expected, atol=1e-5, rtol=1e-4)


def test_crops_are_evaluated_on_windows_that_cover_the_recording() -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1})
    model, history = trained(settings, crop_samples=20)
    model.eval()
    with torch.no_grad():
        # 64 samples in windows of 20: four of them, which begin 44 / 3 samples apart
        windows = [model(normalized(VALID)[:, :, start : start + 20]) for start in (0, 15, 29, 44)]
        expected = torch.stack(windows).mean(dim=0)
    torch.testing.assert_close(predict(model, VALID, NORMALIZE, 20), expected, atol=1e-5, rtol=1e-4)
    loss = binary_cross_entropy_with_logits(expected, VALID.labels)
    assert history[0].valid_loss == pytest.approx(loss.item(), rel=1e-5)
    assert history[0].valid_macro_auroc == pytest.approx(roc_auc_score(VALID.labels, expected, average="macro"))
    assert TASK.crop_samples is None
