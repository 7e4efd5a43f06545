"""A linear head on frozen features: linear probing."""

from dataclasses import dataclass

from ecgtransfer.config.keys import Number, Section, key
from ecgtransfer.layer_groups import LayerGroup
from ecgtransfer.methods import Method


@dataclass(frozen=True)
class Probe(Method):
    """Trains the head alone."""

    class Settings(Section):
        """The section ``methods.probe``."""

        learning_rate: Number = key(0.01, gt=0, le=1)
        """instead of that of `finetune`"""

    meaning = "the weights taken over stay as they are, and a linear head is trained on their features"
    in_figures = "frozen (probe)"
    keeps_features = True

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return layers that are never trained."""
        return LayerGroup(modules, trained_from=None)
