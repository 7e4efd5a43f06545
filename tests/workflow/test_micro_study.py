"""The harness of random tests of a whole study: quick, the same bytes in every folder, and struck where requested."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fast_runner import QUICK, FastRunner, Fault
from micro_study import STUDY, MicroStudy

from ecgtransfer.findings.contents import FINDINGS


def test_every_rule_runs_and_nothing_runs_again(finished_micro: MicroStudy, runner: FastRunner) -> None:
    rules = {path.name.removesuffix(".log") for path in (finished_micro.folder / "results/micro/logs").iterdir()}
    listed = {
        path.stem for path in (finished_micro.folder / "workflow_scripts").glob("*.py") if "job(" in path.read_text()
    }
    assert rules == listed
    assert "Nothing to be done" in finished_micro.make_run(runner).output


def test_no_rule_reads_what_a_later_stage_makes(finished_micro: MicroStudy, runner: FastRunner) -> None:
    stages = re.findall(r'"(rules/\w+\.smk)"', (finished_micro.folder / "Snakefile").read_text())
    place = {
        rule: number
        for number, path in enumerate(stages)
        for rule in re.findall(r"^(?:rule|checkpoint) (\w+):", (finished_micro.folder / path).read_text(), re.MULTILINE)
    }
    of_findings = stages.index("rules/compare.smk")  # which has a rule for each, named in a loop
    not_asked_for = {"claims", "parity", "optimism"}
    place |= {f"compute_{finding}": of_findings for finding in FINDINGS if finding not in not_asked_for}
    graph = finished_micro.run_snakemake(runner, ["--rulegraph"]).output
    rules = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    arrows = {(rules[made], rules[read]) for made, read in re.findall(r"(\d+) -> (\d+)", graph)}
    assert {
        ("find_duplicates", "split_records"),
        ("split_records", "audit_leakage"),
        ("find_overlaps", "pretrain"),
    } <= arrows
    assert set(rules.values()) == {*place, "all"}
    assert not {(made, read) for made, read in arrows if read != "all" and place[made] > place[read]}


def test_another_folder_and_other_hashes_give_the_same_bytes(
    tmp_path: Path, new_micro: MicroStudy, finished_micro: MicroStudy
) -> None:
    other = MicroStudy.copied(new_micro.folder, tmp_path / "elsewhere")
    with FastRunner(hash_seed=2) as fast:
        result = other.run_snakemake(fast)
    assert result.returncode == 0, result.output
    assert other.results() == finished_micro.results()


def test_processes_of_their_own_in_an_odd_folder_give_the_same_bytes_as_forked_ones(
    tmp_path: Path, finished_micro: MicroStudy
) -> None:
    study = MicroStudy.copied(finished_micro.folder, tmp_path / "it's 100% größer – 心")
    command = [sys.executable, "-m", "snakemake", *QUICK, "--configfile", STUDY]
    forced = ["--forcerun", "audit_leakage", "collect_runs"]
    ended = subprocess.run([*command, *forced], cwd=study.folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-6000:]
    assert study.results() == finished_micro.results()


def test_folder_that_snakemake_cannot_name_is_refused(
    tmp_path: Path, new_micro: MicroStudy, runner: FastRunner
) -> None:
    study = MicroStudy.copied(new_micro.folder, tmp_path / "{x}")
    for run in (study.run_snakemake, study.make_run):
        result = run(runner)
        assert result.returncode == 1
        errors = [line for line in result.output.splitlines() if line.startswith("error")]
        assert errors == [f"error: {study.folder}/rules: braces are wildcards to Snakemake; rename the folder"]
        assert "Traceback" not in result.output


def test_edit_and_its_undoing_end_with_the_same_bytes(
    tmp_path: Path, finished_micro: MicroStudy, runner: FastRunner
) -> None:
    study = MicroStudy.copied(finished_micro.folder, tmp_path / "edited")
    study.write_study({"compare.confidence": 0.5})
    assert study.make_run(runner).returncode == 0
    edited = study.results()
    for changed in ("findings/verdicts.csv", "report/index.html"):
        assert edited[changed] != finished_micro.results()[changed]
    study.write_study({})
    assert study.make_run(runner).returncode == 0
    assert study.results() == finished_micro.results()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("prepare_signals", nth=2, what="kill", when="halfway", n_files=1),
        Fault("finetune", nth=3, what="kill", when="after"),
        Fault("score_run", nth=2, what="interrupt", when="before"),
        Fault("index_records", nth=2, what="terminate", when="before"),
        Fault("collect_runs", what="fail", when="halfway", n_files=2),
    ],
    ids=lambda fault: f"{fault.what}-{fault.rule}-{fault.when}",
)
def test_struck_run_followed_by_another_ends_with_the_same_bytes(
    tmp_path: Path, new_micro: MicroStudy, finished_micro: MicroStudy, runner: FastRunner, fault: Fault
) -> None:
    study = MicroStudy.copied(new_micro.folder, tmp_path / "struck")
    struck = study.make_run(runner, fault=fault)
    assert struck.struck, struck.output
    assert struck.returncode == {"kill": -9, "interrupt": 1, "terminate": -15, "fail": 1}[fault.what], struck.output
    assert not (study.folder / "results/micro/report/index.html").exists()
    again = study.make_run(runner)
    assert again.returncode == 0, again.output
    assert study.results() == finished_micro.results()


def test_run_that_takes_too_long_is_killed(tmp_path: Path, new_micro: MicroStudy, runner: FastRunner) -> None:
    study = MicroStudy.copied(new_micro.folder, tmp_path / "stuck")
    (study.folder / "stuck.py").write_text("import signal\nsignal.pause()\n")
    with pytest.raises(TimeoutError):
        runner.python(study.folder, "stuck.py", timeout_s=0.1)
    assert study.run_snakemake(runner, ["--list-rules"]).returncode == 0
