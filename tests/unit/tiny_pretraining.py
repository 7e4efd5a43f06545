"""Pre-trainings of a tiny model, for tests."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tiny_model import TINY

from ecgtransfer.train.corpus import Corpus
from ecgtransfer.train.pretraining import Pretrained, Pretraining, pretrain
from ecgtransfer.train.settings import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=3, min_steps=0, patience=3, batch_size=8, learning_rate=0.003, weight_decay=0.01, choose_by="macro_auroc"
)
LEARNT = ["epoch", "train_loss", "valid_loss", "valid_macro_auroc", "valid_weighted_f1"]


def asked_for(
    task: str = "labels", model: tuple[str, dict[str, Any]] = TINY, settings: TrainingSettings = SETTINGS, **others: Any
) -> Pretraining:
    """Return a pre-training."""
    given = {"seed": 7, "deterministic": True, "code": "ab12", **others}
    return Pretraining(task=task, model=model[0], options=model[1], settings=settings, **given)


def run(
    corpus: Corpus,
    task: str = "labels",
    model: tuple[str, dict[str, Any]] = TINY,
    settings: TrainingSettings = SETTINGS,
    folder: Path | None = None,
    n_processes: int = 1,
    **others: Any,
) -> Pretrained:
    """Pre-train; without `folder` no state is left behind."""
    plan = asked_for(task, model, settings, **others)
    with TemporaryDirectory() as temporary:
        return pretrain(plan, corpus, folder or temporary, n_processes)
