"""Cells as jobs: five replicates against one, and a sweep of 60 small cells through Snakemake."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import yaml

from benchmarks.measure import Result
from benchmarks.working_tree import copy_working_tree

N_FRACTIONS = 30  # times two arms: 60 cells
CORES = 2
REPEATS = 5


def measure() -> list[Result]:
    """Return ``replicates_5_vs_1`` and ``workflow_overhead``, the percent of the cores of a sweep that do not train."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy_working_tree(folder)
        return [
            Result("replicates_5_vs_1", _replicates(folder), "x", 4.5, at_most=True),
            Result("workflow_overhead", _overhead(folder), "%", 30, at_most=True),
        ]


def _replicates(folder: Path) -> float:
    """Return how many times longer the job of a cell takes with five replicates than with one."""
    for replicates in (1, 5):  # all that the cell needs
        study = _study(f"replicates-{replicates}", [0.2], replicates)
        for needed in ("splits/bench-clinic.csv", "signals/bench-clinic.npy"):
            _snakemake(folder, study, "--", f"results/{study['study']}/{needed}")
    return median(_job_seconds(folder, 5) / _job_seconds(folder, 1) for _ in range(REPEATS))


def _job_seconds(folder: Path, replicates: int) -> float:
    """Return the seconds of a cell's job, from the start of its Python to its end, without those of Snakemake."""
    study = _study(f"replicates-{replicates}", [0.2], replicates)
    results = folder / "results" / study["study"]
    shutil.rmtree(results / "runs", ignore_errors=True)
    cell = "bench-clinic/resnet1d18/scratch/0.2"
    _snakemake(folder, study, "--", str((results / "runs" / cell / "run.json").relative_to(folder)))
    table = (results / "benchmarks/scratch/bench-clinic/resnet1d18/0.2.tsv").read_text().splitlines()
    return float(dict(zip(table[0].split("\t"), table[1].split("\t"), strict=True))["s"])


def _overhead(folder: Path) -> float:
    """Return the percent of the cores' time that 60 cells, their scores and findings spend on other than training."""
    fractions = [round(0.4 + 0.02 * step, 2) for step in range(1, N_FRACTIONS + 1)]
    study = _study("sweep", fractions, replicates=4)
    results = folder / "results" / "sweep"
    _snakemake(folder, study, "--", "results/sweep/pretrained/bench-hospital/resnet1d18/weights.safetensors")
    _snakemake(folder, study, "--", "results/sweep/splits/bench-clinic.csv")
    start = perf_counter()
    _snakemake(folder, study, "--", "results/sweep/findings/verdicts.csv")
    seconds = perf_counter() - start
    runs = [json.loads(path.read_text()) for path in results.glob("runs/**/run.json")]
    assert len(runs) == 2 * N_FRACTIONS
    training: float = sum(run["wall_seconds"] for run in runs)
    return 100 * (1 - training / (CORES * seconds))


def _study(name: str, fractions: list[float], replicates: int) -> dict[str, Any]:
    """Return a study on small simulated corpora, signals and training as in the default study."""
    corpus = {
        "layout": "ptb-xl", "n_patients": 150, "records_per_patient": 1, "sampling_rate_hz": 250, "duration_s": 10,
        "amplitude": 1.0, "noise": 1.0, "mains_hz": 50, "prevalence": {}, "seed": 1,
    }  # fmt: skip
    return {
        "study": name,
        "simulate": {"bench-hospital": corpus, "bench-clinic": {**corpus, "seed": 2}},
        "transfer": {
            "sources": ["bench-hospital"],
            "targets": ["bench-clinic"],
            "models": ["resnet1d18"],
            "fractions": fractions,
            "replicates": replicates,
        },
        "splits": {"test_folds": [4, 5, 6]},
        "pretrain": {"epochs": 1},
    }


def _snakemake(folder: Path, study: dict[str, Any], *arguments: str) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--configfile", "study.yaml", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"snakemake failed:\n{(run.stdout + run.stderr)[-2000:]}")
