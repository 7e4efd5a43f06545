"""Another workflow, in a folder of its own, imports this one as a module and goes on from its report."""

import shutil
from pathlib import Path

import pytest
from fast_runner import FastRunner, Result
from micro_study import STUDY, MicroStudy, results_in

IMPORTING = """\
{configfile}
module ecg_transfer:
    snakefile: "{home}/workflow/Snakefile"{more}


use rule * from ecg_transfer as ecg_*


rule count:
    default_target: True
    input:
        "results/micro/beside/page.txt",
    output:
        "count.txt",
    shell:
        "wc -l < {{input}} > {{output}}"


rule take_page:
    input:
        page=rules.ecg_report.output.page,
    output:
        "results/micro/beside/page.txt",
    shell:
        "cp {{input.page:q}} {{output}}"
"""
"""Two rules of its own; one of them writes into the folder of the study."""


@pytest.fixture
def folder(finished_micro: MicroStudy, tmp_path: Path) -> Path:
    """The folder of the other workflow, with a study and what it names."""
    folder = tmp_path / "importing"
    folder.mkdir()
    shutil.copytree(finished_micro.folder / "own", folder / "own")
    shutil.copyfile(finished_micro.folder / STUDY, folder / STUDY)
    return folder


def write_importing(folder: Path, home: Path, configfile: str = "", more: str = "") -> None:
    """Write the Snakefile of the other workflow."""
    (folder / "Snakefile").write_text(IMPORTING.format(home=home, configfile=configfile, more=more))


def run(runner: FastRunner, folder: Path, *arguments: str) -> Result:
    """Run the other workflow as its user does."""
    return runner.snakemake(folder, ["--workflow-profile", "none", *arguments])


def test_report_of_the_module_is_that_of_a_run_at_home(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path
) -> None:
    write_importing(folder, finished_micro.folder, f'configfile: "{STUDY}"\n\n\n', "\n    config:\n        config")
    ended = run(runner, folder)
    assert ended.returncode == 0, ended.output
    assert results_in(folder) == finished_micro.results()
    page = finished_micro.results()["report/index.html"]
    assert int((folder / "count.txt").read_text()) == page.count(b"\n")
    assert {path.name for path in folder.iterdir()} >= {"results", "data"}
    again = run(runner, folder)
    assert again.returncode == 0 and "Nothing to be done" in again.output, again.output


def test_study_of_the_command_line_where_the_module_has_no_config(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path
) -> None:
    write_importing(folder, finished_micro.folder)
    ended = run(runner, folder, "--configfile", STUDY, "--dry-run", "--quiet", "rules")
    assert ended.returncode == 0, ended.output
    assert "ecg_plot_findings" in ended.output and "take_page" in ended.output
