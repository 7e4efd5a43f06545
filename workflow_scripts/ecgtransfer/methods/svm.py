"""Support vector machines on frozen features, as Ahmad et al. 2025."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ecgtransfer.config.keys import ONCE, Number, Section, key
from ecgtransfer.errors import InputError
from ecgtransfer.layer_groups import LayerGroup, TrainingPlan
from ecgtransfer.methods import Method

if TYPE_CHECKING:
    import numpy as np

    from ecgtransfer.train.fitting import Records, Replicate
    from ecgtransfer.train.loop import Task
    from ecgtransfer.train.models.base import EcgModel


@dataclass(frozen=True)
class Svm(Method):
    """Replaces the head by a linear support vector machine per label."""

    class Settings(Section):
        """The section ``methods.svm``."""

        costs: Annotated[list[Annotated[Number, Field(gt=0)]], ONCE] = key(
            [0.0001, 0.001, 0.01, 0.1, 1.0], min_length=1
        )
        """costs of a violated margin (C) to try; the best on the validation records is taken"""

    settings: Settings
    meaning = (
        "the weights taken over stay as they are, and a linear support vector machine per label is trained on their"
        " features"
    )
    in_figures = "frozen (svm)"
    keeps_features = True
    by_gradients = False

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return layers that are never trained."""
        return LayerGroup(modules, trained_from=None)

    def fit(
        self, model: EcgModel, plan: TrainingPlan, task: Task, records: Records, used: np.ndarray, precision: str
    ) -> Replicate:
        """Fit a machine per label on the features of the source; there is no state to resume from.

        Raises
        ------
        InputError
            If the features are too many.
        """
        import numpy as np

        from ecgtransfer.train.accounting import Stopwatch
        from ecgtransfer.train.fitting import LARGEST_KEPT_FEATURES, Replicate, on_features
        from ecgtransfer.train.loop import Epoch
        from ecgtransfer.train.objectives import weighted_f1
        from ecgtransfer.train.svm import fit_svm

        if model.head.in_features > LARGEST_KEPT_FEATURES:
            raise InputError(
                f"transfer.methods: svm needs fewer features than the {model.head.in_features} per recording of the"
                " model; set head to pool in its entry of models, or leave svm out"
            )
        with Stopwatch(task.train.signals.device) as watch:
            task, records = on_features(model, task, records, used, precision)
            seen = task.valid
            train_x, train_y, valid_x, valid_y = (
                tensor.cpu().numpy() for tensor in (task.train.signals, task.train.labels, seen.signals, seen.labels)
            )
            heads = fit_svm(train_x, train_y, valid_x, valid_y, self.settings.costs)
        scores = heads.valid_macro_auroc, weighted_f1(valid_y, heads.decide(valid_x))
        history = [Epoch(1, math.nan, math.nan, *scores, watch.seconds, watch.device_seconds, watch.joules)]
        test_probability, valid_probability = (
            heads.predict(records[role].signals.cpu().numpy()).astype(np.float32) for role in ("test", "valid")
        )
        return Replicate(history, test_probability, valid_probability, {**plan.counts(model), "cost": heads.cost})
