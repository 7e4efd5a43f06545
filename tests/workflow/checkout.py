"""A copy of the working tree in which a test runs the workflow as a user would."""

import atexit
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from fast_runner import FastRunner

REPOSITORY = Path(__file__).parents[2]
TINY = "tests/workflow/tiny.yaml"
TIMED = ("convergence", "costs", "break_even", "next_steps")
_LONGEST_S = 1700
_JOB_COUNT = re.compile(r"^(\w+)\s+(\d+)$", re.MULTILINE)


@cache
def training_runner() -> "FastRunner":
    """Return what runs the studies of this process, trainings included."""
    from fast_runner import FastRunner  # which takes `REPOSITORY` from here

    runner = FastRunner(trains=True)
    atexit.register(runner.close)
    return runner


class Checkout:
    """What `git clone` would give, uncommitted changes included, with the environment of this test run as .venv.

    With `parts`, only these files and folders of it.
    """

    def __init__(self, folder: Path, parts: Sequence[str] = ()) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *parts],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        for name in listed:
            if (REPOSITORY / name).is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, target)
        environment = folder / ".venv"
        environment.mkdir()
        for part in Path(sys.prefix).iterdir():
            (environment / part.name).symlink_to(part)
        (environment / "installed").unlink(missing_ok=True)
        (environment / "installed").touch()  # newer than the lock file, so that make takes the environment as it is

    def make(self, *arguments: str) -> subprocess.Popen[str]:
        """Start make in a process group of its own, without the variables of a make that runs the tests."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.Popen(
            ["make", *arguments], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def snakemake(self, *arguments: str, config: str = TINY) -> subprocess.CompletedProcess[str]:
        """Run snakemake on two cores and return what it printed; it may fail.

        Where the fork server runs, jobs are forked from a process that has imported torch and the like already.
        """
        asked = ["--configfile", config, *arguments]
        if sys.platform == "linux":
            ended = training_runner().snakemake(self.folder, asked, timeout_s=_LONGEST_S)
            return subprocess.CompletedProcess(asked, ended.returncode, ended.output, "")
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *asked]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)

    def run(self, config: str = TINY, *arguments: str) -> str:
        """Run a study to its end and return what Snakemake printed."""
        result = self.snakemake(*arguments, config=config)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
        return result.stdout + result.stderr

    def make_run(self, config: str, *arguments: str) -> str:
        """Do what `make run` does with a study, to its end, and return what it printed."""
        if sys.platform == "linux":
            script, asked = "workflow_scripts/run.py", ["--cores", "2", "--configfile", config, *arguments]
            ended = training_runner().python(self.folder, script, asked, timeout_s=_LONGEST_S)
            returncode, printed = ended.returncode, ended.output
        else:
            process = self.make("run", f"CONFIG={config}", "CORES=2", f"ARGS={' '.join(arguments)}")
            printed, _ = process.communicate()
            returncode = process.returncode
        assert returncode == 0, printed[-9000:]
        return printed

    @classmethod
    def copied(cls, finished: Path, folder: Path) -> Self:
        """Return a copy of the checkout in a folder with all that it has made, as old as it is there."""
        shutil.copytree(finished, folder, symlinks=True)
        copy = cls.__new__(cls)
        copy.folder = folder
        return copy

    def study(self) -> dict[str, Any]:
        """Return the content of the tiny study."""
        content: dict[str, Any] = yaml.safe_load((self.folder / TINY).read_text())
        return content

    @contextmanager
    def study_with(self, edits: Mapping[str, Any]) -> Iterator[str]:
        """Yield the tiny study with config edits, given as dotted keys, as a file that is gone afterwards."""
        study = self.study()
        for key, value in edits.items():
            *parents, last = key.split(".")
            section = study
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        edited = self.folder / "edited.yaml"
        edited.write_text(yaml.safe_dump(study))
        try:
            yield edited.name
        finally:
            edited.unlink()

    def planned_jobs(self, edits: Mapping[str, Any] | None = None) -> dict[str, int]:
        """Return how many jobs of each rule a dry run plans after config edits, given as dotted keys."""
        with self.study_with(edits or {}) as study:
            result = self.snakemake("--dry-run", "--quiet", "rules", config=study)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        printed = result.stdout + result.stderr
        if "Nothing to be done" in printed:
            return {}
        table = printed.partition("Job stats:")[2].partition("\n\n")[0]
        jobs = {rule: int(n) for rule, n in _JOB_COUNT.findall(table)}
        assert jobs.pop("total") == sum(jobs.values()), printed
        return {rule: n for rule, n in jobs.items() if rule != "all"}

    def findings(self, study: str = "tiny") -> dict[str, bytes]:
        """Return every findings table that measures no time, byte for byte."""
        folder = self.folder / "results" / study / "findings"
        tables = [path for path in folder.rglob("*.csv") if path.stem not in TIMED]
        return {str(path.relative_to(folder)): path.read_bytes() for path in tables}
