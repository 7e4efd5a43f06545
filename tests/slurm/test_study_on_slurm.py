"""A study sent to a cluster with `profiles/slurm`, one job cancelled, ends with the findings of one machine."""

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import Checkout
from cluster import Cluster

EDITS = {"transfer.models": ["resnet1d18"], "transfer.fractions": [0.5, 1.0]}
N_CELLS = 4
FINDINGS = ["--", "results/tiny/findings/curves.csv", "results/tiny/findings/verdicts.csv"]
PRETRAIN, SCRATCH, TRANSFER, SCORES = "rule_pretrain", "rule_scratch", "rule_transfer", "rule_scores"
ON_GPUS = (PRETRAIN, SCRATCH, TRANSFER)
# A submission takes some ten seconds of a core, a job of a group five: three submissions prepare, instead of seventeen.
PREPARE = ["simulate", "describe_records", "index_records", "prepare_signals", "fingerprint_signals"]
JOIN = ["harmonize_labels", "find_duplicates", "find_overlaps", "split_records"]
OPTIONS = [
    *("--groups", *(f"{rule}=prepare" for rule in PREPARE), *(f"{rule}=join" for rule in JOIN)),
    *("--slurm-no-account", "--slurm-status-command", "squeue"),  # the cluster keeps no accounts
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
]


@dataclass
class Sent:
    """A study that was sent to the cluster.

    Attributes
    ----------
    here
        The findings of the same study on this machine.
    printed
        What Snakemake printed.
    jobs
        What SLURM says of every job, in the order of submission.
    most_at_once
        Largest number of fine-tuned cells seen under way together. They are one group.
    """

    checkout: Checkout
    here: dict[str, bytes]
    printed: str
    jobs: list[dict[str, str]]
    most_at_once: int

    def of(self, *names: str) -> list[dict[str, str]]:
        """Return the jobs of rules and groups."""
        return [job for job in self.jobs if job["Comment"].startswith(names)]

    def resources_of_cells(self, rule: str) -> list[dict[str, int]]:
        """Return the resources of every cell of a rule, as Snakemake printed them."""
        lines = re.findall(rf"^ *rule {rule}:$.*?resources: (.*?)$", self.printed, re.DOTALL | re.MULTILINE)
        return [{name: int(number) for name, number in re.findall(r"(\w+)=(\d+)\b", line)} for line in lines]


@pytest.fixture(scope="module")
def sent(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """The study, sent to the cluster; the cells from scratch are cancelled when the first of them is trained."""
    checkout = Checkout(tmp_path_factory.mktemp("sent"))
    printed = checkout.folder / "printed.txt"
    with ThreadPoolExecutor() as pool, checkout.study_with(EDITS) as study:
        here = pool.submit(run_here, tmp_path_factory.mktemp("here"))
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--profile", "profiles/slurm", *OPTIONS]
        process = subprocess.Popen(
            [*command, "--configfile", study, *FINDINGS], cwd=checkout.folder, env=cluster.environment,
            stdout=printed.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            most_at_once = watch(process, checkout.folder / "results" / "tiny", cluster)
        finally:
            process.kill()
        assert process.wait() == 0, printed.read_text()[-6000:]
        return Sent(checkout, here.result(), printed.read_text(), cluster.jobs(), most_at_once)


def run_here(folder: Path) -> dict[str, bytes]:
    """Return the findings of the study on this machine."""
    checkout = Checkout(folder)
    with checkout.study_with(EDITS) as study:
        checkout.run(study, *FINDINGS)
    return checkout.findings()


def watch(process: subprocess.Popen[bytes], results: Path, cluster: Cluster) -> int:
    """Cancel the cells from scratch between the first and the second; return the most fine-tuned cells under way."""
    cancelled, most_at_once = False, 0
    while process.poll() is None:
        begun = len(list(results.glob("logs/finetune/**/*.log")))
        ended = len(list(results.glob("runs/**/finetune-*/**/predictions.npz")))
        most_at_once = max(most_at_once, begun - ended)
        if not cancelled and any(results.glob("runs/**/scratch/**/predictions.npz")):
            (job,) = (job for job in cluster.jobs() if job["Comment"].startswith(SCRATCH))
            assert job["JobState"] == "RUNNING"
            cluster.run("scancel", job["JobId"])
            cancelled = True
        time.sleep(0.2)
    return most_at_once


def test_findings_are_those_of_one_machine(sent: Sent) -> None:
    assert sent.checkout.findings() == sent.here
    assert set(sent.here) >= {"curves.csv", "verdicts.csv"}


def test_a_cancelled_job_is_sent_again(sent: Sent) -> None:
    assert [job["JobState"] for job in sent.of(SCRATCH)] == ["CANCELLED", "COMPLETED"]
    assert [job["JobState"] for job in sent.jobs].count("COMPLETED") == len(sent.jobs) - 1


def test_training_asks_for_a_gpu_and_nothing_else_does(sent: Sent) -> None:
    for job in sent.jobs:
        expected = "gres:gpu:1" if job in sent.of(*ON_GPUS) else None
        assert job.get("TresPerJob") == expected, job["Comment"]
    assert sent.of(PRETRAIN) and len(sent.jobs) > len(sent.of(*ON_GPUS))


def test_cells_share_submissions(sent: Sent) -> None:
    completed = [job for job in sent.of(SCRATCH, TRANSFER) if job["JobState"] == "COMPLETED"]
    assert len(sent.resources_of_cells("scratch") + sent.resources_of_cells("finetune")) >= N_CELLS
    assert len(completed) < N_CELLS
    assert len(sent.of(SCORES)) < N_CELLS


def test_a_group_asks_for_the_room_of_one_cell_and_the_time_of_all(sent: Sent) -> None:
    (job,) = sent.of(TRANSFER)
    cells = sent.resources_of_cells("finetune")
    assert len(cells) == N_CELLS / 2
    assert job["MinMemoryNode"] == f"{max(cell['mem_mb'] for cell in cells)}M"
    assert minutes(job["TimeLimit"]) == sum(cell["runtime"] for cell in cells)
    first, again = sent.of(SCRATCH)
    assert minutes(again["TimeLimit"]) > minutes(first["TimeLimit"])


def minutes(limit: str) -> int:
    """Return a time limit like 1-02:00:00."""
    days, _, clock = limit.rpartition("-")
    hours, minutes, _ = map(int, clock.split(":"))
    return (int(days or 0) * 24 + hours) * 60 + minutes


def test_cells_of_a_group_take_turns(sent: Sent) -> None:
    assert sent.most_at_once == 1


def test_the_default_profile_stays_in_effect(sent: Sent) -> None:
    """A touched script would rerun its rule, if Snakemake's own triggers held."""
    (sent.checkout.folder / "workflow_scripts" / "scratch.py").touch()
    with sent.checkout.study_with(EDITS) as study:
        planned = sent.checkout.snakemake("--profile", "profiles/slurm", "--dry-run", *FINDINGS, config=study)
    assert "Nothing to be done" in planned.stdout + planned.stderr
