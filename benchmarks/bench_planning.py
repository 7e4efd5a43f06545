"""Planning: the dry run of a study of 2,000 cells in a fresh checkout, where everything is still to be made."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks import REPOSITORY
from benchmarks.measure import Result, repeated
from benchmarks.working_tree import copy_working_tree
from ecgtransfer.config.study import Study
from ecgtransfer.study import cells_of

N_CELLS = 2000
REPEATS = 5


def measure() -> list[Result]:
    """Return ``dryrun_2000_cells_s``: seconds of ``snakemake -n --quiet all``, from the start of Python to its end."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy_working_tree(folder)
        study = _large_study()
        assert len(cells_of(Study.model_validate(study))) == N_CELLS
        (folder / "large.yaml").write_text(yaml.safe_dump(study))
        seconds = repeated(lambda: _dry_run(folder), REPEATS)
    return [Result("dryrun_2000_cells_s", seconds, "s", 15, at_most=True)]


def _large_study() -> dict[str, Any]:
    """Return a study of 5 targets x 2 models x 10 arms (scratch and 9 sources) x 20 fractions, all simulated."""
    settings = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())["simulate"]["sim-clinic"]
    sources, targets = [f"source-{i}" for i in range(1, 10)], [f"target-{i}" for i in range(1, 6)]
    return {
        "study": "large",
        "simulate": {name: settings for name in (*sources, *targets)},
        "outside_weights": {},
        "transfer": {
            "sources": sources,
            "targets": targets,
            "methods": ["finetune"],
            "models": ["resnet1d18", "gru"],
            "fractions": [round(0.05 * i, 2) for i in range(1, 21)],
        },
    }


def _dry_run(folder: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--configfile", "large.yaml"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"the dry run failed:\n{(run.stdout + run.stderr)[-2000:]}")
