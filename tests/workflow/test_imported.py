"""Another workflow, in a folder of its own, imports this one as a module and goes on from its report."""

import shutil
from pathlib import Path

import pytest
from fast_runner import QUICK, FastRunner
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


WITH_ITS_CONFIG = {"configfile": f'configfile: "{STUDY}"\n\n\n', "more": "\n    config:\n        config"}


def test_report_of_the_module_is_that_of_a_run_at_home(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path
) -> None:
    write_importing(folder, finished_micro.folder, **WITH_ITS_CONFIG)
    ended = runner.snakemake(folder)
    assert ended.returncode == 0, ended.output
    assert results_in(folder) == finished_micro.results()
    page = finished_micro.results()["report/index.html"]
    assert int((folder / "count.txt").read_text()) == page.count(b"\n")
    again = runner.snakemake(folder)
    assert again.returncode == 0 and "Nothing to be done" in again.output, again.output
    (folder / "results/micro/findings/verdicts.csv").write_text("damaged")
    stopped = runner.snakemake(folder)
    heals = f"python {finished_micro.folder}/workflow_scripts/run.py --snakefile {folder}/Snakefile"
    assert stopped.returncode == 1
    assert "error: results/micro/findings/verdicts.csv: is damaged" in stopped.output
    assert f"; `{heals}` with the same arguments rebuilds it" in stopped.output
    (folder / "count.txt").unlink()
    healed = runner.python(folder, heals.split()[1], [*QUICK, *heals.split()[2:]])
    assert healed.returncode == 0 and "Nothing to be done: everything matches" in healed.output, healed.output
    assert results_in(folder) == finished_micro.results()
    assert int((folder / "count.txt").read_text()) == page.count(b"\n")


def test_study_of_the_command_line_where_the_module_has_no_config(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path
) -> None:
    write_importing(folder, finished_micro.folder)
    ended = runner.snakemake(folder, ["--configfile", STUDY, "--dry-run", "--quiet", "rules"])
    assert ended.returncode == 0, ended.output
    assert "ecg_plot_finding" in ended.output and "take_page" in ended.output


@pytest.mark.parametrize(
    "more",
    ['prefix: "ecg"', 'replace_prefix: {"results/": "ecg/"}', 'pathvars: results="ecg"'],
    ids=lambda text: text[:6],
)
def test_module_that_moves_files_is_refused(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path, more: str
) -> None:
    write_importing(folder, finished_micro.folder, more="\n    " + more.replace(": ", ":\n        ", 1))
    ended = runner.snakemake(folder, ["--configfile", STUDY, "--dry-run"])
    assert ended.returncode == 1
    errors = [line for line in ended.output.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and errors[0].startswith("error: `prefix`, `replace_prefix` and `pathvars` of a module")
    assert "Traceback" not in ended.output


def test_mistake_in_the_config_of_the_module_is_one_line(
    finished_micro: MicroStudy, runner: FastRunner, folder: Path
) -> None:
    write_importing(folder, finished_micro.folder, more='\n    config:\n        {"transfer": {"replicates": 0}}')
    ended = runner.snakemake(folder, ["--dry-run"])
    assert ended.returncode == 1
    errors = [line for line in ended.output.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and "`transfer.replicates` is 0" in errors[0]
