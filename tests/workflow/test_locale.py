"""A terminal whose language settings are not UTF-8: umlauts in tables, paths and config files work all the same."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fast_runner import QUICK
from micro_study import STUDY, MicroStudy

FOLDER, TABLE, FILE = "own/Ärzte–µV", "own/Ärztin.csv", "Müller–心.npy"
SNAKEMAKE = ["-m", "snakemake", *QUICK, "--configfile", STUDY]


@pytest.fixture
def study(new_micro: MicroStudy, tmp_path: Path) -> MicroStudy:
    """A micro-study with umlauts wherever a user may write them."""
    micro = MicroStudy.copied(new_micro.folder, tmp_path / "Größe")
    own = micro.folder / "own"
    with (own / "ward.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (own / "ward" / rows[0]["name"]).rename(own / "ward" / FILE)
    rows[0]["name"] = FILE
    rows[1]["person"] = "Ärztin"
    rows[2]["ecg"] = "wÜ3"
    with (micro.folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    (own / "ward").rename(micro.folder / FOLDER)
    micro.write_study({"own.ward.folder": FOLDER, "own.ward.table": TABLE})
    text = (micro.folder / STUDY).read_text(encoding="utf-8")
    (micro.folder / STUDY).write_text(f"# Für Ärzte – µV\n{text}", encoding="utf-8")
    return micro


def run_in_ascii(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Python where neither text nor names of files are taken for UTF-8; return its status and what it printed."""
    names = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, *arguments], cwd=folder, env=names | ascii_alone, capture_output=True)
    output = (ended.stdout + ended.stderr).decode("utf-8", "backslashreplace")
    assert "Traceback" not in output and "UnicodeDecodeError" not in output, output
    return ended.returncode, output


def test_study_runs_in_a_locale_that_is_not_utf_8(study: MicroStudy) -> None:
    target = "results/micro/splits/ward+ptb-xl.csv"
    command = ["workflow_scripts/run.py", *QUICK, "--configfile", STUDY, "--", target]
    returncode, output = run_in_ascii(study.folder, *command)
    assert returncode == 0, output
    assert "Nothing to be done" in output
    results = study.folder / "results/micro"
    records = pd.read_csv(results / "records/ward.csv", dtype=str, keep_default_na=False, encoding="utf-8")
    assert len(records) == len(pd.read_csv(study.folder / TABLE))
    assert records["path"][0] == FILE
    assert "wÜ3" in records["record_id"].tolist()
    assert records["patient_id"][1] == "Ärztin"
    assert (pd.read_csv(results / "signals/ward.csv")["usable"] == 1).all()


@pytest.mark.parametrize(
    "arguments",
    [
        [*SNAKEMAKE, "--dry-run"],
        ["workflow_scripts/run.py", *QUICK, "--configfile", STUDY, "--dry-run"],
        ["workflow_scripts/plan.py", STUDY],
    ],
    ids=["snakemake", "run.py", "plan.py"],
)
def test_plan_in_a_locale_that_is_not_utf_8(study: MicroStudy, arguments: list[str]) -> None:
    returncode, output = run_in_ascii(study.folder, *arguments)
    assert returncode == 0, output


def test_snakemake_elsewhere_in_a_locale_that_is_not_utf_8_says_what_to_set(study: MicroStudy, tmp_path: Path) -> None:
    returncode, output = run_in_ascii(study.folder, *SNAKEMAKE, "--dry-run", "--directory", str(tmp_path / "else"))
    assert returncode == 1
    assert [line for line in output.splitlines() if line.startswith("error")] == [
        "error: Python takes names of files for ascii, expected UTF-8; set PYTHONUTF8=1 and run again"
    ]
