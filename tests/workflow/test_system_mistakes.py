"""What the system refuses, or config files that are none: one line from whoever starts the study, never a traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fast_runner import QUICK, FastRunner
from micro_study import STUDY, MicroStudy
from small_disk import REASON, can_mount, run_on

SNAKEMAKE = [sys.executable, "-m", "snakemake", *QUICK, "--configfile", STUDY]
PROGRAMS = ("run.py", "verify.py")

needs_mounts = pytest.mark.skipif(not can_mount(), reason=REASON)


@pytest.fixture
def micro(new_micro: MicroStudy, tmp_path: Path) -> MicroStudy:
    """A micro-study that has not run."""
    return MicroStudy.copied(new_micro.folder, tmp_path / "checkout")


def errors_in(output: str) -> list[str]:
    """Return the lines that say what is wrong; there is no traceback, but for the fork server's part in it."""
    lines = output.splitlines()
    frames = [line for line in lines if line.startswith("  File ") and "forked_program.py" not in line]
    assert "Traceback" not in output and not frames, output
    return [line for line in lines if line.startswith("error")]


@needs_mounts
def test_rule_on_a_full_disk(micro: MicroStudy) -> None:
    (micro.folder / "results").mkdir()
    ended = run_on("mount -t tmpfs -o size=120k tmpfs results", [*SNAKEMAKE, "--quiet"], micro.folder)
    assert ended.returncode == 1
    errors = errors_in(ended.stdout + ended.stderr)
    assert errors
    for line in errors:
        assert line.startswith("error: results/micro/")
        assert ": the disk is full; free some of it, or make the folder a link to another disk, then run again" in line


@needs_mounts
def test_rule_whose_data_cannot_be_written(micro: MicroStudy) -> None:
    (micro.folder / "data").mkdir()
    mount = "mount --bind data data && mount -o remount,bind,ro data"
    ended = run_on(mount, [*SNAKEMAKE, "--quiet", "--", "results/micro/raw/hospital.csv"], micro.folder)
    assert ended.returncode == 1
    assert errors_in(ended.stdout + ended.stderr) == [
        "error: data/hospital: the disk is read-only; make it writable, or work in another folder"
    ]


@needs_mounts
@pytest.mark.parametrize("program", ["dry run", "run.py", "plan.py"])
def test_read_only_folder(micro: MicroStudy, program: str) -> None:
    command = {
        "dry run": [*SNAKEMAKE, "--dry-run"],
        "plan.py": [sys.executable, "workflow_scripts/plan.py", STUDY],
    }.get(program, [sys.executable, f"workflow_scripts/{program}", *QUICK, "--configfile", STUDY])
    # What is mounted over the working folder is seen by who enters it anew.
    mount = 'mount --bind . . && cd "$PWD" && mount -o remount,bind,ro .'
    ended = run_on(mount, command, micro.folder)
    assert ended.returncode == 1
    errors = errors_in(ended.stdout + ended.stderr)
    assert errors == ["error: .snakemake: the disk is read-only; make it writable, or work in another folder"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing to give up root's rights with")
@pytest.mark.parametrize(
    ("folder", "mode", "rule", "named"),
    [
        ("results/micro", 0o500, "hospital", "results/micro"),
        ("data", 0o500, "hospital", "data/hospital"),
        ("own/ward", 0o600, "ward", "own/ward/00001.npy"),  # whose files are there, not missing
    ],
)
def test_folder_without_permission(micro: MicroStudy, folder: str, mode: int, rule: str, named: str) -> None:
    (micro.folder / folder).mkdir(parents=True, exist_ok=True)
    (micro.folder / folder).chmod(mode)
    command = [*SNAKEMAKE, "--quiet", "--", f"results/micro/raw/{rule}.csv"]
    if os.geteuid() == 0:  # to whom modes are nothing, unless they give this up
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    ended = subprocess.run(command, cwd=micro.folder, capture_output=True, text=True)
    (micro.folder / folder).chmod(0o700)
    assert ended.returncode == 1
    assert errors_in(ended.stdout + ended.stderr) == [
        f"error: {named}: may not be read or written; change its permissions or those of its folder, then run again"
    ]


@pytest.mark.parametrize("program", ["snakemake", *PROGRAMS])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("file", "is a file or lies below one, expected a folder; move away what is there, then run again"),
        ("loop", "is a link that leads back to itself; fix the link"),
    ],
)
def test_results_that_are_no_folder(micro: MicroStudy, runner: FastRunner, program: str, what: str, said: str) -> None:
    results = micro.folder / "results"
    results.touch() if what == "file" else results.symlink_to("results")
    if program == "snakemake":
        ended = micro.run_snakemake(runner)
    else:
        ended = runner.python(micro.folder, f"workflow_scripts/{program}", [*QUICK, "--configfile", STUDY])
    assert ended.returncode == 1
    assert errors_in(ended.output) == [f"error: results/micro: {said}"]


def test_folders_in_place_of_files(micro: MicroStudy, runner: FastRunner) -> None:
    raw, log = "data/ptb-xl/records500/00000/00001_hr.dat", "results/micro/logs/inventory/ward.log"
    for path in (raw, log):
        (micro.folder / path / "below").mkdir(parents=True)
    (micro.folder / "data/clinic").touch()
    ended = micro.make_run(runner, ["--keep-going"])
    assert ended.returncode == 1
    errors = errors_in(ended.output)
    for path, kind in {raw: "is a folder", log: "is a folder", "data/clinic": "expected a folder"}.items():
        assert sum(path in line and kind in line for line in errors) == 1
    assert len(errors) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory); check the path of the config file"),
        (b"", "holds nothing, expected keys with values, such as `study: mine`"),
        (b"- a\n", "holds a list, expected keys with values, such as `study: mine`"),
        (b"labels: [\n", "is not YAML ("),
        ("study: Köln\n".encode("latin-1"), "is not in UTF-8 (byte 9); save it in this encoding"),
    ],
    ids=["missing", "empty", "list", "bracket", "latin-1"],
)
def test_config_file_that_is_none(micro: MicroStudy, runner: FastRunner, content: bytes | None, said: str) -> None:
    file = micro.folder / "mine.yaml"
    if content is not None:
        file.write_bytes(content)
    for program in (*PROGRAMS, "plan.py"):
        arguments = [file.name] if program == "plan.py" else [*QUICK, "--configfile", file.name]
        ended = runner.python(micro.folder, f"workflow_scripts/{program}", arguments)
        errors = errors_in(ended.output)
        assert ended.returncode == 1 and len(errors) == 1
        assert errors[0].startswith("error: mine.yaml") and said in errors[0]


@pytest.mark.parametrize("content", [None, b"", b"- a\n", b"labels: [\n", b"\xff"])
@pytest.mark.parametrize("name", ["config/config.yaml", "config/datasets.yaml"])
def test_file_of_the_workflow_that_is_none(
    micro: MicroStudy, runner: FastRunner, name: str, content: bytes | None
) -> None:
    file = micro.folder / name
    file.unlink() if content is None else file.write_bytes(content)
    for ended in (micro.run_snakemake(runner, ["--dry-run"]), micro.make_run(runner)):
        errors = errors_in(ended.output)
        assert ended.returncode == 1 and len(errors) == 1
        assert errors[0].startswith(f"error: {name}")


def test_emptied_table_of_the_workflow(micro: MicroStudy, runner: FastRunner) -> None:
    (micro.folder / "config/labels/snomed.csv").write_bytes(b"")
    ended = micro.make_run(runner, ["--", "results/micro/labels/clinic.csv"])
    assert ended.returncode == 1
    errors = errors_in(ended.output)
    assert len(errors) == 1 and errors[0].startswith("error: config/labels/snomed.csv: is empty; ")
