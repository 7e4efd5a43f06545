"""Recordings that cannot be what a study says of them: one line in the stage that sees it, or a notice on the page."""

from pathlib import Path

import numpy as np
import pytest
from fast_runner import FastRunner
from micro_study import MicroStudy

SIGNALS = ["--", "results/micro/signals/ward.npy"]


@pytest.fixture
def study(tmp_path: Path, new_micro: MicroStudy) -> MicroStudy:
    return MicroStudy.copied(new_micro.folder, tmp_path / "study")


def refusal(study: MicroStudy, runner: FastRunner) -> str:
    """Prepare the signals of the ward, which must fail, and return the line that says why."""
    result = study.run_snakemake(runner, SIGNALS)
    assert result.returncode != 0
    assert "Traceback" not in result.output
    (line,) = {line for line in result.output.splitlines() if line.startswith("error:")}
    return line


def test_swapped_leads_stop_the_signals_stage(study: MicroStudy, runner: FastRunner) -> None:
    leads = study.study()["own"]["ward"]["leads"]
    leads[4], leads[5] = leads[5], leads[4]
    study.write_study({"own.ward.leads": leads})
    line = refusal(study, runner)
    assert "aVR and aVF seem swapped in" in line
    assert "; fix `leads` of the data set or of its table" in line


def test_one_lead_stops_the_signals_stage_and_names_the_key(study: MicroStudy, runner: FastRunner) -> None:
    for path in (study.folder / "own/ward").glob("*.npy"):
        np.save(path, np.load(path)[1:2])
    study.write_study({"own.ward.leads": ["II"]})
    line = refusal(study, runner)
    assert "usable: 11 leads are missing (`signals.max_flat_leads`)" in line


def test_a_wrong_rate_is_said_on_terminal_and_page(study: MicroStudy, runner: FastRunner) -> None:
    study.write_study({"own.ward.sampling_rate_hz": 200})
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    words = "the sampling rate of 200 Hz seems too high"
    assert f"ward: {words}" in result.output
    assert words in (study.folder / "results/micro/report/index.html").read_text()
