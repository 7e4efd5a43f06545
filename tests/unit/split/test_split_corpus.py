"""The splits of a corpus after its audit: copies and useless records have no role, and who shares a signal is one."""

import pandas as pd
import pytest

from ecgtransfer.audit.duplicates import PAIR_COLUMNS
from ecgtransfer.config.splits import Splits
from ecgtransfer.split.corpus import split_corpus

SETTINGS = Splits(seed=1, n_folds=4, valid_folds=[3], test_folds=[4])
N = 24


def records() -> pd.DataFrame:
    """Return two records each of patients p0 to p11, in folds 1 to 4."""
    return pd.DataFrame(
        {
            "record_id": [f"r{number}" for number in range(N)],
            "patient_id": [f"p{number // 2}" for number in range(N)],
            "fold": [float(number // 2 % 4 + 1) for number in range(N)],
            "codes": ["1"] * N,
            "labelled": 1,
        }
    )


def pairs(*of: tuple[str, str]) -> pd.DataFrame:
    """Return pairs of records of one signal."""
    table = pd.DataFrame([("a", first, "a", second) for first, second in of], columns=PAIR_COLUMNS[:4])
    return table.reindex(columns=PAIR_COLUMNS)


def split(
    table: pd.DataFrame, copies: pd.DataFrame, usable: list[int] | None = None, learnt: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """Return the splits by record id, and the notices."""
    quality = pd.DataFrame({"record_id": table["record_id"], "usable": usable or [1] * N})
    labels = pd.DataFrame({"record_id": table["record_id"], "x": [0, 1] * (N // 2)})
    splits, notices = split_corpus(table, quality, labels, copies, ["a"], SETTINGS, 2, learnt, "a")
    return splits.set_index("record_id"), notices


def test_without_copies_roles_are_those_of_the_folds() -> None:
    table = records()
    splits, notices = split(table, pairs())
    assert splits.index.tolist() == table["record_id"].tolist()
    assert splits["patient_id"].tolist() == table["patient_id"].tolist()
    roles = table["fold"].map({1: "train", 2: "train", 3: "valid", 4: "test"})
    assert splits["role"].tolist() == roles.tolist()
    assert splits.columns.tolist() == ["patient_id", "role", "rank_0", "rank_1"]
    assert notices == []


def test_a_copy_has_no_role_and_its_patient_is_that_of_the_first() -> None:
    table = records()
    table.loc[table["record_id"] == "r7", "codes"] = "2"
    splits, notices = split(table, pairs(("r0", "r7")))  # p0 of fold 1, p3 of fold 4
    assert splits.index.tolist() == [name for name in table["record_id"] if name != "r7"]
    assert splits.loc["r6", "patient_id"] == "p0"
    assert splits.loc[["r0", "r1", "r6"], "role"].tolist() == ["train"] * 3
    assert splits.loc[["r0", "r1", "r6"], "rank_0"].nunique() == 1
    assert notices[0].startswith("1 pairs of recordings are one signal with different labels")
    assert notices[1].startswith("1 patients have recordings in several folds; 1 of their recordings go with")


@pytest.mark.parametrize("learnt", [True, False])
def test_what_is_of_no_use_has_no_role(learnt: bool) -> None:
    table = records()
    table.loc[3, "labelled"] = 0
    usable = [0 if number == 5 else 1 for number in range(N)]
    splits, _ = split(table, pairs(), usable, learnt)
    gone = {"r3", "r5"} if learnt else {"r5"}
    assert set(table["record_id"]) - set(splits.index) == gone
