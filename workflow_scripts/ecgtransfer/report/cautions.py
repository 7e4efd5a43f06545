"""What the numbers of a study cannot say, found in its config and its tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ecgtransfer.config.study import Study
from ecgtransfer.exhibits.names import ANSWERED_METRIC
from ecgtransfer.exhibits.tables import number
from ecgtransfer.prepare.corpora import datasets_of
from ecgtransfer.source import Source
from ecgtransfer.statistics.resampling import patients_of_rarer_class
from ecgtransfer.study import datasets_behind, is_outside, patients_unknown, trained_sources

FEW_TEST_PATIENTS = 100
FEW_TEST_POSITIVES = 10  # patients
FEW_REPLICATES = 5
NEAR_CHANCE = 0.6  # macro AUROC


@dataclass(frozen=True)
class Caution:
    """One thing that the numbers cannot say; a severe one is also shown next to the answer."""

    text: str
    severe: bool = False


def cautions(
    study: Study,
    published: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, pd.DataFrame],
    curves: pd.DataFrame,
    verdicts: pd.DataFrame,
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    leakage: pd.DataFrame,
) -> list[Caution]:
    """Return everything that a reader must know before using a study's numbers, severe things first.

    Parameters
    ----------
    study : its config
    published : entries of config/datasets.yaml of the study's published data sets
    records : records table of each data set
    curves, verdicts : tables of the findings of these names
    labels, splits : tables of each corpus by its name
    leakage : what `ecgtransfer.audit.leakage` found
    """
    found = [
        *_simulated(study),
        *_replicates(study.transfer.replicates),
        *_small_tests(study.transfer.targets, labels, splits, study.score.min_positives),
        *_near_chance(curves),
        *_unequal_trainings(study),
        *_pretraining(study),
        *_unknown_patients(published),
        *_unnamed_patients(study.own, records),
        _leakage(leakage),
        _many_intervals(verdicts, study.compare.confidence),
    ]
    return sorted(found, key=lambda caution: not caution.severe)


def _simulated(study: Study) -> Iterable[Caution]:
    """State which numbers are of simulated recordings, and what was only pre-trained on some."""
    transfer, simulated = study.transfer, study.simulate
    joined = {target: datasets_of(target, study.corpora) for target in transfer.targets}
    tested = dict.fromkeys(name for target in joined for name in joined[target] if name in simulated)
    if tested:
        yield Caution(
            f"{_are(list(tested))} simulated: what comes out on {'it' if len(tested) == 1 else 'them'} shows that the"
            " workflow works, and is no evidence about real patients.",
            severe=True,
        )
    real = [target for target, datasets in joined.items() if tested.keys().isdisjoint(datasets)]
    seen = dict.fromkeys(
        name for source in transfer.sources for name in datasets_behind(study, source) if name in simulated
    )
    if real and seen:
        yield Caution(
            f"{_are(list(seen))} simulated: what is pre-trained on {'it' if len(seen) == 1 else 'them'} has learnt from"
            f" simulated recordings. The numbers of {_listed(real)} are of real patients."
        )


def _replicates(n_replicates: int) -> Iterable[Caution]:
    if n_replicates == 1:
        yield Caution(
            "Every cell was trained once (transfer.replicates: 1). The intervals cover the variation of test patients"
            " only and ignore that of training, which is often larger: do not trust helps and hurts.",
            severe=True,
        )
    elif n_replicates < FEW_REPLICATES:
        yield Caution(
            f"Every cell was trained {n_replicates} times. So few replicates say little about the variance of training:"
            " the intervals are widened for it, and more replicates (transfer.replicates) would narrow them."
        )


def _small_tests(
    targets: Iterable[str],
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    min_positives: int,
) -> Iterable[Caution]:
    for target in targets:
        test = splits[target][splits[target]["role"] == "test"]
        n_patients = test["patient_id"].nunique()
        if n_patients < FEW_TEST_PATIENTS:
            yield Caution(f"{target} has only {n_patients} test patients. Its numbers mean little.", severe=True)
        tested = labels[target].set_index("record_id").loc[test["record_id"]]
        known, patients = tested.notna().to_numpy(), test["patient_id"].to_numpy()
        rarer = pd.Series(patients_of_rarer_class((tested == 1).to_numpy(), known, patients), index=tested.columns)
        left_out, rare = rarer[rarer < min_positives], rarer[(rarer >= min_positives) & (rarer < FEW_TEST_POSITIVES)]
        if len(left_out):
            yield Caution(
                f"{target}: macro scores leave out {_counted(left_out)}. They include labels that at least"
                f" {min_positives} test patients have, and as many lack (score.min_positives)."
            )
        if len(rare):
            yield Caution(
                f"{target}: fewer than {FEW_TEST_POSITIVES} test patients have, or lack, {_counted(rare)}. Their"
                " part of a macro score means little, and it weighs as much as that of any other label."
            )


def _near_chance(curves: pd.DataFrame) -> Iterable[Caution]:
    """Warn of models that nowhere get far above the 0.5 of guessing: the effect of transfer there means nothing."""
    rows = curves[curves["metric"] == ANSWERED_METRIC]
    rows = rows[[not Source.of(source).is_control for source in rows["source"]]]
    for (target, model), cell in rows.groupby(["target", "model"]):
        highest = cell["score"].max()
        if highest < NEAR_CHANCE:
            yield Caution(
                f"{model} hardly learns on {target}: no macro AUROC is above {number(highest)}, and guessing gives"
                " 0.5. A model that does not learn cannot show whether pre-training helps.",
                severe=True,
            )


def _unequal_trainings(study: Study) -> Iterable[Caution]:
    scratch, finetune = study.scratch.model_dump(), study.finetune.model_dump()
    differ = [
        f"{key} ({_shown(value)} from scratch, {_shown(finetune[key])} with transfer)"
        for key, value in scratch.items()
        if value != finetune[key]
    ]
    if differ:
        yield Caution(
            f"Trainings from scratch and with transfer differ in more than the start: {_listed(differ)}. Part of any"
            " difference may come from that. Settings for both belong in the section training.",
            severe=True,
        )


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value}"


def _pretraining(study: Study) -> Iterable[Caution]:
    if trained_sources(study) and study.transfer.pretrainings == 1:
        yield Caution(
            f"Each source was pre-trained once per model (pretrain.seed: {study.pretrain.seed}). The intervals"
            " do not contain the variance of pre-training: another seed could give other weights and another"
            " difference. With as many pre-trainings as replicates (transfer.pretrainings) they would."
        )
    for name in (source for source in study.transfer.sources if is_outside(study, source)):
        seen = _listed(study.outside_weights[name].trained_on) or "nothing that this study knows"
        yield Caution(
            f"{name} is weights from outside. That they were trained on {seen} is as stated in the config: whether"
            " they have seen test recordings cannot be audited."
        )


def _unknown_patients(published: Mapping[str, Mapping[str, Any]]) -> Iterable[Caution]:
    unknown = [entry["title"] for entry in published.values() if patients_unknown(entry)]
    if unknown:
        yield Caution(
            f"{_listed(unknown)}: no patients are published, each recording counts as its own patient. Recordings of"
            " one person may train and test, and intervals may be too narrow."
        )


def _unnamed_patients(own: Iterable[str], records: Mapping[str, pd.DataFrame]) -> Iterable[Caution]:
    """State for which of the user's data sets the table names no patients, or a different one for each recording."""
    for name in (dataset for dataset in own if dataset in records):
        if (records[name]["patient_id"] == records[name]["record_id"]).all():
            yield Caution(
                f"{name}: each recording counts as its own patient, as its table names no others. Recordings of one"
                " person may train and test, and intervals may be too narrow."
            )


def _leakage(leakage: pd.DataFrame) -> Caution:
    signals = leakage[leakage["kind"] == "signal"]
    across = signals[signals["scope"] == "source-target"]
    n_across = len(across[["dataset_a", "record_a"]].drop_duplicates())
    n_within = len(signals[signals["scope"] == "roles"])
    if n_across or n_within:
        found = (
            f"{n_across} recordings of sources are in a target, too, and were left out of pre-training; {n_within}"
            " pairs of recordings within a corpus are the same, and only one of each was used."
        )
    else:
        found = "No recording was found twice."
    return Caution(
        f"{found} Only the windows that training sees were compared: other recordings of the same person cannot be"
        " found by their signal."
    )


def _many_intervals(verdicts: pd.DataFrame, confidence: float) -> Caution:
    n_intervals = len(verdicts[verdicts["metric"] == ANSWERED_METRIC])
    return Caution(
        f"Each interval stands on its own. Of the {n_intervals} comparisons of macro AUROC, about {1 - confidence:.0%}"
        " would come out as helps or hurts even if pre-training never made a difference."
    )


def _counted(patients: pd.Series) -> str:
    """Return labels with their number of patients."""
    return _listed([f"{label} ({count})" for label, count in patients.items()])


def _are(names: list[str]) -> str:
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'}"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
