"""Pre-training on several corpora with labels of their own, joined: more than any single one of them brings."""

from dataclasses import replace

import pytest
from checkout import Checkout

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.collected import read_runs
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.verdicts import verdicts

CONFIG = "tests/workflow/many_sources.yaml"
SINGLE = ["sim-rhythm", "sim-conduction", "sim-repolarisation"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Return the scored runs of the study by their arms."""
    checkout = Checkout(tmp_path_factory.mktemp("many") / "checkout")
    checkout.run(CONFIG, "--", "results/many-sources/findings/verdicts.csv")
    collected = checkout.folder / "results/many-sources/collected"
    return {run.arm: run for run in read_runs(collected / "scores.csv", collected / "resamples.npy")}


def gain(run: Run, over: Run) -> dict[str, object]:
    """Return by how much a run is better in macro AUROC, paired by replicate and test patients, with 95 % interval."""
    table = verdicts([run, replace(over, arm=SCRATCH)], confidence=0.95, margin=0.01, seed=1)
    return table[table["metric"] == "macro_auroc"].iloc[0].to_dict()


def test_joined_sources_help(runs: dict[str, Run]) -> None:
    found = gain(runs[f"finetune-{'+'.join(SINGLE)}"], runs[SCRATCH])
    assert found["verdict"] == "helps", found


@pytest.mark.parametrize("single", SINGLE)
def test_joined_sources_help_more_than_a_single_one(runs: dict[str, Run], single: str) -> None:
    found = gain(runs[f"finetune-{'+'.join(SINGLE)}"], runs[f"finetune-{single}"])
    assert found["verdict"] == "helps", found
