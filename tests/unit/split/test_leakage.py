"""The leakage table: what is double across roles and across source and target, and what was done about it."""

import pandas as pd
import pytest

from ecgtransfer.split.leakage import LEAKAGE_COLUMNS, leakage, patients_of_one_id

PAIR = ["dataset_a", "record_a", "dataset_b", "record_b", "shift_s", "overlap_s", "correlation", "gain"]


def pairs(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame([(*row, 1.5, 8.5, 0.99, 1.0) for row in rows], columns=PAIR)


def split(**role_of: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"record_id": [name.strip("_").replace("__", ":") for name in role_of], "role": role_of.values()}
    )


def patients(**patient_of: str) -> pd.DataFrame:
    ids = [name.split("__") for name in patient_of]
    return pd.DataFrame(
        {"dataset": [i[0] for i in ids], "record_id": [i[1] for i in ids], "patient_id": list(patient_of.values())}
    )


PATIENTS = patients(s__1="p", s__2="p", s__3="q", s__4="r", t__1="p", t__2="b", t__3="b", u__1="c")


JOINED = {"s": ["s"], "s-shuffled": ["s"], "t": ["t"], "u": ["u"], "t+u": ["t", "u"], "both": ["t", "u"]}


def rows(table: pd.DataFrame) -> set[tuple[str, ...]]:
    keys = ["kind", "scope", "record_a", "role_a", "record_b", "role_b", "handled"]
    return set(table[keys].itertuples(index=False, name=None))


def test_copies_within_a_corpus() -> None:
    table = leakage(
        {"s": split(_1="train", _2="train", _3="test")},
        {"s": pairs(("s", "1", "s", "2"), ("s", "1", "s", "4"), ("s", "2", "s", "3"), ("s", "4", "s", "9"))},
        {},
        [],
        PATIENTS,
        JOINED,
    )
    assert list(table.columns) == LEAKAGE_COLUMNS
    assert rows(table) == {
        ("signal", "roles", "1", "train", "2", "train", "same role"),
        ("signal", "roles", "1", "train", "4", "", "b left out"),
        ("signal", "roles", "2", "train", "3", "test", "not handled"),
        ("signal", "roles", "4", "", "9", "", "both left out"),
    }
    assert set(table["correlation"]) == {0.99}
    assert set(table["shift_s"]) == {1.5}


def test_patients_in_two_roles() -> None:
    table = leakage(
        {"s": split(_1="train", _2="test", _3="test"), "s-shuffled": split(_1="train", _2="train", _3="test")},
        {"s": pairs()},
        {},
        [],
        PATIENTS,
        JOINED,
    )
    assert rows(table) == {("patient", "roles", "1", "train", "2", "test", "not handled")}
    assert table["corpus_a"].tolist() == ["s"]


@pytest.mark.parametrize("name", ["t+u", "both"])
def test_records_of_joined_corpora_are_named_by_data_set(name: str) -> None:
    table = leakage(
        {name: split(t__1="train", t__2="train", t__3="valid", u__1="train")},
        {name: pairs(("t", "1", "u", "1"))},
        {},
        [],
        PATIENTS,
        JOINED,
    )
    assert rows(table) == {
        ("signal", "roles", "1", "train", "1", "train", "same role"),
        ("patient", "roles", "2", "train", "3", "valid", "not handled"),
    }
    assert table.loc[0, ["dataset_a", "dataset_b"]].tolist() == ["t", "u"]


OVERLAPS = pairs(("s", "1", "t", "1"), ("s", "4", "t", "2"), ("s", "3", "u", "1"))


def source_and_target(namespaces: dict[str, str], overlaps: pd.DataFrame = OVERLAPS) -> pd.DataFrame:
    return leakage(
        {
            "s": split(_1="train", _2="train", _3="train"),
            "s-shuffled": split(_1="train", _2="train", _3="train"),
            "t": split(_1="test", _2="train", _3="train"),
            "u": split(_1="test"),
        },
        {"s": pairs(), "t": pairs(), "u": pairs()},
        {"s": overlaps},
        [("s", "t"), ("s-shuffled", "t")],
        PATIENTS,
        JOINED,
        namespaces,
    )


def test_copies_in_source_and_target() -> None:
    table = source_and_target({})
    assert rows(table) == {
        ("signal", "source-target", "1", "train", "1", "test", "a excluded from source"),
        ("signal", "source-target", "4", "", "2", "train", "a left out"),
        ("patient", "source-target", "2", "train", "1", "test", "a excluded from source"),
    }
    assert table["corpus_a"].value_counts().to_dict() == {"s": 3, "s-shuffled": 3}


def test_patients_are_the_same_only_where_data_sets_number_them_alike() -> None:
    table = source_and_target({"s": "hospital", "t": "hospital"}, pairs())
    assert rows(table) == {
        ("patient", "source-target", "1", "train", "1", "test", "not handled"),
        ("patient", "source-target", "2", "train", "1", "test", "not handled"),
    }
    assert source_and_target({"s": "hospital", "t": "clinic"}, pairs()).empty


def test_nothing_double_gives_an_empty_table() -> None:
    table = leakage({"u": split(_1="train")}, {"u": pairs()}, {}, [], PATIENTS, JOINED)
    assert table.empty
    assert list(table.columns) == LEAKAGE_COLUMNS


def test_patients_of_one_id_in_two_data_sets_are_said() -> None:
    patients = pd.DataFrame(
        [
            ("a", "1", "p"),
            ("a", "2", "q"),
            ("b", "1", "q"),
            ("b", "3", "3"),
            ("c", "3", "3"),
            ("c", "4", "q"),
            ("d", "5", "q"),
        ],
        columns=["dataset", "record_id", "patient_id"],
    )
    assert patients_of_one_id(patients, ["a", "b", "c"]) == [
        f"1 patients of {a} and {b} have the same id and count as different people; if they are the same, put both into"
        " one table"
        for a, b in ("ab", "ac", "bc")
    ]
    assert patients_of_one_id(patients[:4], ["b", "c"]) == []
