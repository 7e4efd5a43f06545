"""`make verify` finds every damage to what a study rests on, of any kind, and none where there is none."""

from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from changing_world import damage, products
from fast_runner import FastRunner, Result
from micro_study import STUDY, MicroStudy

from ecgtransfer.provenance.digests import Digests
from ecgtransfer.provenance.judge import State, judge
from ecgtransfer.provenance.plan import Plan

N_DAMAGES = 200


def verify(study: MicroStudy, runner: FastRunner) -> Result:
    return runner.python(study.folder, "workflow_scripts/verify.py", ["--cores", "1", "--configfile", STUDY])


def artefacts(study: MicroStudy) -> list[Path]:
    """Return all that a run makes, raw files too, but the plan, which each run writes anew and nobody trusts."""
    unlisted = {"RECORDS", "SHA256SUMS.txt"}  # what the host says; no job reads it after the download
    paths = [path for path in products(study) if path.name != "plan.json"]
    return paths + [path for path in products(study, "data") if path.name not in unlisted and path.suffix != ".lock"]


def test_nothing_on_a_clean_study(finished_micro: MicroStudy, runner: FastRunner) -> None:
    result = verify(finished_micro, runner)
    assert result.returncode == 0, result.output
    assert result.output.splitlines()[-1].endswith("every byte matches the current config, code and files")


def test_every_damage_is_found(finished_micro: MicroStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished_micro.folder)
    plan = Plan.read("results/micro/provenance/plan.json")
    kinds = defaultdict(list)
    for path in artefacts(finished_micro):
        kinds[path.relative_to(finished_micro.folder).parts[:3], path.suffix].append(path)
    assert len(kinds) > 30
    random, missed = Random(1), []
    for number in range(N_DAMAGES):
        alike = list(kinds.values())[number % len(kinds)]
        path = random.choice(alike)
        before = {other: other.read_bytes() for other in alike}
        how = damage(path, random, alike)
        changed = [other for other in alike if other.read_bytes() != before[other]]
        found = [one for one in judge(plan, Digests(None)) if one.state in (State.STALE, State.LOST)]
        if not found or not changed:
            missed.append((how, path))
        for other in changed:
            other.write_bytes(before[other])
    assert not missed
    assert {one.state for one in judge(plan, Digests(None))} == {State.CURRENT}


def test_the_line_names_the_artefact_and_what_heals_it(finished_micro: MicroStudy, runner: FastRunner) -> None:
    path = finished_micro.folder / "results/micro/scores/clinic/gru/scratch/1.0.csv"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0.", b"1.", 1))
    result = verify(finished_micro, runner)
    path.write_bytes(content)
    assert result.returncode == 1
    name = path.relative_to(finished_micro.folder)
    line = f"{name}: is damaged, its bytes are not those that were written; `make run CONFIG={STUDY}` rebuilds it"
    assert line in result.output.splitlines()
