"""The training loop: what it computes, when it stops, and which epoch it keeps."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgtransfer.errors import InputError
from ecgtransfer.train import loop
from ecgtransfer.train.corpus import Examples, Normalization
from ecgtransfer.train.loop import Epoch, TrainingSettings, best_epoch, fit, fix_seeds, macro_auroc, predict_logits

torch.set_num_threads(1)

SETTINGS = TrainingSettings(epochs=4, min_steps=0, patience=4, batch_size=8, learning_rate=0.01, weight_decay=0.01)
NORMALIZE = Normalization(torch.linspace(-0.1, 0.1, 12), torch.linspace(0.5, 2, 12))


class Linear(nn.Module):
    """The smallest model with weights, a buffer that training moves, and a difference between its two modes."""

    def __init__(self, n_labels: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(12)
        self.head = nn.Linear(12 * 16, n_labels)
        self.batch_sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.batch_sizes.append(len(x))
        logits: Tensor = self.head(self.norm(x).flatten(1))
        return logits


def examples(seed: int, n_records: int, n_labels: int = 3) -> Examples:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n_records, n_labels)) < 0.4).astype(np.float32)
    signals = rng.normal(0, 900, (n_records, 12, 16))
    signals[:, :n_labels] += 300 * labels[:, :, None]
    return Examples(
        np.arange(n_records).astype(np.str_), torch.from_numpy(signals.astype(np.int16)), torch.from_numpy(labels)
    )


TRAIN, VALID = examples(1, 37), examples(2, 20)


def trained(settings: TrainingSettings = SETTINGS, seed: int = 0, **others: Any) -> tuple[Linear, list[Epoch]]:
    fix_seeds(seed)
    model = Linear()
    history = fit(model, others.get("train", TRAIN), others.get("valid", VALID), NORMALIZE, settings)
    return model, history


def bytes_of(model: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.state_dict().values()]


def epoch(number: int, valid_macro_auroc: float, valid_loss: float) -> Epoch:
    return Epoch(number, 0.5, valid_loss, valid_macro_auroc, 0.1)


def with_scores(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> None:
    """Let the epochs of the next `fit` score so on the validation records; the last score stays."""
    left = iter(scores)
    monkeypatch.setattr(loop, "macro_auroc", lambda labels, logits: next(left, scores[-1]))


def test_equals_plain_torch_on_the_same_order_of_batches() -> None:
    settings = replace(SETTINGS, epochs=3)
    model, history = trained(settings, valid=VALID)

    fix_seeds(0)
    reference = Linear()
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.01, weight_decay=0.01, foreach=False)
    x_train, x_valid = (
        (part.signals.double() / 1000 - NORMALIZE.mean_mv.double()[:, None]) / NORMALIZE.deviation_mv.double()[:, None]
        for part in (TRAIN, VALID)
    )
    states = []
    for row in history:
        reference.train()
        sum_of_losses = 0.0
        for batch in np.array_split(torch.randperm(37).numpy(), 5):
            loss = binary_cross_entropy_with_logits(reference(x_train[batch].float()), TRAIN.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sum_of_losses += loss.item() * len(batch)
        reference.eval()
        with torch.no_grad():
            logits = reference(x_valid.float())
        assert row.train_loss == pytest.approx(sum_of_losses / 37, rel=1e-4)
        assert row.valid_loss == pytest.approx(binary_cross_entropy_with_logits(logits, VALID.labels).item(), rel=1e-4)
        assert row.valid_macro_auroc == pytest.approx(roc_auc_score(VALID.labels, logits, average="macro"))
        states.append({name: tensor.clone() for name, tensor in reference.state_dict().items()})
    assert [row.epoch for row in history] == [1, 2, 3]
    kept = states[best_epoch(history).epoch - 1]
    for name, tensor in model.state_dict().items():
        assert torch.allclose(tensor, kept[name], atol=1e-5), name


def test_two_runs_are_equal_and_other_seeds_are_not() -> None:
    first, second, other = trained(), trained(), trained(seed=1)
    assert bytes_of(first[0]) == bytes_of(second[0])
    assert [replace(row, seconds=0) for row in first[1]] == [replace(row, seconds=0) for row in second[1]]
    assert bytes_of(first[0]) != bytes_of(other[0])


def test_every_sequence_of_seeds_is_its_own() -> None:
    def first_number(*seeds: int) -> int:
        fix_seeds(*seeds)
        return int(torch.randint(2**62, ()))

    sequences = [(0,), (1,), (0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (1, 0, 0)]
    assert len({first_number(*seeds) for seeds in sequences}) == len(sequences)
    assert first_number(1, 2) == first_number(1, 2)
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("best", [1, 2, 4])
def test_weights_and_buffers_of_the_best_epoch_are_kept(monkeypatch: pytest.MonkeyPatch, best: int) -> None:
    with_scores(monkeypatch, [0.9 if number == best else 0.6 + number / 100 for number in range(1, 5)])
    model, history = trained()
    assert len(history) == 4
    assert best_epoch(history).epoch == best
    for n_epochs in (best, best + 1):  # trained for so long and no longer: the order of batches is the same
        with_scores(monkeypatch, [0.1, 0.2, 0.3, 0.4, 0.5])
        last = trained(replace(SETTINGS, epochs=n_epochs))[0]
        assert (bytes_of(model) == bytes_of(last)) == (n_epochs == best)


def test_best_epoch_is_by_auroc_then_loss_then_first() -> None:
    nan = math.nan
    assert best_epoch([epoch(1, 0.7, 0.1), epoch(2, 0.8, 0.9), epoch(3, 0.75, 0.2)]).epoch == 2
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8, 0.2), epoch(3, 0.8, 0.4)]).epoch == 2
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8 + 1e-13, 0.5)]).epoch == 1
    assert best_epoch([epoch(1, 0.8, 0.3), epoch(2, 0.8, 0.3)]).epoch == 1
    assert best_epoch([epoch(1, nan, 0.5), epoch(2, nan, 0.3), epoch(3, nan, 0.4)]).epoch == 2
    assert best_epoch([epoch(1, nan, 0.1), epoch(2, 0.4, 0.9)]).epoch == 2


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_epoch_that_diverged_is_never_the_best(loss: float) -> None:
    assert best_epoch([epoch(1, 0.4, 0.9), epoch(2, 0.5, loss)]).epoch == 1
    assert best_epoch([epoch(1, 0.5, loss), epoch(2, math.nan, 0.9)]).epoch == 2


def test_training_that_diverges_is_one_clear_line() -> None:
    fix_seeds(0)
    model = Linear()
    with torch.no_grad():
        model.head.weight[0, 0] = math.nan
    with pytest.raises(InputError, match=r"^learning_rate: training diverged at 0\.01, no epoch.*lower it$"):
        fit(model, TRAIN, VALID, NORMALIZE, SETTINGS)


def test_without_auroc_the_lowest_loss_is_kept() -> None:
    only_negatives = Examples(VALID.record_id, VALID.signals, torch.zeros_like(VALID.labels))
    model, history = trained(replace(SETTINGS, epochs=6, patience=6), valid=only_negatives)
    assert all(math.isnan(row.valid_macro_auroc) for row in history)
    assert len({row.valid_loss for row in history}) == 6
    loss = binary_cross_entropy_with_logits(predict_logits(model, only_negatives, NORMALIZE), only_negatives.labels)
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
    monkeypatch: pytest.MonkeyPatch, scores: list[float], patience: int, n_epochs: int
) -> None:
    with_scores(monkeypatch, scores)
    _, history = trained(replace(SETTINGS, epochs=12, patience=patience))
    assert len(history) == n_epochs


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
    settings = replace(SETTINGS, epochs=15, min_steps=150, patience=5, batch_size=16)
    assert settings.for_size(n_train) == (epochs, patience)
    assert replace(settings, min_steps=0).for_size(n_train) == (15, 5)


def test_fit_trains_as_long_as_a_small_training_set_needs() -> None:
    model, history = trained(replace(SETTINGS, epochs=2, min_steps=23, patience=2))
    assert len(history) == 5  # of 5 steps each
    assert len(model.batch_sizes) == 25


@pytest.mark.parametrize(
    ("n_train", "sizes"),
    [(2, [2]), (8, [8]), (9, [4, 5]), (16, [8, 8]), (17, [5, 6, 6]), (31, [7, 8, 8, 8])],
)
def test_batches_are_of_equal_size_so_that_none_is_a_single_record(n_train: int, sizes: list[int]) -> None:
    model, _ = trained(replace(SETTINGS, epochs=1), train=examples(3, n_train))
    assert sorted(model.batch_sizes) == sizes


def test_every_record_is_seen_once_per_epoch_in_a_new_order(monkeypatch: pytest.MonkeyPatch) -> None:
    train = examples(3, 30)
    marked = Examples(train.record_id, train.signals.clone(), train.labels)
    marked.signals[:, 11, 0] = torch.arange(30, dtype=torch.int16)
    seen: list[int] = []
    forward = Linear.forward

    def noting(self: Linear, x: Tensor) -> Tensor:
        if self.training:
            steps = (x[:, 11, 0] * NORMALIZE.deviation_mv[11] + NORMALIZE.mean_mv[11]) * 1000
            seen.extend(int(step) for step in steps.round())
        return forward(self, x)

    monkeypatch.setattr(Linear, "forward", noting)
    trained(replace(SETTINGS, epochs=2), train=marked)
    assert sorted(seen[:30]) == sorted(seen[30:]) == list(range(30))
    assert seen[:30] != seen[30:] != list(range(30))


def test_predictions_are_those_of_the_model_in_evaluation_mode() -> None:
    model, _ = trained()
    many = examples(4, 2 * loop.EVALUATION_BATCH + 3)
    model.train()
    logits = predict_logits(model, many, NORMALIZE)
    assert not logits.requires_grad
    model.eval()
    assert torch.allclose(logits, model(NORMALIZE(many.signals)), atol=1e-5)


def test_macro_auroc_equals_sklearn() -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random((80, 6)) < [0.5, 0.1, 0.9, 0.3, 0, 0.4]).astype(np.float32)
    labels[:, 5] = 1
    scores = (rng.normal(size=(80, 6)) + labels).round(1).astype(np.float32)  # with ties
    expected = np.mean([roc_auc_score(labels[:, i], scores[:, i]) for i in range(4)])
    assert macro_auroc(labels, scores) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(macro_auroc(labels[:, 4:], scores[:, 4:]))
