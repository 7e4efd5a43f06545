"""Models that train in milliseconds, in the registry as others are."""

from collections.abc import Iterator
from typing import Any

import pytest
from torch import nn

from ecgtransfer.train.models.base import EcgModel, MeanMaxOverTime
from ecgtransfer.train.registry import REGISTRY, ModelEntry

TINY: tuple[str, dict[str, Any]] = ("tiny", {})
"""Has batch normalisation and dropout."""
PLAIN: tuple[str, dict[str, Any]] = ("plain", {})
"""Has neither: it computes the same for a record whatever others are in its batch."""
FLOPS_PER_SAMPLE = 2000
"""As the registry has it; not what it is."""


def tiny_model(n_leads: int = 12, n_labels: int = 2, plain: bool = False, age_sex: bool = False) -> EcgModel:
    """Return two stages whose frames represent 12 samples, and a neck with weights."""

    def norm() -> nn.Module:
        return nn.Identity() if plain else nn.BatchNorm1d(8)

    def dropout() -> nn.Module:
        return nn.Identity() if plain else nn.Dropout(0.2)

    stages = [
        nn.Sequential(nn.Conv1d(n_leads, 8, 7, stride=4, padding=3, bias=plain), norm(), nn.ReLU(), dropout()),
        nn.Sequential(nn.Conv1d(8, 8, 3, stride=3, padding=1, bias=plain), norm(), nn.ReLU()),
    ]
    neck = nn.Sequential(MeanMaxOverTime(), nn.Linear(16, 10), nn.ReLU(), dropout())
    return EcgModel(stages, neck, 10, n_labels, age_sex)


def tiny(n_leads: int, _n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return `TINY`."""
    return tiny_model(n_leads, n_labels, age_sex=age_sex)


def plain(n_leads: int, _n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return `PLAIN`."""
    return tiny_model(n_leads, n_labels, plain=True, age_sex=age_sex)


@pytest.fixture(scope="module")
def tiny_models() -> Iterator[None]:
    """Have the tiny models in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("tiny", "plain"):
            entry = ModelEntry(__name__, (), "", mflops=FLOPS_PER_SAMPLE // 1000, family="convolutional")
            patch.setitem(REGISTRY, name, entry)
        yield
