"""What a study takes, against numbers worked out by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ecgtransfer.config.study import Study
from ecgtransfer.forecast import data_table, hours_of, past_speeds, plan_text, trainings_table
from ecgtransfer.study import named_corpora
from ecgtransfer.train.accounting import PASSES
from ecgtransfer.train.registry import forward_flops_by_registry
from ecgtransfer.train.speed import measured_speed

REPOSITORY = Path(__file__).parents[2]
PUBLISHED: dict[str, Any] = {
    "big": {"n_records": 1000, "n_bytes": 50_000_000},
    "small": {"n_records": 100},
}


def study_with(**sections: dict[str, Any]) -> Study:
    """Return the default study, 10 s at 100 Hz, with changes; folds 3 and 4 of 10 validate and test."""
    config: dict[str, Any] = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    config["signals"] = {"sampling_rate_hz": 100, "duration_s": 10}
    config["splits"] = {"n_folds": 10, "valid_folds": [3], "test_folds": [4]}
    for name, section in sections.items():
        config[name] = config.get(name, {}) | section
    return Study.of(config)


def test_data_sets() -> None:
    study = study_with(
        transfer={"sources": ["big"], "targets": ["small", "sim-clinic"]}, limits={"big": 200, "small": 500}
    )
    table = data_table(study, PUBLISHED, {}).set_index("data set")
    assert table["records"].to_dict() == {"big": 200, "small": 100, "sim-clinic": 784}
    assert table.loc["big", "download MB"] == 10
    assert pd.isna(table.loc["small", "download MB"])
    assert table.loc["sim-clinic", "download MB"] == 0
    assert table.loc["big", "signals MB"] == pytest.approx(200 * 12 * 1000 * 2 / 1e6)


def test_a_name_of_a_corpus_counts_all_that_it_joins_and_is_said_once() -> None:
    corpora = {"both": "big+small", "unused": "big"}
    transfer = {"sources": ["both"], "targets": ["sim-clinic"], "models": ["gru"]}
    study = study_with(transfer=transfer, corpora=corpora)
    data = data_table(study, PUBLISHED, {})
    assert data["data set"].tolist() == ["big", "small", "sim-clinic"]
    n_records = dict(zip(data["data set"], data["records"], strict=True))
    trainings = trainings_table(study, n_records)
    plain = trainings_table(study_with(transfer=transfer | {"sources": ["big+small"]}), n_records)
    assert trainings["records seen"].tolist() == plain["records seen"].tolist()
    text = plan_text("mine", named_corpora(study), data, trainings.assign(hours=1.0), "by guess", "")
    assert "\n\nboth: big+small\n\n" in text
    assert "unused" not in text


def test_own_data_are_not_fetched() -> None:
    study = study_with(transfer={"targets": ["ours"]}, own={"ours": {"folder": "ours", "table": "table.csv"}})
    table = data_table(study, PUBLISHED, {"ours": 7}).set_index("data set")
    assert (table.loc["ours", "records"], table.loc["ours", "download MB"]) == (7, 0)


def test_trainings() -> None:
    """Of 100 records 80 train, 10 validate and 10 test; those that are predicted count a third."""
    study = study_with(
        transfer={
            "sources": ["big", "big-masked"], "targets": ["small"], "models": ["gru"], "methods": ["finetune", "probe"],
            "fractions": [0.5, 1.0], "replicates": 3,
        },
        pretrain={"epochs": 2, "min_steps": 0},
        scratch={"epochs": 4, "min_steps": 0},
        finetune={"epochs": 4, "min_steps": 80, "batch_size": 8},
    )  # fmt: skip
    table = trainings_table(study, {"big": 1000, "small": 100}).set_index(["rule", "corpus", "arm"])
    assert table.loc[("pretrain", "big-masked", ""), "records seen"] == pytest.approx(2 * (900 + 100 / 3))
    scratch = table.loc[("scratch", "small", "scratch")]
    assert (scratch["jobs"], scratch["trainings"]) == (2, 6)
    half, whole = 4 * (40 + 5 / 3) + 20 / 3, 4 * (80 + 10 / 3) + 20 / 3
    assert scratch["records seen"] == pytest.approx(3 * (half + whole))
    half, whole = 16 * (40 + 5 / 3) + 20 / 3, 8 * (80 + 10 / 3) + 20 / 3  # 80 steps of 5 and of 10 batches
    assert table.loc[("finetune", "small", "finetune-big"), "records seen"] == pytest.approx(3 * (half + whole))
    probe = table.loc[("finetune", "small", "probe-big-masked"), "records seen"]
    assert probe == pytest.approx(3 * ((40 + 20) / 3 + (80 + 20) / 3))
    hours = hours_of(table.reset_index(), study, {"gru": PASSES * forward_flops_by_registry("gru", 1000) / 2})
    assert hours.to_numpy() == pytest.approx(table["records seen"].to_numpy() * 2 / 3600)


def test_every_pretraining_is_counted() -> None:
    transfer = {"sources": ["big"], "targets": ["small"], "models": ["gru"], "replicates": 3}
    tables = [
        trainings_table(study_with(transfer=transfer | {"pretrainings": n}), {"big": 1000, "small": 100})
        for n in (1, 3)
    ]
    once, thrice = (table.set_index("rule").loc["pretrain", ["jobs", "trainings", "records seen"]] for table in tables)
    assert thrice.tolist() == (3 * once).tolist()


@pytest.mark.parametrize(
    ("splits", "train", "test"), [({"by": "record", "test_share": 0.25}, 75, 25), ({"valid_folds": []}, 90, 10)]
)
def test_trainings_without_validation_records(splits: dict[str, Any], train: int, test: int) -> None:
    """The test records are predicted after every epoch, and at the end for both uses."""
    study = study_with(
        splits=splits, pretrain={"epochs": 2, "min_steps": 0}, scratch={"epochs": 4, "min_steps": 0},
        transfer={"sources": ["big"], "targets": ["small"], "models": ["gru"], "fractions": [0.5], "replicates": 1},
    )  # fmt: skip
    table = trainings_table(study, {"big": 1000, "small": 100}).set_index("rule")["records seen"]
    assert table["pretrain"] == pytest.approx(2 * (10 * train + 10 * test / 3))
    assert table["scratch"] == pytest.approx(4 * (train / 2 + test / 3) + 2 * test / 3)


def test_speeds_are_those_of_the_last_device() -> None:
    gru = {"model": "gru", "samples_per_second": 10}
    runs = [
        gru | {"device": "old", "flops_per_sample": 9},
        *(gru | {"device": "new", "flops_per_sample": flops} for flops in (30, 2, 1)),
        gru | {"device": "other", "flops_per_sample": None},  # a support vector machine on frozen features
        gru | {"model": "lstm", "device": "new", "flops_per_sample": 5},
    ]
    assert past_speeds(runs) == {"gru": (20, "new"), "lstm": (50, "new")}
    assert past_speeds([]) == {}


def test_a_probe_measures_something() -> None:
    speed = measured_speed("gru", {"head": "pool"}, 64, 4, seconds=0.1, kernels="fast")
    assert 1e6 < speed < 1e15
