"""The cells of a study: training all replicates on a fraction of a target, from scratch or from a source."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.arms import SCRATCH
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays, write_csv, write_json
from ecgtransfer.layer_groups import ALL_WEIGHTS
from ecgtransfer.methods import Method, method_of
from ecgtransfer.train.accounting import device_name, how_it_ran, peak_memory_bytes
from ecgtransfer.train.corpus import Corpus, Examples, normalization_of
from ecgtransfer.train.cross_validation import cross_validated_epochs
from ecgtransfer.train.finished import Arrays, FinishedTrainings
from ecgtransfer.train.fitting import Records, Replicate, fit_by_gradients
from ecgtransfer.train.hardware import arithmetic, computed_by, fix_seeds, training_device
from ecgtransfer.train.loop import Epoch, Task, best_epoch
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.objectives import MultiLabel, balancing_weight
from ecgtransfer.train.side_by_side import side_by_side
from ecgtransfer.train.state import UnfinishedTraining, remove_state, training_key
from ecgtransfer.train.training import Training
from ecgtransfer.train.weights import load_all_but_head

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CellTraining(Training):
    """One cell.

    Attributes
    ----------
    fraction
        Share of the training patients, and with ``validation: budget`` of the validation patients.
    replicates, validation
        Of the config section ``transfer``, as is the seed.
    method, method_settings
        What happens to the weights of the source, by ``transfer.methods`` and ``methods``; empty from scratch.
    weights
        Files with the weights of the source, from which replicates start in turn; none from scratch.
    """

    fraction: float
    replicates: int
    validation: str
    method: str = ""
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[str | Path] = ()

    @property
    def transfer(self) -> Method | None:
        """How it transfers; None from scratch."""
        return method_of(self.method, self.method_settings) if self.method else None


@dataclass(frozen=True)
class CellResult:
    """What a cell leaves: arrays for ``predictions.npz``, rows for ``history.csv``, metadata for ``run.json``."""

    predictions: dict[str, np.ndarray]
    history: pd.DataFrame
    metadata: dict[str, Any]


def train_cell(
    cell: CellTraining,
    corpus: Corpus,
    unfinished: str | Path,
    n_processes: int = 1,
    finished: FinishedTrainings = FinishedTrainings(),  # noqa: B008 (frozen)
) -> CellResult:
    """Train all replicates of one cell of the study but those that are kept from an earlier run.

    Replicate r has its own subset of patients, initial head and order of batches, the same in every arm, so that arms
    can be compared in pairs. Labels of test records are not read, unless they also have to serve for validation.

    Parameters
    ----------
    cell
        What is trained, and how.
    corpus
        The target.
    unfinished
        Folder for the state of each replicate, so that a killed cell goes on.
    n_processes
        How many replicates are trained at a time.
    finished
        Replicates that were trained before, by any study; what is trained here is added.

    Raises
    ------
    InputError
        If the fraction leaves fewer than two records to train on, or the weights do not fit the model.
    """
    subsets = [_training_subset(corpus, replicate, cell.fraction) for replicate in range(cell.replicates)]
    members = corpus.in_role("train")["record_id"]
    records = {
        "train": corpus.load(members[members.isin(pd.concat(subsets)["record_id"])].tolist()),  # of any replicate
        "valid": corpus.load(corpus.in_role(corpus.validation_role)["record_id"].tolist()),
        "test": corpus.load(corpus.in_role("test")["record_id"].tolist()),
    }
    used = [_used_to_validate(cell, corpus, records["valid"], replicate) for replicate in range(cell.replicates)]
    predicted = _digest_of_inputs(records["valid"], records["test"])

    def train(number: int) -> Replicate:
        state = Path(unfinished, f"{number}.safetensors")
        return _train_replicate(
            cell, corpus, records, subsets[number], used[number], predicted, state, finished, number
        )

    trained = side_by_side(train, cell.replicates, n_processes)
    metadata = {
        "model": cell.model,
        "options": dict(cell.options),
        "method": cell.method or SCRATCH,
        "method_settings": dict(cell.method_settings),
        "labels": corpus.label_names,
        "fraction": cell.fraction,
        "validation": "test" if corpus.validation_role == "test" else cell.validation,
        "seed": cell.seed,
        "settings": cell.settings.model_dump(),
        "deterministic": cell.deterministic,
        "code": cell.code,
        "replicates": [replicate.metadata for replicate in trained],
        "processes": min(n_processes, cell.replicates),
        **how_it_ran(
            training_device(),
            [epoch for replicate in trained for epoch in (*replicate.history, *replicate.tried)],
            sum(replicate.metadata["n_train"] * len(replicate.history) for replicate in trained),
            _flops_of_step(cell, corpus),
            arithmetic(training_device(), cell.settings.precision),
            min(n_processes, cell.replicates),
            max(replicate.peak_memory_bytes or 0 for replicate in trained) or None,
        ),
    }
    return CellResult(_predictions(corpus, records, used, trained), _histories(trained), metadata)


def run_cell(
    cell: CellTraining,
    corpus: Corpus,
    unfinished: str | Path,
    finished: str | Path,
    n_processes: int,
    predictions: str | Path,
    history: str | Path,
    metadata: str | Path,
) -> None:
    """Do what `train_cell` does and write what it leaves, each file whole."""
    result = train_cell(cell, corpus, unfinished, n_processes, FinishedTrainings(Path(finished)))
    write_cell(result, predictions, history, metadata)
    remove_state(unfinished)


def _train_replicate(
    cell: CellTraining,
    corpus: Corpus,
    records: Records,
    subset: pd.DataFrame,
    used: np.ndarray,
    predicted: str,
    state: Path,
    finished: FinishedTrainings,
    number: int,
) -> Replicate:
    """Train one replicate on a subset of the records, validate it on those used for that, and let it predict.

    Or return it as it is kept, if all that decides it was the same; `predicted` stands for what it predicts from.
    """
    logger.info("replicate %d: %d records to train, %d to validate", number, len(subset), used.sum())
    train = records["train"].where(np.isin(records["train"].record_id, subset["record_id"].tolist()))
    fix_seeds(cell.seed, number, deterministic=cell.deterministic)
    model = cell.new_model(corpus, len(corpus.label_names))
    taken_over = {}
    if cell.weights:
        start = cell.weights[number % len(cell.weights)]
        taken_over = asdict(load_all_but_head(model, cell.model, Path(start)))
    key = _key_of_replicate(cell, corpus, model, train, records["valid"].where(used), predicted, number)
    kept = finished.load(key)
    if kept is not None:
        return _replicate_kept(*kept)
    unfinished = UnfinishedTraining(state, key)
    device = training_device()
    own = {role: examples.to(device) for role, examples in {**records, "train": train}.items()}

    def task_of(train: Examples, valid: Examples) -> Task:
        weight = balancing_weight(train.labels) if cell.settings.positive_weight == "balanced" else None
        normalize = normalization_of(train.signals).to(device)
        return Task(MultiLabel(weight), train, valid, normalize, corpus.samples_in(cell.settings.crop_s))

    task = task_of(own["train"], own["valid"].where(used))
    method, model = cell.transfer, model.to(device)
    plan = method.plan(model) if method else ALL_WEIGHTS
    if method and not method.by_gradients:
        trained = method.fit(model, plan, task, own, used, cell.settings.precision)
    else:
        stop_after, tried = None, list[Epoch]()
        if cell.settings.choose_by == "cross_validation":
            both = task.train.and_those_of(task.valid)
            patients = corpus.patients_of(both.record_id)
            folds = both, patients, task_of, cell.settings, (cell.seed, number), state, key
            stop_after, tried = cross_validated_epochs(model, plan, *folds)
        trained = fit_by_gradients(model, plan, task, own, used, cell.settings, unfinished, stop_after)
        trained = trained._replace(tried=tried)
    metadata = {
        "n_train": len(subset),
        "n_train_patients": int(subset["patient_id"].nunique()),
        "n_valid": int(used.sum()),
        "best_epoch": best_epoch(trained.history, cell.settings.choose_by).epoch,
        "device": device_name(device),
    }
    trained = trained._replace(
        metadata=metadata | taken_over | trained.metadata, peak_memory_bytes=peak_memory_bytes(device)
    )
    _keep_replicate(trained, finished, key)
    return trained


def _digest_of_inputs(*predicted: Examples) -> str:
    """Return a hash of some records without their labels."""
    inputs = {
        f"{place}.{name}": value
        for place, examples in enumerate(predicted)
        for name, value in vars(examples).items()
        if name != "labels" and value is not None
    }
    return training_key({}, inputs)


def _key_of_replicate(
    cell: CellTraining, corpus: Corpus, model: EcgModel, train: Examples, valid: Examples, predicted: str, number: int
) -> str:
    """Return the hash of all that decides a replicate: shares and sources only by the records and weights they give."""
    decided_by_content = replace(cell, fraction=1.0, replicates=0, validation="", weights=())
    decided = {"replicate": number, "rate": corpus.sampling_rate_hz, "predicted": predicted}
    return decided_by_content.key(model, train, valid, decided | computed_by())


def _keep_replicate(replicate: Replicate, finished: FinishedTrainings, key: str) -> None:
    arrays = {"test_probability": replicate.test_probability, "valid_probability": replicate.valid_probability}
    epochs = {"history": replicate.history, "tried": replicate.tried}
    finished.keep(
        key,
        arrays,
        {
            **{name: [asdict(epoch) for epoch in each] for name, each in epochs.items()},
            "metadata": replicate.metadata,
            "peak_memory_bytes": replicate.peak_memory_bytes,
        },
    )


def _replicate_kept(arrays: Arrays, metadata: Mapping[str, Any]) -> Replicate:
    """Return the replicate of which `_keep_replicate` kept this."""
    return Replicate(
        [Epoch(**epoch) for epoch in metadata["history"]],
        arrays["test_probability"],
        arrays["valid_probability"],
        metadata["metadata"],
        metadata["peak_memory_bytes"],
        [Epoch(**epoch) for epoch in metadata["tried"]],
    )


def _used_to_validate(cell: CellTraining, corpus: Corpus, valid: Examples, replicate: int) -> np.ndarray:
    """Return which of the validation records a replicate may see: of test records that validate, all."""
    role = corpus.validation_role
    fraction = 1.0 if cell.validation == "full" or role == "test" else cell.fraction
    return np.isin(valid.record_id, corpus.subset(role, replicate, fraction)["record_id"].tolist())


def _flops_of_step(cell: CellTraining, corpus: Corpus) -> int | None:
    """Return the arithmetic of a forward pass of one record; None where not all layers are trained."""
    method = cell.transfer
    return None if method and not method.trains_all_layers else cell.forward_flops(corpus)


def _training_subset(corpus: Corpus, replicate: int, fraction: float) -> pd.DataFrame:
    """Return the rows of the splits table that a replicate is trained on; InputError if they are too few."""
    subset = corpus.subset("train", replicate, fraction)
    if len(subset) < 2:
        raise InputError(
            f"transfer.fractions: {fraction} of the training patients are {len(subset)} records, at least 2 are"
            " needed; use larger fractions or more recordings"
        )
    return subset


def _predictions(
    corpus: Corpus, records: Records, used: list[np.ndarray], trained: list[Replicate]
) -> dict[str, np.ndarray]:
    """Return the arrays of ``predictions.npz``, replicates first."""
    return {
        "labels": np.asarray(corpus.label_names, dtype=np.str_),
        "test_record_id": records["test"].record_id,
        "test_probability": np.stack([replicate.test_probability for replicate in trained]),
        "valid_record_id": records["valid"].record_id,
        "valid_probability": np.stack([replicate.valid_probability for replicate in trained]),
        "valid_used": np.stack(used),
        "n_train": np.asarray([replicate.metadata["n_train"] for replicate in trained]),
        "n_train_patients": np.asarray([replicate.metadata["n_train_patients"] for replicate in trained]),
    }


def _histories(trained: list[Replicate]) -> pd.DataFrame:
    """Return the rows of ``history.csv``: one per replicate and epoch."""
    return pd.DataFrame(
        {"replicate": number, **asdict(epoch)}
        for number, replicate in enumerate(trained)
        for epoch in replicate.history
    )


def write_cell(result: CellResult, predictions: str | Path, history: str | Path, metadata: str | Path) -> None:
    """Write the three files of a cell, each whole."""
    write_arrays(result.predictions, predictions)
    write_csv(result.history, history)
    write_json(result.metadata, metadata)
