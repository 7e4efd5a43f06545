"""What README and schema of the config say that an edit reruns, held against Snakemake's graph for every key."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import yaml
from checkout import REPOSITORY, TINY, Checkout

import snakemake_plan
from ecgtransfer.provenance.plan import Plan, PlannedJob

SCHEMA = yaml.safe_load((REPOSITORY / "config" / "schema.yaml").read_text())
README = (REPOSITORY / "config" / "README.md").read_text()
CORPORA = yaml.safe_load((REPOSITORY / TINY).read_text())["simulate"]
RULES = {
    rule for path in (REPOSITORY / "rules").glob("*.smk") for rule in re.findall(r"(?m)^\w+ (\w+):$", path.read_text())
} | {"compute_finding"}
"""Of the rules that there are for each finding, the README speaks as of one."""

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
    "transfer.arms": ARMS,
    "transfer.models": ["gru"],
}
"""Over the tiny study: a study in which every rule has a job."""
FILES = ("ours.csv", "codes.csv", "gru.pt", "other.csv", "other.pt")

TRAINING = {
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
    "transfer.arms": [*ARMS, "partial:2"],
    "transfer.models": ["gru", "lstm"],
    "transfer.fractions": [0.5, 1.0],
    "transfer.replicates": 9,
    "transfer.pretrainings": 2,
    "transfer.seed": 9,
    "transfer.validation": "full",
    **{f"{rule}.{key}": value for rule in ("pretrain", "scratch", "finetune") for key, value in TRAINING.items()},
    "pretrain.balance_datasets": True,
    "pretrain.seed": 9,
    "arms.probe.learning_rate": 0.1,
    "arms.svm.costs": [9],
    "arms.gradual.epochs_per_group": 9,
    "arms.discriminative.rate_ratio": 9,
    "hardware.precision": "float32",
    "hardware.deterministic": False,
    "score.n_resamples": 900,
    "score.seed": 9,
    "score.min_positives": 9,
    "compare.confidence": 0.9,
    "compare.margin": 0.9,
    "compare.seed": 9,
    "compare.beside": "clean",
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
"""What the study says besides, so that the edit of a key makes sense."""


Planner = Callable[[Mapping[str, Any]], Plan]


@dataclass(frozen=True)
class Reruns:
    """What an edit makes run: jobs that were there run `again`, by the rules that are the first; others are `new`."""

    again: frozenset[str]
    new: frozenset[str] = frozenset()


def keys_of(schema: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key, ``*`` for the names of entries, with its description; sections are no keys."""
    for name, part in schema["properties"].items():
        if "properties" in part:
            yield from keys_of(part, f"{above}{name}.")
            continue
        yield f"{above}{name}", part["description"]
        entry = part.get("additionalProperties", {})
        if "properties" in entry:
            yield from keys_of(entry, f"{above}{name}.*.")


KEYS = dict(keys_of(SCHEMA))


def rules_in(words: str) -> frozenset[str]:
    return frozenset(RULES.intersection(re.findall(r"\w+", words)))


def said_by_readme() -> dict[str, Reruns]:
    """Return what the column ``reruns`` says of each key."""
    said: dict[str, Reruns] = {}
    sections: list[str] = []
    cell = ""
    for line in README.splitlines():
        if line.startswith("## "):
            sections = [re.sub("<.*>", "*", name) for name in re.findall("`(.+?)`", line)]
        cells = [part.strip() for part in line.strip("|").split("|")]
        if len(cells) != 5 or not cells[0].startswith("`"):
            continue
        name = cells[0].strip("`")
        cell = cell if cells[-1] == "same" else cells[-1]
        below = [(f"{section}.{name}", section) for section in sections if f"{section}.{name}" in KEYS]
        for key, section in below or [(name, "")]:
            words = cell.replace("the rule of that name", f"`{section}`")
            new = re.findall(r"new `?(\w+)", words)
            named = " ".join(re.findall("`(.+?)`", re.sub(r"new `\w+`", "", words)))
            said[key] = Reruns(rules_in(named), frozenset(new))
    return said


SAID = said_by_readme()


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


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout in which nothing has run, as the working folder, with the files that the study names."""
    made = Checkout(tmp_path_factory.mktemp("column") / "checkout")
    for folder in ("ours", "elsewhere"):
        (made.folder / folder).mkdir()
    for name in FILES:
        (made.folder / name).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        patch.setattr(sys, "path", [*sys.path])  # every plan puts the library there
        patch.setattr(snakemake_plan, "forget_fingerprints", lambda: None)  # else two thirds of the time go there
        yield made


def as_one(rule: str) -> str:
    """Return what the README calls a rule."""
    return re.sub("^compute_.*", "compute_finding", rule)


@pytest.fixture(scope="module")
def planned(checkout: Checkout) -> Planner:
    """Return a function: the plan of the study after config edits, given as dotted keys. Each is made once."""

    @cache
    def plan(edits: str) -> Plan:
        with checkout.study_with({**STUDY, **yaml.safe_load(edits)}) as study:
            asked = snakemake_plan.asked_of_snakemake(["--cores", "1", "--configfile", study])
        assert asked is not None
        return replace(asked.plan, jobs=tuple(replace(job, rule=as_one(job.rule)) for job in asked.plan.jobs))

    return lambda edits: plan(yaml.safe_dump(edits))


def test_every_key_has_a_row_and_a_value_here() -> None:
    assert set(SAID) == set(EDITS) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_readme_names_the_rules_that_an_edit_reruns_first(planned: Planner, key: str) -> None:
    given = GIVEN.get(key, {})
    entry = "gru-too" if key == "models.*.of" else ENTRIES.get(key.partition(".")[0], "")
    assert reruns(planned(given), planned({**given, key.replace("*", entry): EDITS[key]})) == SAID[key]


@pytest.mark.parametrize("key", KEYS)
def test_schema_names_the_same_rules_as_the_readme(key: str) -> None:
    words = KEYS[key].replace("the rule of the section's name", key.partition(".")[0])
    assert rules_in(re.split("[Rr]eruns", words)[-1] if "eruns" in words else "") == SAID[key].again


def test_rules_follow_one_another_as_the_readme_draws_it(planned: Planner) -> None:
    makers = {path: job.rule for job in planned({}).jobs for path in job.outputs}
    real = {(makers[path], job.rule) for job in planned({}).jobs for path in job.inputs if path in makers}
    real -= {(rule, rule) for rule in RULES}
    drawn = {
        (before, after)
        for line in next(block for block in README.split("```") if "→" in block).splitlines()
        for left, right in zip(line.split("→"), line.split("→")[1:], strict=False)
        for before in rules_in(left)
        for after in rules_in(right)
    }
    assert drawn <= real
    assert with_those_between(drawn) == with_those_between(real)
    assert {rule for edge in real for rule in edge} == RULES


def with_those_between(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return every pair of rules of which the second follows the first, directly or not."""
    while True:
        more = {(start, end) for start, middle in edges for other, end in edges if middle == other} - edges
        if not more:
            return edges
        edges = edges | more
