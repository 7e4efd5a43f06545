"""A study can be run in another folder than the workflow's, which may be one that nobody can write."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fast_runner import QUICK, FastRunner
from micro_study import STUDY, MicroStudy, results_in
from small_disk import REASON, can_mount, run_on

ARGUMENTS = [*QUICK, "--configfile", STUDY]


@pytest.fixture
def elsewhere(finished_micro: MicroStudy, tmp_path: Path) -> Path:
    """A folder with a study and what it names, and nothing of the workflow."""
    folder = tmp_path / "else where"
    folder.mkdir()
    shutil.copytree(finished_micro.folder / "own", folder / "own")
    shutil.copyfile(finished_micro.folder / STUDY, folder / STUDY)
    return folder


def assert_same_study(folder: Path, finished: MicroStudy) -> None:
    """The page and all findings are those of a run in the workflow's own folder, byte for byte."""
    assert results_in(folder) == finished.results()
    assert {path.name for path in folder.iterdir()} == {".snakemake", "data", "own", "results", STUDY}


def test_snakemake_and_programs_in_another_folder(
    finished_micro: MicroStudy, runner: FastRunner, elsewhere: Path
) -> None:
    home = finished_micro.folder
    ended = runner.snakemake(elsewhere, ["--snakefile", f"{home}/Snakefile", "--configfile", STUDY])
    assert ended.returncode == 0, ended.output
    assert_same_study(elsewhere, finished_micro)
    ended = runner.python(elsewhere, f"{home}/workflow_scripts/run.py", ARGUMENTS)
    assert ended.returncode == 0 and "Nothing to be done: everything matches" in ended.output, ended.output
    assert "report: results/micro/report/index.html" in ended.output
    ended = runner.python(elsewhere, f"{home}/workflow_scripts/verify.py", ARGUMENTS)
    assert ended.returncode == 0 and "every byte matches" in ended.output, ended.output
    table = elsewhere / "results/micro/findings/verdicts.csv"
    table.write_text(table.read_text() + " ")
    ended = runner.python(elsewhere, f"{home}/workflow_scripts/verify.py", ARGUMENTS)
    assert ended.returncode == 1
    assert "verdicts.csv" in ended.output and "`workflow_scripts/run.py` with the same arguments" in ended.output


def test_make_run_with_another_directory(finished_micro: MicroStudy, runner: FastRunner, elsewhere: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished_micro.folder / "results").rglob("*")}
    ended = finished_micro.make_run(runner, ["--directory", str(elsewhere)])
    assert ended.returncode == 0, ended.output
    assert f"report: {elsewhere}/results/micro/report/index.html" in ended.output
    assert_same_study(elsewhere, finished_micro)
    (elsewhere / "results/micro/labels/clinic.csv").write_text("damaged")
    ended = finished_micro.make_run(runner, ["--directory", str(elsewhere), "--dry-run"])
    assert "labels/clinic.csv" in ended.output.partition("would rebuild")[2]
    ended = finished_micro.make_run(runner, ["--directory", str(elsewhere)])
    assert ended.returncode == 0, ended.output
    assert_same_study(elsewhere, finished_micro)
    assert before == {path: path.stat().st_mtime_ns for path in (finished_micro.folder / "results").rglob("*")}


@pytest.mark.skipif(not can_mount(), reason=REASON)
def test_workflow_that_nobody_can_write(finished_micro: MicroStudy, elsewhere: Path) -> None:
    home = finished_micro.folder
    mount = f"mount --bind '{home}' '{home}' && mount -o remount,bind,ro '{home}'"
    command = [sys.executable, f"{home}/workflow_scripts/run.py", *ARGUMENTS, "--", "results/micro/records/ward.csv"]
    ended = run_on(mount, command, elsewhere)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = "results/micro/records/ward.csv"
    assert (elsewhere / table).read_bytes() == (home / table).read_bytes()


def test_plan_in_another_folder_reads_the_study_there(elsewhere: Path, finished_micro: MicroStudy) -> None:
    (elsewhere / "own/ward.csv").write_text('ecg,person,name,sex,age,words\n1,2,"3.npy')
    command = [sys.executable, f"{finished_micro.folder}/workflow_scripts/plan.py", STUDY]
    ended = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: own/ward.csv: row 2 is not CSV (")
