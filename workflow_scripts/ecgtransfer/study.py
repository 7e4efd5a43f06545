"""The plan of a study: which corpora, which arms, which cells the config asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from ecgtransfer.arms import SCRATCH, arm_of, source_of, way_of
from ecgtransfer.prepare.corpora import (
    JOINED_BY,
    LABELS,
    datasets_of,
    is_shuffled,
    task_of,
    without_shuffling,
    without_task,
)
from ecgtransfer.split.roles import has_validation


@dataclass(frozen=True)
class Cell:
    """One training job: all replicates of a target, model, arm and fraction."""

    target: str
    model: str
    arm: str  # see `ecgtransfer.arms`
    fraction: float  # of the training patients, in (0, 1]

    @property
    def name(self) -> str:
        """In words, for messages."""
        return f"{self.target}/{self.model}/{self.arm}/{self.fraction:g}"

    @property
    def way(self) -> str:
        """How it transfers, such as ``finetune`` or ``partial:2``; empty from scratch."""
        return way_of(self.arm)

    @property
    def source(self) -> str:
        """What it starts from, as `transfer.sources` names it; empty from scratch."""
        return source_of(self.arm)


def is_outside(config: Mapping[str, Any], source: str) -> bool:
    """Tell whether a source is weights from outside, which this study does not train."""
    return source in config["outside_weights"]


def datasets_behind(config: Mapping[str, Any], source: str) -> list[str]:
    """Return the data sets that a source has seen; of weights from outside, those that the config says."""
    if is_outside(config, source):
        return list(config["outside_weights"][source]["trained_on"])
    return datasets_of(source, config["corpora"])


def sources_of(config: Mapping[str, Any], target: str, model: str | None = None) -> list[str]:
    """Return the sources that share no data set with a target.

    Weights from outside serve the models that they have files for; without `model` they count as serving some.
    """
    own = set(datasets_of(target, config["corpora"]))
    return [
        source
        for source in config["transfer"]["sources"]
        if own.isdisjoint(datasets_behind(config, source)) and (model is None or _has_weights(config, source, model))
    ]


def _has_weights(config: Mapping[str, Any], source: str, model: str) -> bool:
    return not is_outside(config, source) or model in config["outside_weights"][source]["files"]


def trained_sources(config: Mapping[str, Any]) -> list[str]:
    """Return the sources on which this study pre-trains: all but weights from outside."""
    return [source for source in config["transfer"]["sources"] if not is_outside(config, source)]


def pretrainings_of(config: Mapping[str, Any], source: str) -> list[int]:
    """Return the numbers of a source's pre-trainings; weights from outside are one."""
    return [0] if is_outside(config, source) else list(range(config["transfer"]["pretrainings"]))


def transfers_of(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every corpus to pre-train on with each target that it serves, whatever the task, each pair once."""
    trained = trained_sources(config)
    return list(
        dict.fromkeys(
            (without_task(source), target)
            for target in config["transfer"]["targets"]
            for source in sources_of(config, target)
            if source in trained
        )
    )


def datasets_of_targets(config: Mapping[str, Any], source: str) -> list[str]:
    """Return the data sets, without repetition, of all targets that share none with a corpus to pre-train on."""
    own = set(datasets_of(source, config["corpora"]))
    joined = [datasets_of(target, config["corpora"]) for target in config["transfer"]["targets"]]
    return list(dict.fromkeys(dataset for datasets in joined if own.isdisjoint(datasets) for dataset in datasets))


def cells_of(config: Mapping[str, Any]) -> list[Cell]:
    """Return every cell of the study: of a target and model scratch first, then way by way every source."""
    transfer = config["transfer"]
    return [
        Cell(target, model, arm, fraction)
        for target, model in product(transfer["targets"], transfer["models"])
        for arm in [
            SCRATCH,
            *(arm_of(way, source) for way, source in product(transfer["arms"], sources_of(config, target, model))),
        ]
        for fraction in sorted(transfer["fractions"])
    ]


def cells_at(config: Mapping[str, Any], *fractions: float) -> list[Cell]:
    """Return the cells of some fractions, without those whose source has shuffled labels."""
    return [cell for cell in cells_of(config) if cell.fraction in fractions and not is_shuffled(cell.source)]


def zero_shots_of(config: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return target, model and source wherever a source that is trained here on its true labels meets a target."""
    transfer, trained = config["transfer"], trained_sources(config)
    return [
        (target, model, source)
        for target, model in product(transfer["targets"], transfer["models"])
        for source in sources_of(config, target, model)
        if source in trained and task_of(source) == LABELS and not is_shuffled(source)
    ]


def corpora_of(config: Mapping[str, Any]) -> list[str]:
    """Return the corpora whose labels and splits the study needs, those of sources first, each once."""
    return list(dict.fromkeys([*map(without_task, trained_sources(config)), *config["transfer"]["targets"]]))


def studied_datasets(config: Mapping[str, Any]) -> list[str]:
    """Return the data sets behind all corpora without repetition."""
    joined = [datasets_of(corpus, config["corpora"]) for corpus in corpora_of(config)]
    return list(dict.fromkeys(dataset for datasets in joined for dataset in datasets))


def named_corpora(config: Mapping[str, Any]) -> dict[str, str]:
    """Return what the names of the section ``corpora`` stand for that the study uses."""
    used = [name for corpus in corpora_of(config) for name in without_shuffling(corpus).split(JOINED_BY)]
    return {name: config["corpora"][name] for name in dict.fromkeys(used) if name in config["corpora"]}


def drawn_datasets(config: Mapping[str, Any]) -> list[str]:
    """Return the data sets of which the report shows recordings."""
    more = [datasets_of(name, config["corpora"]) for name in config["report"]["recordings"]["datasets"]]
    return list(dict.fromkeys([*studied_datasets(config), *(dataset for datasets in more for dataset in datasets)]))


def learns_labels(config: Mapping[str, Any], corpus: str) -> bool:
    """Tell whether the labels of a corpus are learnt: not if it only serves as a source for another task."""
    tasks = {task_of(source) for source in trained_sources(config) if without_task(source) == corpus}
    return corpus in config["transfer"]["targets"] or LABELS in tasks


def view_of(config: Mapping[str, Any], corpus: str) -> str:
    """Return the name of the label view of a corpus, with labels shuffled or not; ``all`` where it has none."""
    labels = config["labels"]
    view: str = labels["views"].get(without_shuffling(corpus), labels["view"])
    return view


def samples_per_lead(config: Mapping[str, Any]) -> int:
    """Return the length of prepared recordings."""
    n_samples: float = config["signals"]["sampling_rate_hz"] * config["signals"]["duration_s"]
    return round(n_samples)


def patients_unknown(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry of config/datasets.yaml says that its patients are not published."""
    return str(entry["patients"]).startswith("not published")


def leaks(config: Mapping[str, Any]) -> list[str]:
    """Return, in plain sentences, what leaks from test to training because the config says so; empty if nothing does.

    What leaks against its will, recordings that occur twice or patients that are not known, the audit lists.
    """
    found = []
    if config["splits"]["by"] == "record":
        found.append(
            "Recordings are split and not patients (splits.by: record): one patient can have recordings in training and"
            " in test."
        )
    if not has_validation(config["splits"]):
        found.append(
            "No recordings are kept for validation: the epoch of every training and the thresholds of F1 are chosen on"
            " the test recordings, on which they are scored."
        )
    return found
