"""The entries of config/datasets.yaml fit what reads them, and their numbers fit together."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from ecgtransfer.leads import lead_columns
from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.layouts import LAYOUTS

CONFIG = Path(__file__).parents[3] / "config"
DATASETS = yaml.safe_load((CONFIG / "datasets.yaml").read_text())
CHALLENGE = ["cpsc2018", "cpsc2018-extra", "incart", "ptb-challenge", "ptb-xl-challenge", "georgia",
    "chapman-shaoxing", "ningbo"]  # fmt: skip
REFERENCE = Path(__file__).parents[3].parent / "shared/reference/labels/cinc2020_reference.csv"
ALWAYS = {"title", "version", "path", "folders", "suffixes", "tables", "reader", "licence", "citation", "n_records",
    "patients"}  # fmt: skip
SOMETIMES = {"host", "listing", "archives", "records_per_part", "unit", "leads", "label_table", "n_bytes", "overlaps"}


@pytest.mark.parametrize("name", DATASETS)
def test_entry(name: str) -> None:
    entry = DATASETS[name]
    assert entry.keys() >= ALWAYS
    assert entry.keys() <= ALWAYS | SOMETIMES
    assert callable(import_module(f"{LAYOUTS}.{entry['reader']}").layout)
    if "label_table" in entry:
        assert (CONFIG / "labels" / entry["label_table"]).is_file()
    assert all(name in DATASETS[other]["overlaps"] for other in entry.get("overlaps", []))
    if "unit" in entry:
        assert millivolts_per_unit(entry["unit"]) > 0
    if "leads" in entry:
        assert sorted(lead_columns(tuple(entry["leads"])).columns) == list(range(12))


def test_counts_add_up() -> None:
    assert sum(DATASETS[name]["n_records"] for name in CHALLENGE) == 88_253
    assert DATASETS["ptb-xl"]["n_records"] == 21_799
    assert DATASETS["ptb-xl-1.0.1"]["n_records"] == DATASETS["ptb-xl-challenge"]["n_records"] == 21_837


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no labels of the Challenge next to the repository")
def test_counts_of_the_challenge_2020_sets() -> None:
    records = [line.split(",")[0] for line in REFERENCE.read_text().split()]
    of_set = {"A": "cpsc2018", "Q": "cpsc2018-extra", "I": "incart", "S": "ptb-challenge", "H": "ptb-xl-challenge",
        "E": "georgia"}  # fmt: skip
    for letter, name in of_set.items():
        assert sum(record.startswith(letter) for record in records) == DATASETS[name]["n_records"]
    assert {record[0] for record in records} == set(of_set)
