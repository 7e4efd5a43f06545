"""Every recording of the mirror is described or rejected with a reason."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from ecgtransfer.prepare.records import describe_records

REPOSITORY = Path(__file__).parents[2]
MIRROR = REPOSITORY.parent / "shared/mirror"
pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="no real recordings beside the repository")
DATASETS = yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text())

RECORDS = {
    "ptb-xl": (400, 0),
    "cpsc2018": (12, 0),
    "cpsc2018-extra": (22, 0),
    "ptb-challenge": (7, 0),
    "ptb-xl-challenge": (26, 0),
    "georgia": (55, 0),
    "chapman-shaoxing": (15, 0),
    "ningbo": (49, 0),
    "ludb": (150, 0),
    "ptbdb": (4, 0),
}
"""Records of a WFDB data set, and how many of them are rejected."""


def listed(folder: Path) -> set[str]:
    """Return the records that RECORDS names, nested ones included."""
    found = set()
    for line in (folder / "RECORDS").read_text().split():
        if line.endswith("/"):
            found |= {line + record for record in listed(folder / line)}
        else:
            found.add(line)
    return found


def describe(name: str) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """Return both tables of a data set and the headers that RECORDS names below its folders."""
    entry = DATASETS[name]
    folder = MIRROR / entry["path"]
    roots = [folder / root for root in entry["folders"]]
    headers = {f"{record}.hea" for record in listed(folder) if any((folder / record).is_relative_to(r) for r in roots)}
    described, rejected, _ = describe_records(entry, folder, [*sorted(headers), *entry["tables"]])
    return described, rejected, headers


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_is_in_one_of_the_tables(name: str) -> None:
    described, rejected, headers = describe(name)
    n_records, n_rejected = RECORDS[name]
    assert (len(headers), len(rejected)) == (n_records, n_rejected), rejected["reason"].tolist()
    assert sorted([*described["path"], *rejected["path"]]) == sorted(headers)
    assert described["record_id"].is_unique
    assert (described["patient_id"] != "").all()
    assert (described["n_samples"] > 0).all()


def test_ptb_xl_says_patients_folds_sites_months_and_likelihoods() -> None:
    described, _, _ = describe("ptb-xl")
    table = pd.read_csv(MIRROR / DATASETS["ptb-xl"]["path"] / "ptbxl_database.csv").set_index("ecg_id")
    table = table.loc[described["record_id"].astype(int)]
    assert described["patient_id"].astype(int).tolist() == table["patient_id"].astype(int).tolist()
    assert described["fold"].tolist() == table["strat_fold"].tolist()
    assert described["month"].tolist() == table["recording_date"].str[:7].tolist()
    sites = table["site"].map(lambda site: "" if pd.isna(site) else str(int(site)))
    assert described["site"].tolist() == sites.tolist()
    assert described["statements"][0] == "NORM@100|LVOLT@0|SR@0"


def test_ptb_diagnostic_knows_its_patients() -> None:
    described, _, _ = describe("ptbdb")
    assert described["patient_id"].tolist() == ["patient001"] * 3 + ["patient009"]
    assert described["statements"].str.startswith("Reason for admission: Myocardial infarction|").all()


def test_sph_sample() -> None:
    folder = MIRROR / "samples/sph"
    paths = sorted(path.name for path in folder.iterdir())
    described, rejected, _ = describe_records(DATASETS["sph"], folder, paths)
    table = pd.read_csv(folder / "metadata.csv")
    assert [f"{record}.h5" for record in described["record_id"]] == table["ECG_ID"].tolist()
    assert described["n_samples"].tolist() == table["N"].tolist()
    assert described["statements"][0] == "22|23"
    assert rejected.to_numpy().tolist() == [
        ["SPH00005", "SPH00005.h5#ecg", "no row of metadata.csv names this file in ECG_ID"]
    ]


def test_code15_sample() -> None:
    folder = MIRROR / "samples/code15"
    described, rejected, _ = describe_records(
        DATASETS["code-15"], folder, sorted(path.name for path in folder.iterdir())
    )
    assert rejected.empty
    assert set(described["path"]) == {f"{path.name}#feats" for path in folder.glob("*.mat")}
    assert sorted(described["n_samples"]) == [2934] * 3 + [4096] * 3
    labels = dict(zip(described["record_id"], described["statements"], strict=True))
    assert labels["1594286"] == "RBBB"
    assert labels["270272"] == "RBBB"
    assert labels["2754228"] == "1dAVb"
