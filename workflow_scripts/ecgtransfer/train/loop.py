"""The training loop: an optimiser on an objective, and which weights of all its steps are kept.

The records lie on the device as int16, and each batch is cropped, scaled and normalised there. The state after an epoch
is kept, so that a training that was killed goes on from there and ends with the same numbers.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import TrainingPlan
from ecgtransfer.train.accounting import Stopwatch
from ecgtransfer.train.averaging import Average, average_of
from ecgtransfer.train.batches import epoch_order, random_crops, window_starts
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.data_parallel import Ranks
from ecgtransfer.train.hardware import mixed_precision
from ecgtransfer.train.objectives import Objective, Scores
from ecgtransfer.train.optimizing import Adam, learning_rates
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import UnfinishedTraining, random_state, restore_random_state

logger = logging.getLogger(__name__)

EVALUATION_BATCH = 256

CHOSEN_BY = ("macro_auroc", "weighted_f1", "loss")
"""Values of ``choose_by`` by which an epoch is best on the validation records; with others the last one counts."""

Normalize = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Epoch:
    """One row of ``history.csv``. The AUROC is empty where the validation records have no label with both classes."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_macro_auroc: float
    valid_weighted_f1: float
    seconds: float
    device_seconds: float
    joules: float | None

    def rank(self, choose_by: str) -> tuple[float, float]:
        """Return how good the epoch is: by a score on the validation records; where equal or undefined, by lower loss.

        An epoch without a finite loss is the worst: its weights are no numbers, whatever their ranking scores.
        """
        if not math.isfinite(self.valid_loss):
            return -math.inf, -math.inf
        score: float = math.nan if choose_by == "loss" else getattr(self, f"valid_{choose_by}")
        return -math.inf if math.isnan(score) else round(score, 9), -self.valid_loss


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    Attributes
    ----------
    objective
        Loss and score.
    train, valid
        The records, on the device.
    normalize
        From stored signals to a model's input.
    crop_samples
        Length of the random part of each recording that a step sees; None for all of it.
    """

    objective: Objective
    train: Examples
    valid: Examples
    normalize: Normalize
    crop_samples: int | None = None


@dataclass
class _TrainingState:
    """The state of a training."""

    average: Average
    history: list[Epoch] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def ended(self, epochs: int, patience: int, settled_from: int, choose_by: str) -> bool:
        done = len(self.history)
        if done < min(settled_from, epochs) or choose_by not in CHOSEN_BY:
            return done >= epochs
        return done >= epochs or done - best_epoch(self.history, choose_by).epoch >= patience


def fit(
    model: nn.Module,
    task: Task,
    settings: TrainingSettings,
    plan: TrainingPlan,
    unfinished: UnfinishedTraining,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    stop_after: int | None = None,
) -> list[Epoch]:
    """Train `model` in place and leave it with the weights that ``choose_by`` of `settings` names.

    Those of the best epoch on the validation records: then training ends early once ``patience`` epochs in a row
    brought no better one, but not before all layers that `plan` trains have joined. Or those of the last epoch, or
    their average. The order of batches comes from torch's own generator.

    Parameters
    ----------
    model
        On the device of the records; called with normalised signals and, or None, age and sex.
    task
        Records and objective.
    settings
        How long and how fast.
    plan
        Which weights move, when, and how fast.
    unfinished
        Where the state after an epoch is kept; what is there of this training is gone on from.
    ranks
        The processes that share each batch.
    stop_after
        Number of epochs after which training ends, though its schedule goes on; None for all.

    Returns
    -------
    list of Epoch
        One per epoch that was run, those of a killed run included.

    Raises
    ------
    InputError
        If no epoch has a finite loss on the validation records.
    """
    joined = ranks.joined(model, task.train.signals.device)
    optimizer = Adam(plan.parameter_groups(model), settings)
    epochs, patience = settings.for_size(len(task.train))
    steps = settings.steps_per_epoch(len(task.train))
    progress = _resume(model, optimizer, unfinished, average_of(settings.choose_by, epochs, epochs * steps))

    def ended() -> bool:
        return progress.ended(stop_after or epochs, patience, plan.settled_from, settings.choose_by)

    while not ended():
        number = len(progress.history) + 1
        with Stopwatch(task.train.signals.device) as watch:
            plan.start_epoch(model, number)
            rates = learning_rates(settings, number, epochs, steps)
            train_loss = train_one_epoch(
                joined, task, settings, optimizer, rates, ranks, lambda: progress.average.after_step(model)
            )
            progress.average.after_epoch(model, number)
            valid_loss, scores = _validate(model, task, settings, ranks)
        epoch = Epoch(number, train_loss, valid_loss, *scores, watch.seconds, watch.device_seconds, watch.joules)
        progress.history.append(epoch)
        best = best_epoch(progress.history, settings.choose_by)
        if best is epoch:
            progress.best_weights = progress.average.weights(model)
        logger.info(
            "epoch %d/%d  train loss %.4f  valid loss %.4f  valid macro AUROC %.3f%s  %.0f records/s",
            number, epochs, train_loss, valid_loss, scores.macro_auroc,
            f"  best epoch {best.epoch}" if settings.choose_by in CHOSEN_BY else "", len(task.train) / epoch.seconds,
        )  # fmt: skip
        if ranks.rank == 0:
            _keep(model, optimizer, progress, unfinished, last=ended())
    if not math.isfinite(best_epoch(progress.history, settings.choose_by).valid_loss):
        raise InputError(
            f"learning_rate: training diverged at {settings.learning_rate}, no epoch has a finite validation loss;"
            " lower it"
        )
    model.load_state_dict(progress.best_weights)
    return progress.history


def best_epoch(history: Sequence[Epoch], choose_by: str = "macro_auroc") -> Epoch:
    """Return the epoch whose weights `fit` keeps, or where it ends: the first of the best ones, or the last of all."""
    if choose_by not in CHOSEN_BY:
        return history[-1]
    return max(history, key=lambda epoch: epoch.rank(choose_by))


def train_one_epoch(
    model: nn.Module,
    task: Task,
    settings: TrainingSettings,
    optimizer: Adam,
    rates: Iterator[float],
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    after_step: Callable[[], None] = lambda: None,
) -> float:
    """Return the mean loss over the cells of the label table; `after_step` is called after each step.

    All batches are of the same size, give or take one: a last batch of a single record would leave batch normalisation
    nothing to compare it with.
    """
    train, device = task.train, task.train.signals.device
    total = torch.zeros((), dtype=torch.float64, device=device)  # stays there: reading it would wait for the device
    n_cells = 0
    order = ranks.draw(lambda: epoch_order(train.dataset, settings.balance_datasets), device)
    for batch, rate in zip(order.tensor_split(settings.steps_per_epoch(len(train))), rates, strict=True):
        part = ranks.part_of(batch)
        age_sex = None if train.age_sex is None else train.age_sex[part]
        with mixed_precision(device, settings.precision):
            outputs = model(task.normalize(random_crops(train.signals, part, task.crop_samples)), age_sex)
        losses = task.objective.cell_losses(outputs.float(), train.labels[part])
        optimizer.zero_grad()
        n_cells += len(batch) * losses.shape[1]
        # The mean over the whole batch, of which DistributedDataParallel takes the mean over processes.
        (losses.sum() * (ranks.count / (len(batch) * losses.shape[1]))).backward()
        optimizer.step(rate)
        after_step()
        total += losses.detach().double().sum()
    return ranks.total(total).item() / n_cells


def _validate(model: nn.Module, task: Task, settings: TrainingSettings, ranks: Ranks) -> tuple[float, Scores]:
    """Return loss and scores on the validation records."""
    outputs = predict(model, task.valid, task.normalize, task.crop_samples, settings.precision)
    loss = task.objective.cell_losses(outputs, task.valid.labels).mean()
    found = torch.tensor([loss.item(), *task.objective.scores(outputs, task.valid.labels)], dtype=torch.float64)
    valid_loss, *scores = ranks.as_the_first(found.to(outputs.device)).tolist()
    return valid_loss, Scores(*scores)


@torch.no_grad()
def predict(
    model: nn.Module,
    examples: Examples,
    normalize: Normalize,
    crop_samples: int | None = None,
    precision: str = "auto",
    part: Callable[[Tensor, Tensor | None], Tensor] | None = None,
) -> Tensor:
    """Return a model's outputs for some records in evaluation mode, float32 of shape (records, outputs).

    Parameters
    ----------
    model, normalize, precision
        As in training.
    examples
        The records.
    crop_samples
        Length that the model takes: the outputs of windows of it, evenly spaced over the recording, are averaged.
    part
        Another function of the model than calling it, its features, for instance.
    """
    model.eval()
    compute = part or model
    n_samples = examples.signals.shape[-1]
    length = crop_samples or n_samples
    starts = window_starts(n_samples, length)
    outputs = []
    with mixed_precision(examples.signals.device, precision):
        for first in range(0, len(examples), EVALUATION_BATCH):
            rows = slice(first, first + EVALUATION_BATCH)
            age_sex = None if examples.age_sex is None else examples.age_sex[rows]
            windows = [examples.signals[rows, ..., start : start + length] for start in starts]
            outputs.append(torch.stack([compute(normalize(window), age_sex).float() for window in windows]).mean(dim=0))
    return torch.cat(outputs)


def _keep(
    model: nn.Module, optimizer: Adam, progress: _TrainingState, unfinished: UnfinishedTraining, last: bool
) -> None:
    """Save everything that `_resume` needs; after the last epoch, the best weights and the history are enough."""
    tensors = {f"best.{name}": tensor for name, tensor in progress.best_weights.items()}
    if not last:
        tensors |= {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in progress.average.state().items()}
        tensors |= random_state()
    unfinished.save(tensors, {"history": [asdict(epoch) for epoch in progress.history]}, last)


def _resume(model: nn.Module, optimizer: Adam, unfinished: UnfinishedTraining, average: Average) -> _TrainingState:
    """Restore the state of a killed training, and return its progress; an empty one if there was none."""
    saved = unfinished.load()
    if saved is None:
        return _TrainingState(average)
    tensors, metadata = saved
    progress = _TrainingState(average, [Epoch(**epoch) for epoch in metadata["history"]], _named(tensors, "best."))
    logger.info("resumes after epoch %d", len(progress.history))
    if "random.cpu" in tensors:
        model.load_state_dict(_named(tensors, "model."))
        optimizer.restore(_named(tensors, "optimizer."))
        average.restore(_named(tensors, "average."))
        restore_random_state(tensors)
    return progress


def _named(tensors: Mapping[str, Tensor], beginning: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without the beginning."""
    return {name.removeprefix(beginning): tensor for name, tensor in tensors.items() if name.startswith(beginning)}
