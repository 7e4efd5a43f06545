"""Lower rates in lower layers: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146."""

from dataclasses import dataclass

from ecgtransfer.config.keys import Number, Section, key
from ecgtransfer.layer_groups import LayerGroup
from ecgtransfer.methods import Method


@dataclass(frozen=True)
class Discriminative(Method):
    """Trains every group of layers more slowly than the one above it, by a fixed ratio; the head at the full rate."""

    class Settings(Section):
        """The section ``methods.discriminative``."""

        rate_ratio: Number = key(2.6, ge=1, le=100)
        """how many times slower each group of layers learns than the one above it (Howard & Ruder 2018)"""

    settings: Settings
    meaning = "all weights are trained further, lower layers at lower rates"
    in_figures = "slower towards the input (discriminative)"
    trains_all_layers = True

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return layers with a rate by their depth."""
        return LayerGroup(modules, rate_factor=self.settings.rate_ratio**-depth)
