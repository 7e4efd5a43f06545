"""Support vector machines on frozen features, as Ahmad et al. 2025."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ecgtransfer.config.keys import ONCE, Number, Section, key
from ecgtransfer.layer_groups import LayerGroup
from ecgtransfer.methods import Method

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Svm(Method):
    """Puts a linear support vector machine per label in the place of the head."""

    class Settings(Section):
        """The section ``arms.svm``."""

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
