"""The harness of random tests of a whole study: quick, the same bytes in every folder, and struck where it is told."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from fast_runner import FastRunner, Fault
from micro_study import MicroStudy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")

RUN_TWICE = """
import subprocess, sys
command = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
subprocess.run([*command, "--", "results/micro/audit/leakage.csv"], check=True)
told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print("second:", told.returncode, "Nothing to be done" in told.stdout, len(told.stdout))
sys.exit(told.returncode)
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[FastRunner]:
    with FastRunner(hash_seed=1) as fast:
        yield fast


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> MicroStudy:
    """A micro-study that no test runs: copies of it are run."""
    return MicroStudy(tmp_path_factory.mktemp("new") / "checkout")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, new: MicroStudy, runner: FastRunner) -> MicroStudy:
    study = MicroStudy.copied(new.folder, tmp_path_factory.mktemp("finished") / "checkout")
    result = study.run_quickly(runner)
    assert result.returncode == 0, result.output
    return study


def test_every_rule_runs_and_nothing_runs_again(finished: MicroStudy, runner: FastRunner) -> None:
    rules = {path.name for path in (finished.folder / "results/micro/logs").iterdir()}
    listed = runner.snakemake(finished.folder, ["--configfile", "study.yaml", "--list-rules"]).output.splitlines()
    assert {rule.strip() for rule in listed if rule.strip().isidentifier()} - {"all"} <= {
        rule.removesuffix(".log") for rule in rules
    }
    assert "Nothing to be done" in finished.run_quickly(runner).output


def test_another_folder_and_other_hashes_give_the_same_bytes(
    tmp_path: Path, new: MicroStudy, finished: MicroStudy
) -> None:
    other = MicroStudy.copied(new.folder, tmp_path / "elsewhere")
    with FastRunner(hash_seed=2) as fast:
        result = other.run_quickly(fast)
    assert result.returncode == 0, result.output
    assert other.results() == finished.results()


def test_slow_run_gives_the_same_bytes(tmp_path: Path, new: MicroStudy, finished: MicroStudy) -> None:
    other = MicroStudy.copied(new.folder, tmp_path / "slow")
    Checkout.run(other, "study.yaml")
    assert other.results() == finished.results()


def test_edit_and_its_undoing_end_with_the_same_bytes(tmp_path: Path, finished: MicroStudy, runner: FastRunner) -> None:
    study = MicroStudy.copied(finished.folder, tmp_path / "edited")
    study.write_study({"compare.confidence": 0.5})
    assert study.run_quickly(runner).returncode == 0
    edited = study.results()
    assert edited["findings/verdicts.csv"] != finished.results()["findings/verdicts.csv"]
    assert edited["report/index.html"] != finished.results()["report/index.html"]
    study.write_study({})
    assert study.run_quickly(runner).returncode == 0
    assert study.results() == finished.results()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("prepare_signals", nth=2, what="kill", when="before"),
        Fault("prepare_signals", nth=2, what="kill", when="halfway", n_files=1),
        Fault("finetune", nth=3, what="kill", when="after"),
        Fault("download", what="kill", when="halfway", n_files=5),
        Fault("score_run", nth=2, what="interrupt", when="before"),
        Fault("compare", what="interrupt", when="halfway", n_files=4),
        Fault("harmonize_labels", nth=2, what="fail", when="before"),
        Fault("compare", what="fail", when="after"),
    ],
    ids=lambda fault: f"{fault.what}-{fault.rule}-{fault.when}",
)
def test_struck_run_followed_by_another_ends_with_the_same_bytes(
    tmp_path: Path, new: MicroStudy, finished: MicroStudy, runner: FastRunner, fault: Fault
) -> None:
    study = MicroStudy.copied(new.folder, tmp_path / "struck")
    struck = study.run_quickly(runner, fault=fault)
    assert struck.struck == (fault.what != "fail")
    assert struck.returncode == (-9 if fault.what == "kill" else 1), struck.output
    assert not (study.folder / "results/micro/report/index.html").exists()
    if fault.what == "kill":
        assert study.run_quickly(runner, ["--unlock"]).returncode == 0
    again = study.run_quickly(runner)
    assert again.returncode == 0, again.output
    assert study.results() == finished.results()


def test_snakemake_as_a_subprocess_of_a_script_is_forked_and_struck_too(
    tmp_path: Path, new: MicroStudy, finished: MicroStudy, runner: FastRunner
) -> None:
    study = MicroStudy.copied(new.folder, tmp_path / "by_script")
    (study.folder / "run_twice.py").write_text(RUN_TWICE)
    arguments = ["--configfile", "study.yaml", "--cores", "2"]
    struck = runner.python(study.folder, "run_twice.py", arguments, Fault("split_records", nth=2))
    assert (struck.returncode, struck.struck) == (-9, True), struck.output
    assert runner.snakemake(study.folder, ["--configfile", "study.yaml", "--unlock"]).returncode == 0
    result = runner.python(study.folder, "run_twice.py", arguments)
    assert result.returncode == 0, result.output
    assert "second: 0 False" in result.output
    assert study.results() == finished.results()
