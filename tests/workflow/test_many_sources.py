"""Pre-training on several corpora with labels of their own, joined: more than any single one of them brings."""

from dataclasses import replace
from pathlib import Path

import pytest
from checkout import Checkout

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.findings import Run, load_run, verdicts

CONFIG = "tests/workflow/many_sources.yaml"
SINGLE = ["sim-rhythm", "sim-conduction", "sim-repolarisation"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Return the scored runs of the study by their arms."""
    checkout = Checkout(tmp_path_factory.mktemp("many") / "checkout")
    checkout.run(CONFIG, "--", "results/many-sources/findings/verdicts.csv")
    scores = checkout.folder / "results/many-sources/scores/sim-all/xresnet1d18"
    return {path.parent.name: run_of(path) for path in scores.glob("*/0.7.csv")}


def run_of(scores: Path) -> Run:
    return load_run("sim-all", "xresnet1d18", scores.parent.name, 0.7, scores, scores.with_name("0.7.resamples.npz"))


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
