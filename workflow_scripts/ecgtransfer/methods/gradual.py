"""Unfreezing from the top: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146."""

from dataclasses import dataclass

from ecgtransfer.config.keys import Section, Whole, key
from ecgtransfer.layer_groups import LayerGroup
from ecgtransfer.methods import Method


@dataclass(frozen=True)
class Gradual(Method):
    """Trains the head first, and every few epochs one more group of layers from the top."""

    class Settings(Section):
        """The section ``methods.gradual``."""

        epochs_per_group: Whole = key(1, unit="epochs", ge=1)
        """epochs until the next group of layers joins the training"""

    settings: Settings
    meaning = "training begins with the head, and layers join it group by group from the top"
    in_figures = "unfrozen from the top (gradual)"

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return layers that are trained once all above them are."""
        return LayerGroup(modules, trained_from=1 + depth * self.settings.epochs_per_group)
