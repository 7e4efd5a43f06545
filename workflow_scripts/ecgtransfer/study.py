"""The plan of a study: which corpora, which arms, which cells the config asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from ecgtransfer.prepare.corpora import datasets_of

SCRATCH = "scratch"
FINETUNE = "finetune-"


@dataclass(frozen=True)
class Cell:
    """One training job: all replicates of a target, model, arm and fraction."""

    target: str
    model: str
    arm: str
    fraction: float


def sources_of(config: Mapping[str, Any], target: str) -> list[str]:
    """Return the sources that share no data set with a target."""
    own = set(datasets_of(target))
    return [source for source in config["transfer"]["sources"] if own.isdisjoint(datasets_of(source))]


def transfers_of(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every source with each target that it serves."""
    return [(source, target) for target in config["transfer"]["targets"] for source in sources_of(config, target)]


def datasets_of_targets(config: Mapping[str, Any], source: str) -> list[str]:
    """Return the data sets, without repetition, of all targets that share none with a source."""
    own = set(datasets_of(source))
    served = [target for target in config["transfer"]["targets"] if own.isdisjoint(datasets_of(target))]
    return list(dict.fromkeys(dataset for target in served for dataset in datasets_of(target)))


def cells_of(config: Mapping[str, Any]) -> list[Cell]:
    """Return every cell of the study, scratch first."""
    transfer = config["transfer"]
    return [
        Cell(target, model, arm, fraction)
        for target in transfer["targets"]
        for model, arm, fraction in product(
            transfer["models"],
            [SCRATCH, *(FINETUNE + source for source in sources_of(config, target))],
            sorted(transfer["fractions"]),
        )
    ]


def corpora_of(config: Mapping[str, Any]) -> list[str]:
    """Return sources and targets without repetition."""
    return list(dict.fromkeys([*config["transfer"]["sources"], *config["transfer"]["targets"]]))


def studied_datasets(config: Mapping[str, Any]) -> list[str]:
    """Return the data sets behind all corpora without repetition."""
    return list(dict.fromkeys(dataset for corpus in corpora_of(config) for dataset in datasets_of(corpus)))
