"""How many epochs to train, by cross-validation over the records that train and those that validate."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import TrainingPlan
from ecgtransfer.train.corpus import Examples
from ecgtransfer.train.fitting import what_is_trained
from ecgtransfer.train.hardware import fix_seeds
from ecgtransfer.train.loop import Epoch, Task, fit
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import UnfinishedTraining, random_state, restore_random_state

N_FOLDS = 3


def cross_validated_epochs(
    model: EcgModel,
    plan: TrainingPlan,
    examples: Examples,
    patients: np.ndarray,
    task_of: Callable[[Examples, Examples], Task],
    settings: TrainingSettings,
    seeds: tuple[int, ...],
    state: Path,
    key: str,
) -> tuple[int, list[Epoch]]:
    """Return the epoch with the best mean validation score over folds of patients, and the epochs of all folds.

    The score is the macro AUROC; where it is undefined in all folds, the lowest loss decides. Each fold starts from the
    weights of `model`, which stays as it is, as does the state of torch's random numbers.

    Parameters
    ----------
    model, plan
        What is trained, and how, on its device.
    examples, patients
        The records that train or validate, and whose they are, (records,).
    task_of
        What is learnt from some of them and validated on others.
    settings
        How long and how fast; all epochs are run.
    seeds
        Of the training; a fold adds its number.
    state, key
        File and key of the state of the training, to which a fold adds its number.

    Raises
    ------
    InputError
        If the records are those of a single patient.
    """
    names = np.unique(patients)
    n_folds = min(N_FOLDS, len(names))
    if n_folds < 2:
        raise InputError(
            "choose_by: cross_validation needs two patients or more to train and to validate; use larger"
            " transfer.fractions or another rule"
        )
    numbers = dict(zip(np.random.default_rng(seeds).permutation(names), np.arange(len(names)) % n_folds, strict=True))
    fold_of = np.array([numbers[patient] for patient in patients])
    before, histories = random_state(), []
    for fold in range(n_folds):
        fix_seeds(*seeds, fold + 1)
        train, valid = examples.where(fold_of != fold), examples.where(fold_of == fold)
        records = {"train": train, "valid": valid}
        everything = np.ones(len(valid), dtype=bool)
        started = copy.deepcopy(model), plan, task_of(train, valid), records, everything, settings.precision
        trained, of_trained, task, _ = what_is_trained(*started)
        unfinished = UnfinishedTraining(state.with_suffix(f".fold{fold}{state.suffix}"), f"{key} {fold}")
        histories.append(fit(trained, task, settings, of_trained, unfinished))
    restore_random_state(before)
    return _best(histories), [epoch for history in histories for epoch in history]


def _best(histories: list[list[Epoch]]) -> int:
    """Return the first epoch with the best mean score; folds in which it is undefined do not count."""
    scores = np.array([[epoch.valid_macro_auroc for epoch in history] for history in histories])
    losses = np.array([[epoch.valid_loss for epoch in history] for history in histories]).mean(axis=0)
    known = np.isfinite(scores).sum(axis=0)
    means = np.where(known > 0, np.nansum(scores, axis=0) / np.maximum(known, 1), -np.inf).round(9)
    return 1 + int(np.lexsort((np.nan_to_num(losses, nan=np.inf), -means))[0])
