"""What the config of a study asks for: which corpora, which arms, which cells."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from ecgtransfer.arms import SCRATCH, Cell, arm_of
from ecgtransfer.config.study import Study
from ecgtransfer.findings.contents import FINDINGS
from ecgtransfer.prepare.corpora import JOINED_BY, datasets_of
from ecgtransfer.source import LABELS, UNTRAINED, Source


def is_outside(study: Study, source: str) -> bool:
    """Return whether a source is weights from outside, which this study does not train."""
    return source in study.outside_weights


def datasets_behind(study: Study, source: str) -> list[str]:
    """Return the data sets that a source was trained on; of weights from outside, those that the config states."""
    if is_outside(study, source):
        return list(study.outside_weights[source].trained_on)
    return datasets_of(source, study.corpora)


def sources_of(study: Study, target: str, model: str | None = None) -> list[str]:
    """Return the sources that share no data set with a target.

    Weights from outside serve the models that they have files for; without `model` they count as serving some.
    """
    own = set(datasets_of(target, study.corpora))
    return [
        source
        for source in study.transfer.sources
        if own.isdisjoint(datasets_behind(study, source)) and (model is None or _has_weights(study, source, model))
    ]


def _has_weights(study: Study, source: str, model: str) -> bool:
    return not is_outside(study, source) or model in study.outside_weights[source].files


def trained_sources(study: Study) -> list[str]:
    """Return the sources on which this study pre-trains: all but weights from outside."""
    return [source for source in study.transfer.sources if not is_outside(study, source)]


def pretrainings_of(study: Study, source: str) -> list[int]:
    """Return the numbers of a source's pre-trainings: weights from outside are one, untrained ones never shared."""
    if is_outside(study, source):
        return [0]
    untrained = Source.of(source).task == UNTRAINED
    return list(range(study.transfer.replicates if untrained else study.transfer.pretrainings))


def transfers_of(study: Study) -> list[tuple[str, str]]:
    """Return every corpus to pre-train on with each target that it serves, whatever the task, each pair once."""
    trained = trained_sources(study)
    return list(
        dict.fromkeys(
            (Source.of(source).corpus, target)
            for target in study.transfer.targets
            for source in sources_of(study, target)
            if source in trained
        )
    )


def datasets_of_targets(study: Study, source: str) -> list[str]:
    """Return the data sets, without repetition, of all targets that share none with a corpus to pre-train on."""
    own = set(datasets_of(source, study.corpora))
    joined = [datasets_of(target, study.corpora) for target in study.transfer.targets]
    return list(dict.fromkeys(dataset for datasets in joined if own.isdisjoint(datasets) for dataset in datasets))


def cells_of(study: Study) -> list[Cell]:
    """Return every cell of the study: of a target and model scratch first, then method by method every source."""
    transfer = study.transfer
    return [
        Cell(target, model, arm, fraction)
        for target, model in product(transfer.targets, transfer.models)
        for arm in [
            SCRATCH,
            *(arm_of(method, source) for method, source in product(transfer.methods, sources_of(study, target, model))),
        ]
        for fraction in sorted(transfer.fractions)
    ]


def cells_at(study: Study, *fractions: float) -> list[Cell]:
    """Return the cells of some fractions, without controls."""
    return [cell for cell in cells_of(study) if cell.fraction in fractions and not Source.of(cell.source).is_control]


def zero_shots_of(study: Study) -> list[tuple[str, str, str]]:
    """Return target, model and source wherever a source that is trained here on its true labels meets a target."""
    transfer, trained = study.transfer, trained_sources(study)
    return [
        (target, model, source)
        for target, model in product(transfer.targets, transfer.models)
        for source in sources_of(study, target, model)
        if source in trained and Source.of(source).task == LABELS and not Source.of(source).shuffled
    ]


def corpora_of(study: Study) -> list[str]:
    """Return the corpora whose labels and splits the study needs, those of sources first, each once."""
    return list(dict.fromkeys([*(Source.of(name).corpus for name in trained_sources(study)), *study.transfer.targets]))


def studied_datasets(study: Study) -> list[str]:
    """Return the data sets behind all corpora without repetition."""
    joined = [datasets_of(corpus, study.corpora) for corpus in corpora_of(study)]
    return list(dict.fromkeys(dataset for datasets in joined for dataset in datasets))


def named_corpora(study: Study) -> dict[str, str]:
    """Return what the names of the section ``corpora`` that the study uses mean."""
    used = [name for corpus in corpora_of(study) for name in Source.of(corpus).joined.split(JOINED_BY)]
    return {name: study.corpora[name] for name in dict.fromkeys(used) if name in study.corpora}


def drawn_datasets(study: Study) -> list[str]:
    """Return the data sets of which the report shows recordings."""
    more = [datasets_of(name, study.corpora) for name in study.report.recordings.datasets]
    return list(dict.fromkeys([*studied_datasets(study), *(dataset for datasets in more for dataset in datasets)]))


def learns_labels(study: Study, corpus: str) -> bool:
    """Return whether the labels of a corpus are learnt: not if it only serves as a source for another task."""
    tasks = {Source.of(source).task for source in trained_sources(study) if Source.of(source).corpus == corpus}
    return corpus in study.transfer.targets or LABELS in tasks


def view_of(study: Study, corpus: str) -> str:
    """Return the name of the label view of a corpus, with labels shuffled or not; ``all`` where it has none."""
    labels = study.labels
    return labels.views.get(Source.of(corpus).joined, labels.view)


def patients_unknown(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of config/datasets.yaml says that its patients are not published."""
    return str(entry["patients"]).startswith("not published")


def findings_of(study: Study) -> list[str]:
    """Return the findings that a study asks for: claims and what leaky studies add only where it does."""
    compared = study.compare.beside is not None
    asked_for = {
        "claims": study.report.claims or compared,
        "parity": compared,
        "optimism": not study.splits.has_validation,
    }
    return [finding for finding in FINDINGS if asked_for.get(finding, True)]


def leaks(study: Study) -> list[str]:
    """Return, in plain sentences, what leaks from test to training because the config says so; empty if nothing does.

    What leaks against its will, recordings that occur twice or patients that are not known, the audit lists.
    """
    found = []
    if study.splits.by == "record":
        found.append(
            "Recordings are split and not patients (splits.by: record): one patient can have recordings in training and"
            " in test."
        )
    if not study.splits.has_validation:
        found.append(
            "No recordings are kept for validation: the epoch of every training and the thresholds of F1 are chosen on"
            " the test recordings, on which they are scored."
        )
    return found
