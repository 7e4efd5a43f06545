"""`make plan` prints a study before it runs."""

import subprocess
import sys

from checkout import TINY, Checkout


def plan(checkout: Checkout, config: str = TINY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "workflow_scripts/plan.py", config]
    return subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True)


def test_a_study_that_has_run_needs_nothing(finished: Checkout) -> None:
    printed = plan(finished).stdout
    assert "tiny-clinic" in printed
    assert "6 jobs with 10 trainings" in printed
    assert "by past runs on" in printed
    assert printed.endswith("To do now, according to Snakemake's dry run:\n\nnothing\n")


def test_an_edit_is_said_with_its_reason(finished: Checkout) -> None:
    with finished.study_with({"scratch.epochs": 2}) as study:
        printed = plan(finished, study).stdout
    assert "scratch" in printed.partition("params have changed since last execution:")[2].split()


def test_a_mistake_is_one_line(finished: Checkout) -> None:
    with finished.study_with({"transfer.models": ["grue"]}) as study:
        result = plan(finished, study)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error in the config: ")
    assert result.stderr.count("\n") == 1
