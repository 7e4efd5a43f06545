"""Every method of transfer, every task to pre-train on, and weights from outside, each through the whole workflow."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from checkout import Checkout
from safetensors.torch import load_file

EVERY_METHOD = ["finetune", "probe", "svm", "gradual", "discriminative", "partial:1"]
OF_METHODS: dict[str, Any] = {"study": "methods", "transfer.methods": EVERY_METHOD, "transfer.models": ["gru"]}
TASKS = [f"tiny-hospital-{task}" for task in ("age", "intervals", "masked", "untrained")] + ["theirs"]
FINDINGS = ("verdicts", "costs", "controls")
SOURCES = ["tiny-hospital", "tiny-hospital-shuffled", *TASKS]


def metadata_of(checkout: Checkout, study: str, arm: str) -> dict[str, Any]:
    path = checkout.folder / "results" / study / "runs" / "tiny-clinic" / "gru" / arm / "1.0" / "run.json"
    metadata: dict[str, Any] = json.loads(path.read_text())
    return metadata


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout in which both studies have run."""
    checkout = Checkout(tmp_path_factory.mktemp("methods") / "checkout")
    with checkout.study_with(OF_METHODS | {"transfer.methods": [*EVERY_METHOD[:-1]]}) as study:
        checkout.run(study)
    weights = load_file(checkout.folder / "results/methods/pretrained/tiny-hospital/gru/weights.safetensors")
    renamed = {f"theirs.{name}": tensor for name, tensor in weights.items() if not name.startswith("head.")}
    torch.save({"state_dict": renamed}, checkout.folder / "theirs.pt")
    rows = [f"theirs.{name},{name}" for name in weights if not name.startswith("head.")]
    (checkout.folder / "names.csv").write_text("\n".join(["theirs,ours", *rows]) + "\n")
    theirs = {"trained_on": ["tiny-hospital"], "files": {"gru": "theirs.pt"}, "names": "names.csv"}
    edits = {"study": "tasks", "transfer.sources": SOURCES, "transfer.models": ["gru"], "transfer.pretrainings": 2}
    with checkout.study_with(edits | {"outside_weights": {"theirs": theirs}}) as study:
        checkout.run(study, "--", *(f"results/tasks/findings/{finding}.csv" for finding in FINDINGS))
    return checkout


@pytest.mark.parametrize("method", EVERY_METHOD[:-1])
def test_every_method_ends_in_a_verdict_and_says_what_it_trained(finished: Checkout, method: str) -> None:
    verdicts = pd.read_csv(finished.folder / "results/methods/findings/verdicts.csv")
    assert f"{method}-tiny-hospital" in set(verdicts["arm"])
    metadata = metadata_of(finished, "methods", f"{method}-tiny-hospital")
    assert metadata["method"] == method
    for replicate in metadata["replicates"]:
        frozen = replicate["transferred_weights"] if method in ("probe", "svm") else 0
        assert replicate["frozen_weights"] == frozen
        assert replicate["trained_weights"] + frozen == replicate["transferred_weights"] + replicate["new_weights"]


@pytest.mark.parametrize("source", TASKS)
def test_every_task_ends_in_a_verdict(finished: Checkout, source: str) -> None:
    verdicts = pd.read_csv(finished.folder / "results/tasks/findings/verdicts.csv")
    assert source in set(verdicts["source"])
    pretrained = finished.folder / "results/tasks/pretrained" / source / "gru" / "run.json"
    assert json.loads(pretrained.read_text())["task"] == {"theirs": "outside"}.get(source, source.split("-")[-1])


def test_a_second_pretraining_has_a_seed_of_its_own_and_is_counted(finished: Checkout) -> None:
    results = finished.folder / "results/tasks"
    costs = pd.read_csv(results / "findings/costs.csv").query("stage == 'pretraining'").set_index("source")
    assert sorted(costs.index) == sorted(SOURCES[:-1])  # what weights from outside cost is not known
    assert (costs["n_trainings"] == 2).all()
    for source in SOURCES[:-1]:
        first, second = (results / "pretrained" / source / name for name in ("gru", "gru@1"))
        seeds = [json.loads((folder / "run.json").read_text())["seed"] for folder in (first, second)]
        assert seeds[1] == seeds[0] + 1
        assert (first / "weights.safetensors").read_bytes() != (second / "weights.safetensors").read_bytes()


def test_outside_weights_do_what_the_same_weights_do_from_within(finished: Checkout) -> None:
    runs = [finished.folder / "results" / study / "runs/tiny-clinic/gru" for study in ("methods", "tasks")]
    within, outside = runs[0] / "finetune-tiny-hospital", runs[1] / "finetune-theirs"
    assert (within / "1.0/predictions.npz").read_bytes() == (outside / "1.0/predictions.npz").read_bytes()


def test_a_finished_training_leaves_no_state(finished: Checkout) -> None:
    for study in ("methods", "tasks"):
        assert not [path for path in (finished.folder / "results" / study / "unfinished").rglob("*") if path.is_file()]


def test_freezing_more_groups_than_there_are_is_one_line(finished: Checkout) -> None:
    with finished.study_with(OF_METHODS | {"transfer.methods": ["finetune", "partial:1"]}) as study:
        result = finished.snakemake(config=study)
    assert result.returncode
    assert "error: transfer.methods: partial:1 freezes everything but the head" in result.stdout + result.stderr


def test_page_says_the_methods(finished: Checkout) -> None:
    page = Path(finished.folder / "results/methods/report/index.html").read_text()
    assert "probe" in page


def test_controls_part_the_gain_and_untrained_weights_are_others_for_each_replicate(finished: Checkout) -> None:
    results = finished.folder / "results/tasks"
    controls = pd.read_csv(results / "findings/controls.csv")
    assert set(zip(controls["gain"], controls["control"], strict=True)) == {
        ("label-specific", "tiny-hospital-shuffled"),
        ("general", "tiny-hospital-untrained"),
    }
    of_each = [
        load_file(results / f"pretrained/tiny-hospital-untrained/gru{tag}/weights.safetensors") for tag in ("", "@1")
    ]
    assert any((of_each[0][name] != of_each[1][name]).any() for name in of_each[0])
