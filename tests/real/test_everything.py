"""All real data sets at once: every record kept or rejected, and every recording that is there twice found."""

from pathlib import Path

import pandas as pd
import pytest
from checkout import REPOSITORY, Checkout

MIRROR = REPOSITORY.parent / "shared" / "mirror"
DATASETS = {
    "ptb-xl": 400, "ptbdb": 4, "ptb-xl-challenge": 26, "ptb-challenge": 7, "georgia": 55, "ningbo": 49,
    "chapman-shaoxing": 15, "cpsc2018": 12, "cpsc2018-extra": 22, "ludb": 150,
}  # fmt: skip

# What the mirror is known to hold twice; anything else that the audit reports would have to be shown to be the same.
WITHIN = {("ptb-xl", "137", "138"), ("ptb-xl", "143", "144"), ("georgia", "E07509", "E07510")}
BETWEEN = {
    *((f"ptb-xl {i}", f"ptb-xl-challenge HR0000{i}") for i in range(1, 6)),
    ("ptbdb s0010_re", "ptb-challenge S0001"),
}

FLAGGED = {  # found by looking at every flagged recording
    "georgia": ("gain_ratio", {"E00015"}),
    "ptb-xl-challenge": ("gain_ratio", {"HR00599"}),
    "ludb": ("clipped_leads", {"88", "109", "111"}),
    "ningbo": ("flat_leads", {"JS11438", "JS20004", "JS45542"}),
}

pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of real recordings beside the repository")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the study up to its audit and its quality pages."""
    checkout = Checkout(tmp_path_factory.mktemp("everything"))
    pages = [f"results/everything/figures/quality/{name}.png" for name in DATASETS]
    checkout.run(
        "tests/real/everything.yaml", "--config", f"mirror=file://{MIRROR}",
        "--", "results/everything/audit/leakage.csv", *pages,
    )  # fmt: skip
    return checkout.folder / "results" / "everything"


@pytest.mark.parametrize("name", DATASETS)
def test_every_record_is_kept_or_rejected_and_counted(results: Path, name: str) -> None:
    records = pd.read_csv(results / "records" / f"{name}.csv", dtype=str)
    rejected = pd.read_csv(results / "records" / f"{name}.rejected.csv", dtype=str)
    manifest = pd.read_csv(results / "raw" / f"{name}.csv")
    headers = manifest.loc[manifest["path"].str.endswith(".hea"), "path"]
    assert sorted([*records["path"], *rejected["path"]]) == sorted(headers)
    assert len(headers) == DATASETS[name]
    summary = pd.read_csv(results / "findings" / "quality" / f"{name}.csv").groupby("step")["records"].sum()
    assert summary["found"] == DATASETS[name]
    assert summary["kept"] + summary.get("rejected", 0) + summary.get("not usable", 0) == summary["found"]


def test_the_audit_finds_what_is_there_twice_and_nothing_else(results: Path) -> None:
    leakage = pd.read_csv(results / "audit" / "leakage.csv", dtype=str)
    signals = leakage[leakage["kind"] == "signal"]
    roles, across = (signals[signals["scope"] == scope] for scope in ("roles", "source-target"))
    assert set(zip(roles["dataset_a"], roles["record_a"], roles["record_b"], strict=True)) == WITHIN
    assert set(roles["handled"]) == {"b left out"}
    sides = [across[f"dataset_{side}"] + " " + across[f"record_{side}"] for side in "ab"]
    assert set(zip(*sides, strict=True)) == BETWEEN
    assert set(across["handled"]) == {"a excluded from source"}


def test_other_recordings_of_a_patient_of_the_target_are_left_out_of_the_source(results: Path) -> None:
    leakage = pd.read_csv(results / "audit" / "leakage.csv", dtype=str)
    patients = leakage[leakage["kind"] == "patient"]
    assert set(patients["dataset_a"] + " " + patients["record_a"]) == {"ptbdb s0015lre", "ptbdb s0017lre"}
    assert set(patients["record_b"]) == {"S0001"}, "whose patient is that of s0010_re, patient001"
    assert set(patients["handled"]) == {"a excluded from source"}


@pytest.mark.parametrize("name", DATASETS)
def test_flags_are_on_the_recordings_that_deserve_them(results: Path, name: str) -> None:
    quality = pd.read_csv(results / "signals" / f"{name}.csv", dtype={"record_id": str}).set_index("record_id")
    found = {
        "gain_ratio": set(quality.index[~quality["gain_ratio"].between(0.25, 4)]),
        "clipped_leads": set(quality.index[quality["clipped_leads"] > 0]),
        "flat_leads": set(quality.index[quality["flat_leads"] > 0]),
    }
    expected: dict[str, set[str]] = {flag: set() for flag in found}
    if name in FLAGGED:
        flag, records = FLAGGED[name]
        expected[flag] = records
    assert found == expected
