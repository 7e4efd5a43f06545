"""Cells of tiny models on a tiny corpus, and what reaches the training loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from tiny_corpus import CorpusFiles
from tiny_model import PLAIN, TINY
from torch import Tensor, nn

from ecgtransfer.layer_groups import TrainingPlan
from ecgtransfer.train import fitting
from ecgtransfer.train.cells import CellResult, CellTraining, train_cell
from ecgtransfer.train.loop import Epoch, Task
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import UnfinishedTraining
from ecgtransfer.train.weights import save_weights

SETTINGS = TrainingSettings(
    epochs=2, min_steps=0, patience=2, batch_size=8, learning_rate=0.003, weight_decay=0.01, choose_by="macro_auroc"
)
METHOD_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "gradual": {"epochs_per_group": 1},
    "discriminative": {"rate_ratio": 2.6},
    "svm": {"costs": [0.01, 1.0]},
}
LEARNT = ["replicate", "epoch", "train_loss", "valid_loss", "valid_macro_auroc", "valid_weighted_f1"]
"""The columns of a history that do not say what it cost."""
Model = tuple[str, dict[str, Any]]
RESNET: Model = ("resnet1d18", {})
GRU: Model = ("gru", {"head": "pool"})


def write_weights(folder: Path) -> Path:
    """Write the weights of tiny models, as of sources with three labels; random ones serve as well as trained ones."""
    for model in (TINY, PLAIN, ("tiny", {"age_sex": True})):
        save_random_weights(model, folder)
    return folder


def save_random_weights(model: Model, folder: Path) -> None:
    """Write the weights of a model, with statistics of batch normalisation that are its own."""
    torch.manual_seed(100)
    network = build_model(model[0], 12, 64, 3, model[1])
    network(torch.randn(64, 12, 64), torch.randn(64, 4))
    save_weights(network, model[0], ["a", "b", "c"], weights_of(model, folder))


def weights_of(model: Model, folder: Path) -> Path:
    """Return where `save_random_weights` writes them."""
    name, options = model
    return folder / f"{name}{'-age-sex' if options.get('age_sex') else ''}.safetensors"


def asked_for(
    method: str | None = None,
    weights: Path | list[Path] | None = None,
    model: Model = TINY,
    settings: TrainingSettings = SETTINGS,
    **others: Any,
) -> CellTraining:
    """Return a cell; `weights` are files or folders of `write_weights`."""
    starts = weights if isinstance(weights, list) else [weights] if weights else []
    given = {"fraction": 0.5, "replicates": 2, "seed": 7, "validation": "budget", "deterministic": True, "code": "ab12"}
    return CellTraining(
        model=model[0],
        options=model[1],
        settings=settings,
        method=method or "",
        method_settings=METHOD_SETTINGS.get(method or "", {}),
        weights=[weights_of(model, start) if start.is_dir() else start for start in starts],
        **(given | others),
    )


def cell(
    files: CorpusFiles,
    method: str | None = None,
    weights: Path | list[Path] | None = None,
    model: Model = TINY,
    settings: TrainingSettings = SETTINGS,
    folder: Path | None = None,
    n_processes: int = 1,
    **others: Any,
) -> CellResult:
    """Train what `asked_for` returns. Without `folder` no state is left behind."""
    training = asked_for(method, weights, model, settings, **others)
    corpus = files.open(age_sex=model[1].get("age_sex", False))
    with TemporaryDirectory() as temporary:
        return train_cell(training, corpus, folder or temporary, n_processes)


@dataclass(frozen=True)
class Fitted:
    """What one call of `fit` was given, and what it left."""

    task: Task
    plan: TrainingPlan
    generator: Tensor
    before: dict[str, Tensor]
    after: dict[str, Tensor]


def noted_fits(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """Return a list to which every training of a cell in this process adds itself from now on."""
    calls: list[Fitted] = []
    fit = fitting.fit

    def noting(
        model: nn.Module,
        task: Task,
        settings: TrainingSettings,
        plan: TrainingPlan,
        state: UnfinishedTraining,
        stop_after: int | None,
    ) -> list[Epoch]:
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        generator = torch.get_rng_state()
        history = fit(model, task, settings, plan, state, stop_after=stop_after)
        calls.append(Fitted(task, plan, generator, before, dict(model.state_dict())))
        return history

    monkeypatch.setattr(fitting, "fit", noting)
    return calls


def assert_same_predictions(first: CellResult, second: CellResult) -> None:
    """Check that two cells predict the same bytes."""
    assert first.predictions.keys() == second.predictions.keys()
    for name, array in first.predictions.items():
        assert array.dtype == second.predictions[name].dtype, name
        assert array.tobytes() == second.predictions[name].tobytes(), name
