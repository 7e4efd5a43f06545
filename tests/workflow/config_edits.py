"""What an edit of each key of the config makes run again, seen in Snakemake's graph.

`make docs` writes what comes out into the README of the config.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import REPOSITORY, TINY, Checkout

import snakemake_plan
from ecgtransfer.config.tables import keys_of
from ecgtransfer.provenance.plan import Plan, PlannedJob

CORPORA = yaml.safe_load((REPOSITORY / TINY).read_text())["simulate"]
KEYS = {key.path: key for key in keys_of(yaml.safe_load((REPOSITORY / "config/config.yaml").read_text()))}

SOURCES = ["tiny-hospital", "tiny-hospital-shuffled", "tiny-hospital-intervals", "tiny-hospital-masked", "ptb-xl+ours"]
ARMS = ["finetune", "probe", "svm", "gradual", "discriminative", "partial:1"]
STUDY: Mapping[str, Any] = {
    "study": "elaborate",
    "own.ours.folder": "ours",
    "own.ours.table": "ours.csv",
    "own.ours.label_table": "codes.csv",
    "outside_weights.theirs.trained_on": ["code-15"],
    "outside_weights.theirs.files": {"gru": "gru.pt"},
    "transfer.sources": [*SOURCES, "tiny-hospital-age", "theirs"],
    "transfer.methods": ARMS,
    "transfer.models": ["gru"],
}
"""Over the tiny study: a study in which every rule has a job."""
FILES = ("ours.csv", "codes.csv", "gru.pt", "other.csv", "other.pt")

_TRAINING = {
    "epochs": 9, "min_steps": 9, "patience": 9, "batch_size": 9, "learning_rate": 0.1, "weight_decay": 0.1,
    "optimizer": "adam", "schedule": "cosine", "positive_weight": "balanced", "crop_s": 1, "choose_by": "weighted_f1",
}  # fmt: skip
EDITS: Mapping[str, Any] = {
    "study": "another",
    "mirror": "file:///mirror",
    "mirrors": {"ptb-xl": "file:///mirror"},
    "limits": {"ptb-xl": 9},
    "own": {"ours": {"folder": "elsewhere", "table": "ours.csv", "label_table": "codes.csv"}},
    "own.*.folder": "elsewhere",
    "own.*.table": "other.csv",
    "own.*.columns": {"patient": "person"},
    "own.*.sampling_rate_hz": 250,
    "own.*.unit": "uV",
    "own.*.leads": ["I", "II"],
    "own.*.label_separator": ";",
    "own.*.empty_labels": "negative",
    "own.*.label_table": "other.csv",
    "simulate": CORPORA | {"tiny-clinic": CORPORA["tiny-hospital"]},
    "simulate.*.layout": "challenge-2021",
    "simulate.*.n_patients": 9,
    "simulate.*.records_per_patient": 2,
    "simulate.*.sampling_rate_hz": 500,
    "simulate.*.duration_s": 9,
    "simulate.*.amplitude": 2,
    "simulate.*.noise": 2,
    "simulate.*.mains_hz": 60,
    "simulate.*.prevalence": {"AF": 0.1},
    "simulate.*.seed": 9,
    "corpora": {"both": "ours+ptb-xl"},
    "signals.sampling_rate_hz": 100,
    "signals.duration_s": 9,
    "signals.band_pass.design": "fir",
    "signals.band_pass.low_hz": 1,
    "signals.band_pass.high_hz": 15,
    "signals.band_pass.order": 2,
    "signals.band_pass.edge_s": 2,
    "signals.notch_hz": 50,
    "signals.remove_baseline": True,
    "signals.resampling": "fft",
    "signals.scaling": "z-score",
    "signals.crop": "centre",
    "signals.pad_short_records": False,
    "signals.max_flat_leads": 9,
    "signals.max_nan_fraction": 0.9,
    "signals.implausible_gain.ratio": 9,
    "signals.implausible_gain.action": "exclude",
    "labels.view": "superclass",
    "labels.views": {"tiny-clinic": "scored"},
    "labels.include": ["AF"],
    "labels.top": 9,
    "labels.min_likelihood": 9,
    "labels.min_records": 9,
    "labels.shuffle_seed": 9,
    "splits.by": "month",
    "splits.seed": 9,
    "splits.n_folds": 11,
    "splits.valid_folds": [2],
    "splits.test_folds": [9],
    "splits.valid_groups": ["c"],
    "splits.test_groups": ["c"],
    "splits.test_share": 0.9,
    "models": {"gru": {"head": "flatten"}},
    "models.*.of": "lstm",
    "models.*.head": "flatten",
    "models.*.age_sex": True,
    "outside_weights": {"theirs": {"trained_on": ["code-15"], "files": {"gru": "other.pt"}}},
    "outside_weights.*.trained_on": ["ludb"],
    "outside_weights.*.files": {"gru": "other.pt", "lstm": "other.pt"},
    "outside_weights.*.names": "other.csv",
    "transfer.sources": [*SOURCES, "tiny-hospital-age", "theirs", "georgia"],
    "transfer.targets": ["tiny-clinic", "ludb"],
    "transfer.methods": [*ARMS, "partial:2"],
    "transfer.models": ["gru", "lstm"],
    "transfer.fractions": [0.5, 1.0],
    "transfer.replicates": 9,
    "transfer.pretrainings": 2,
    "transfer.seed": 9,
    "transfer.validation": "full",
    **{
        f"{section}.{key}": value
        for section in ("training", "pretrain", "scratch", "finetune")
        for key, value in _TRAINING.items()
    },
    "pretrain.balance_datasets": True,
    "pretrain.seed": 9,
    "methods.probe.learning_rate": 0.1,
    "methods.svm.costs": [9],
    "methods.gradual.epochs_per_group": 9,
    "methods.discriminative.rate_ratio": 9,
    "hardware.precision": "float32",
    "hardware.deterministic": False,
    "hardware.kernels": "plain",
    "score.n_resamples": 900,
    "score.seed": 9,
    "score.min_positives": 9,
    "compare.confidence": 0.9,
    "compare.margin": 0.9,
    "compare.variance": "own",
    "compare.seed": 9,
    "compare.beside": "clean",
    "report.claims": True,
    "report.recordings.datasets": ["ludb"],
    "report.recordings.per_dataset": 9,
}
"""Another value of every key."""
ENTRIES = {"own": "ours", "simulate": "tiny-clinic", "models": "gru", "outside_weights": "theirs"}
"""Whose key is edited, for keys of entries."""
GROUPS = {"splits.by": "site", "splits.valid_groups": ["a"], "splits.test_groups": ["b"]}
GIVEN: Mapping[str, Mapping[str, Any]] = {
    "simulate.*.layout": {"simulate.tiny-clinic.records_per_patient": 1},
    "corpora": {"corpora": {"both": "ptb-xl+ours"}, "transfer.sources": [*SOURCES[:-1], "both"]},
    "splits.valid_groups": GROUPS,
    "splits.test_groups": GROUPS,
    "splits.test_share": {"splits.by": "record", "splits.test_share": 0.5},
    "models.*.of": {
        "models.gru-too.of": "gru",
        "transfer.models": ["gru-too"],
        "outside_weights.theirs.files": {"gru-too": "gru.pt"},
    },
    "models.*.age_sex": {"transfer.sources": [*SOURCES, "theirs"]},
    "outside_weights.*.trained_on": {
        "outside_weights.theirs.trained_on": ["tiny-clinic"],
        "transfer.targets": ["tiny-clinic", "ludb"],
    },
    "outside_weights.*.files": {"transfer.models": ["gru", "lstm"]},
    "compare.beside": {"splits.valid_folds": []},
}
"""What the study also sets, so that the edit of a key makes sense."""


@dataclass(frozen=True)
class Reruns:
    """What an edit makes run: jobs that were there run `again`, by the rules that are the first; others are `new`."""

    again: frozenset[str]
    new: frozenset[str] = frozenset()

    @property
    def in_words(self) -> str:
        """As written in the column "reruns"."""
        if "folder" in self.new:
            return "all, in a new folder"
        new = [f"new {word}" if word in ("cells", "figures") else f"new `{word}`" for word in sorted(self.new)]
        return ", ".join([*new, *(f"`{rule}`" for rule in sorted(self.again))]) or "nothing"


Planner = Callable[[Mapping[str, Any]], Plan]


@contextmanager
def planner(folder: Path) -> Iterator[Planner]:
    """Give a function: the plan of the study after config edits, given as dotted keys, each made once.

    Meanwhile a checkout in which nothing has run, with the files that the study names, is the working folder.
    """
    made = Checkout(folder / "checkout")
    for name in ("ours", "elsewhere"):
        (made.folder / name).mkdir()
    for name in FILES:
        (made.folder / name).touch()

    @cache
    def plan(edits: str) -> Plan:
        with made.study_with({**STUDY, **yaml.safe_load(edits)}) as study:
            asked = snakemake_plan.asked_of_snakemake(["--cores", "1", "--configfile", study])
        assert asked is not None
        jobs = (replace(job, rule=re.sub("^compute_.*", "compute_finding", job.rule)) for job in asked.plan.jobs)
        return replace(asked.plan, jobs=tuple(jobs))  # of the rules of findings the README speaks as of one

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        patch.setattr(sys, "path", [*sys.path])  # every plan puts the library there
        patch.setattr(snakemake_plan, "forget_fingerprints", lambda: None)  # else two thirds of the time go there
        yield lambda edits: plan(yaml.safe_dump(edits))


def reruns_of(planned: Planner, key: str) -> Reruns:
    """Return what an edit of a key makes run."""
    given = GIVEN.get(key, {})
    entry = "gru-too" if key == "models.*.of" else ENTRIES.get(key.partition(".")[0], "")
    return reruns(planned(given), planned({**given, key.replace("*", entry): EDITS[key]}))


def first(jobs: list[PlannedJob], plan: Plan) -> frozenset[str]:
    """Return the rules of those jobs that rest on none of the others."""
    records = {job.record for job in jobs}
    follow: set[str] = set()
    rules = set()
    for job in plan.jobs:
        rests_on_some = not follow.isdisjoint(job.inputs)
        if job.record in records and not rests_on_some:
            rules.add(job.rule)
        if job.record in records or rests_on_some:
            follow.update(job.outputs)
    return frozenset(rules)


def reruns(before: Plan, after: Plan) -> Reruns:
    """Return what runs because a plan has become another one."""
    known = {job.record: job for job in before.jobs}
    new = [job for job in after.jobs if job.record not in known]
    kept = [job for job in after.jobs if job.record in known]
    again = first([job for job in kept if asks_for(job) != asks_for(known[job.record])], after)
    rules = {job.rule for job in new}
    for word, signs in {"cells": {"scratch", "finetune"}, "figures": {"plot_recordings"}}.items():
        if kept and rules & signs:
            return Reruns(again, frozenset([word]))
    return Reruns(again, first(new, after) if kept else frozenset(["folder"]))


def asks_for(job: PlannedJob) -> tuple[object, ...]:
    """Return what makes a job run again when it changes; code does not change here."""
    return job.params, set(job.inputs), set(job.outputs)
