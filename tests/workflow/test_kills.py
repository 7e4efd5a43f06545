"""`make run`, killed without warning at every stage and started again, ends with the same findings."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from checkout import TINY, Checkout
from physionet import publish, served

STUDY = "study.yaml"


def set_up(folder: Path) -> Checkout:
    """Return a checkout with the tiny study, its target downloaded."""
    checkout = Checkout(folder)
    study = yaml.safe_load((checkout.folder / TINY).read_text())
    study["transfer"] |= {"targets": ["ptb-xl"], "models": ["resnet1d18"]}
    (checkout.folder / STUDY).write_text(yaml.safe_dump(study))
    return checkout


def make_run(checkout: Checkout, mirror: str) -> subprocess.Popen[str]:
    """Start `make run` with a mirror."""
    return checkout.make("run", f"CONFIG={STUDY}", "CORES=2", f"ARGS=--config mirror={mirror}")


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Wait until a stage is under way and kill everything that `make run` started."""
    deadline = time.monotonic() + 180
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(600)
def test_killed_runs_end_with_the_same_bytes(tmp_path: Path) -> None:
    publish(tmp_path / "mirror")
    disturbed, undisturbed = set_up(tmp_path / "disturbed"), set_up(tmp_path / "undisturbed")
    data, results = disturbed.folder / "data" / "ptb-xl", disturbed.folder / "results" / "tiny"
    with served(tmp_path / "mirror", pause_s=0.1) as slow:
        kill_when(make_run(disturbed, slow), lambda: len(list(data.rglob("*.dat"))) > 5)
    assert not (results / "raw" / "ptb-xl.csv").exists()
    fetched = {path: path.stat().st_mtime_ns for path in data.rglob("*.dat")}

    with served(tmp_path / "mirror") as mirror:
        preparing = results / "signals"
        kill_when(make_run(disturbed, mirror), lambda: any(preparing.glob(".*.part")) or any(preparing.glob("*.npy")))
        assert {path: path.stat().st_mtime_ns for path in fetched} == fetched, "fetched twice"

        logs = results / "logs" / "scratch"
        kill_when(make_run(disturbed, mirror), lambda: any("epoch 1" in log.read_text() for log in logs.rglob("*.log")))
        assert not (results / "findings" / "verdicts.csv").exists()

        process = make_run(disturbed, mirror)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert output.splitlines()[-1] == "report: results/tiny/report/index.html"
        undisturbed.make_run(STUDY, "--config", f"mirror={mirror}")
        again = make_run(disturbed, mirror)
        assert "Nothing to be done" in again.communicate()[0]
    assert disturbed.findings() == undisturbed.findings()
    assert set(disturbed.findings()) >= {"curves.csv", "verdicts.csv"}
