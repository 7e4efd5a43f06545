"""Roles by patient, published folds, and nested fractions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from changed_section import changed

from ecgtransfer.config.splits import Splits
from ecgtransfer.errors import InputError
from ecgtransfer.split.leakage import leakage
from ecgtransfer.split.roles import notices_of, split_records, stratified_folds

SETTINGS = Splits(seed=1, n_folds=10, valid_folds=[5], test_folds=[6, 7, 8, 9, 10])


def corpus(seed: int, n_patients: int, with_folds: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return records of patients with one to four recordings each, in random order, and their labels."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(n_patients), rng.integers(1, 5, n_patients)))
    n = len(patient)
    fold_of = rng.integers(1, 11, n_patients)
    records = pd.DataFrame(
        {
            "record_id": [f"{i:05d}" for i in range(n)],
            "patient_id": [f"p{p}" for p in patient],
            "fold": pd.array(fold_of[patient] if with_folds else [None] * n, dtype="Int64"),
        }
    )
    chronic = rng.random((n_patients, 4)) < [0.5, 0.2, 0.08, 0.03]
    labels = pd.DataFrame((chronic[patient] | (rng.random((n, 4)) < 0.01)).astype(int), columns=list("ABCD"))
    labels.insert(0, "record_id", records["record_id"])
    return records, labels


def split(records: pd.DataFrame, labels: pd.DataFrame, n_replicates: int = 2, **settings: Any) -> pd.DataFrame:
    """Return the splits of a corpus named "here"."""
    return split_records(records, labels, changed(SETTINGS, settings), n_replicates, "here")


@pytest.mark.parametrize("with_folds", [False, True])
def test_no_patient_has_two_roles_or_two_ranks(with_folds: bool) -> None:
    for seed in range(12):
        records, labels = corpus(seed, 20 + 31 * seed, with_folds)
        splits = split(records, labels, seed=seed)
        pd.testing.assert_frame_equal(splits[["record_id", "patient_id"]], records[["record_id", "patient_id"]])
        assert set(splits["role"]) == {"train", "valid", "test"}
        of_patient = splits.groupby("patient_id")[["role", "rank_0", "rank_1"]].nunique()
        assert (of_patient == 1).all(axis=None)


def test_published_folds_are_kept() -> None:
    records, labels = corpus(3, 300, with_folds=True)
    role_of_fold = {5: "valid"} | dict.fromkeys(range(6, 11), "test") | dict.fromkeys(range(1, 5), "train")
    assert split(records, labels)["role"].tolist() == [role_of_fold[fold] for fold in records["fold"]]


def test_published_folds_are_kept_beside_records_without() -> None:
    records, labels = corpus(3, 300, with_folds=True)
    some = records["patient_id"].str.endswith(("1", "4"))
    expected = split(records, labels).loc[~some, "role"]
    records.loc[some, "fold"] = pd.NA
    found = split(records, labels)["role"]
    pd.testing.assert_series_equal(found[~some], expected)
    assert set(found[some]) == {"train", "valid", "test"}


def test_a_patient_whose_published_folds_disagree_has_one_role() -> None:
    records, labels = corpus(4, 200, with_folds=True)
    mixed = records["patient_id"].value_counts().index[0]
    rows = records.index[records["patient_id"] == mixed]
    assert len(rows) >= 3
    records.loc[rows, "fold"] = [[1, 5, 6, 7][i % 4] for i in range(len(rows))]
    assert split(records, labels).loc[rows, "role"].nunique() == 1


def test_ranks_are_places_in_a_random_order_of_the_patients_of_a_role() -> None:
    records, labels = corpus(5, 400)
    splits = split(records, labels, n_replicates=3)
    assert splits.columns.tolist() == ["record_id", "patient_id", "role", "rank_0", "rank_1", "rank_2"]
    patients = splits.drop_duplicates("patient_id")
    for role in ("train", "valid"):
        members = patients[patients["role"] == role]
        for replicate in range(3):
            ranks = np.sort(members[f"rank_{replicate}"])
            np.testing.assert_allclose(ranks, np.arange(len(members)) / len(members), atol=1e-9)
            assert ranks[-1] < 1
        assert np.corrcoef(members["rank_0"], members["rank_1"])[0, 1] < 0.4
    assert (splits.loc[splits["role"] == "test", ["rank_0", "rank_1", "rank_2"]] == 0).all(axis=None)


def test_a_fraction_is_that_share_of_the_patients_and_fractions_are_nested() -> None:
    records, labels = corpus(6, 500)
    splits = split(records, labels)
    train = splits[splits["role"] == "train"]
    n_patients = train["patient_id"].nunique()
    smaller: set[str] = set()
    for fraction in (0.01, 0.1, 0.3, 0.7, 1.0):
        chosen = set(train.loc[train["rank_1"] < fraction, "patient_id"])
        assert len(chosen) == np.ceil(round(fraction * n_patients, 6))
        assert smaller < chosen
        smaller = chosen


def test_more_replicates_leave_the_former_ones() -> None:
    records, labels = corpus(7, 100)
    few, many = split(records, labels, n_replicates=2), split(records, labels, n_replicates=5)
    pd.testing.assert_frame_equal(few, many[few.columns])


def test_same_seed_same_splits() -> None:
    records, labels = corpus(8, 200)
    pd.testing.assert_frame_equal(split(records, labels), split(records, labels))
    other = split(records, labels, seed=2)
    assert (other["role"] != split(records, labels)["role"]).any()


def test_index_of_the_records_does_not_matter() -> None:
    records, labels = corpus(9, 100)
    index = pd.Index(np.arange(len(records)) * 3 + 7)
    pd.testing.assert_frame_equal(split(records.set_index(index), labels.set_index(index)), split(records, labels))


def test_prevalence_is_the_same_in_every_fold() -> None:
    records, labels = corpus(10, 3000)
    patients, patient_of = np.unique(records["patient_id"], return_inverse=True)
    values = labels.drop(columns="record_id").to_numpy()
    counts = np.zeros((len(patients), values.shape[1]), dtype=np.int64)
    np.add.at(counts, patient_of, values)
    n_records = np.bincount(patient_of)
    folds = stratified_folds(counts, n_records, 10, 1)
    assert set(folds) == set(range(1, 11))
    size = np.bincount(folds, weights=n_records, minlength=11)[1:]
    assert size.max() - size.min() <= 8
    random = np.random.default_rng(0).permutation(folds)
    for label in range(values.shape[1]):

        def shares(assigned: np.ndarray, label: int = label) -> np.ndarray:
            return np.array([counts[assigned == f, label].sum() / n_records[assigned == f].sum() for f in range(1, 11)])

        overall = values[:, label].mean()
        assert np.abs(shares(folds) - overall).max() < max(0.03 * overall, 0.004)
        assert shares(folds).std() < shares(random).std() / 2


def test_a_missing_label_counts_as_a_label_that_is_not_there() -> None:
    records, labels = corpus(10, 300)
    with_gaps = labels.astype(dict.fromkeys("ABCD", float))
    with_gaps.loc[(labels["A"] == 0) & (labels.index % 3 == 0), "A"] = np.nan
    with_gaps["B"] = labels["B"].astype("Int8").where(labels["B"] == 1)
    assert with_gaps.isna().to_numpy().sum() > 300
    pd.testing.assert_frame_equal(split(records, with_gaps), split(records, labels))


def test_a_label_as_rare_as_the_folds_are_many_is_in_each() -> None:
    counts = np.zeros((200, 2), dtype=np.int64)
    counts[:10, 0] = 1
    counts[5:150, 1] = 1
    folds = stratified_folds(counts, np.ones(200, dtype=np.int64), 10, 3)
    assert sorted(folds[:10]) == list(range(1, 11))
    assert np.bincount(folds)[1:].tolist() == [20] * 10


def test_without_any_label_folds_have_equal_size() -> None:
    folds = stratified_folds(np.zeros((57, 0), dtype=np.int64), np.ones(57, dtype=np.int64), 5, 1)
    assert sorted(np.bincount(folds)[1:]) == [11, 11, 11, 12, 12]


@pytest.mark.parametrize(
    ("settings", "role"),
    [
        ({"valid_folds": [11]}, "valid"),
        ({"test_folds": [12]}, "test"),
        ({"test_folds": [1, 2, 3, 4, 6, 7, 8, 9, 10]}, "train"),
    ],
)
def test_an_empty_role_is_told(settings: dict[str, Any], role: str) -> None:
    records, labels = corpus(11, 100)
    with pytest.raises(InputError, match=f"splits of here: no patient of 100 is in role {role}; check"):
        split(records, labels, **settings)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_records(n: int) -> None:
    records, labels = corpus(12, 50)
    with pytest.raises(InputError, match="splits of here: no patient of"):
        split(records.iloc[:n], labels.iloc[:n])


MONTHS = ["2019-12", "2020-01", "2020-02", "2020-03", "2020-04"]


def archive(n_patients: int = 200) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a corpus whose records have a site, one per patient, and a month, one per record."""
    records, labels = corpus(13, n_patients)
    rng = np.random.default_rng(1)
    sites = np.array(["north", "south", "east", "west"])
    records["site"] = sites[records["patient_id"].str[1:].astype(int) % 4]
    records["month"] = rng.choice(MONTHS, len(records))
    return records, labels


def test_roles_by_named_sites() -> None:
    records, labels = archive()
    splits = split(records, labels, by="site", valid_groups=["east"], test_groups=["north"])
    role_of_site = {"north": "test", "east": "valid", "south": "train", "west": "train"}
    assert splits["role"].tolist() == [role_of_site[site] for site in records["site"]]
    assert splits["record_id"].tolist() == records["record_id"].tolist()


def test_by_month_a_patient_of_a_test_month_neither_trains_nor_validates() -> None:
    records, labels = archive()
    splits = split(records, labels, by="month", valid_groups=["2020-01"], test_groups=["2019-12", "2020-03"])
    months = records.set_index("record_id")["month"]
    in_test = records["month"].isin(["2019-12", "2020-03"])
    assert set(splits.loc[splits["role"] == "test", "record_id"]) == set(records.loc[in_test, "record_id"])
    tested = set(records.loc[in_test, "patient_id"])
    others = splits[splits["role"] != "test"]
    assert tested.isdisjoint(others["patient_id"])
    assert set(months[splits.loc[splits["role"] == "valid", "record_id"]]) == {"2020-01"}
    left_out = records[~records["record_id"].isin(splits["record_id"])]
    later = records[~in_test & ~records["patient_id"].isin(tested)]
    validated = set(later.loc[later["month"] == "2020-01", "patient_id"])
    expected = ~in_test & (
        records["patient_id"].isin(tested) | (records["patient_id"].isin(validated) & (records["month"] != "2020-01"))
    )
    assert set(left_out["record_id"]) == set(records.loc[expected, "record_id"])


def test_sites_without_names_are_dealt_out_to_folds() -> None:
    records, labels = archive()
    records["fold"] = pd.array([1] * len(records), dtype="Int64")  # folds by patient do not count here
    splits = split(records, labels, by="site", n_folds=4, valid_folds=[1], test_folds=[2])
    assert (splits.groupby(records["site"])["role"].nunique() == 1).all()
    assert splits.groupby("role")["record_id"].size().min() > 0


def test_unknown_site_and_missing_month_are_told() -> None:
    records, labels = archive()
    with pytest.raises(
        InputError, match=r"splits\.test_groups names 'nort', which is no site of its records; there are"
    ):
        split(records, labels, by="site", test_groups=["nort"])
    records.loc[3, "month"] = None
    with pytest.raises(InputError, match=rf"splits\.by is month, but 1 of {len(records)} records have no month"):
        split(records, labels, by="month")
    with pytest.raises(InputError, match="records have no site"):
        split(records.drop(columns="site"), labels, by="site")


BY_RECORD = {"by": "record", "test_share": 0.33}


@pytest.mark.parametrize(
    ("n_records", "n_train", "n_test"),
    [(6871, 4603, 2268), (10292, 6895, 3397), (522, 349, 173), (827, 554, 273)],
    ids=["cpsc2018", "georgia", "ptb", "code-test"],
)
def test_by_record_the_sizes_are_those_of_nguyen_and_do(n_records: int, n_train: int, n_test: int) -> None:
    records, labels = corpus(14, n_records)
    splits = split(records.iloc[:n_records], labels.iloc[:n_records], **BY_RECORD)
    assert splits["role"].value_counts().to_dict() == {"train": n_train, "test": n_test}
    assert splits["record_id"].tolist() == records["record_id"].tolist()[:n_records]


def test_by_record_a_patient_can_have_both_roles_and_the_audit_lists_it() -> None:
    records, labels = corpus(15, 150, with_folds=True)
    splits = split(records, labels, **BY_RECORD)
    roles = splits.groupby("patient_id")["role"].nunique()
    assert (roles == 2).sum() > 20
    pairs = pd.DataFrame(columns=["dataset_a", "record_a", "dataset_b", "record_b", "shift_s", "correlation"])
    table = leakage({"here": splits}, {"here": pairs}, {}, [], records.assign(dataset="here"), {"here": ["here"]})
    assert set(table["handled"]) == {"not handled"}
    patient_of = records.set_index("record_id")["patient_id"]
    assert set(patient_of[table["record_a"]]) == set(roles.index[roles == 2])


def test_by_record_ranks_are_of_records_and_fractions_are_nested() -> None:
    records, labels = corpus(16, 150)
    splits = split(records, labels, n_replicates=3, **BY_RECORD)
    train = splits[splits["role"] == "train"]
    for replicate in range(3):
        ranks = np.sort(train[f"rank_{replicate}"])
        np.testing.assert_allclose(ranks, np.arange(len(train)) / len(train), atol=1e-9)
    assert np.corrcoef(train["rank_0"], train["rank_1"])[0, 1] < 0.4
    assert (splits.loc[splits["role"] == "test", ["rank_0", "rank_2"]] == 0).all(axis=None)


def test_by_record_the_seed_decides_and_neither_folds_nor_labels_do() -> None:
    records, labels = corpus(17, 200, with_folds=True)
    first = split(records, labels, **BY_RECORD)
    other_labels = labels.assign(A=1 - labels["A"])
    again = split(records.assign(fold=1), other_labels, **BY_RECORD, valid_folds=[1], n_folds=3)
    pd.testing.assert_frame_equal(first, again)
    assert (first["role"] != split(records, labels, **BY_RECORD, seed=2)["role"]).any()


@pytest.mark.parametrize(("n_records", "share", "n_test"), [(100, 0.07, 7), (100, 0.071, 8), (3, 0.33, 1), (2, 0.5, 1)])
def test_by_record_the_test_share_is_rounded_up(n_records: int, share: float, n_test: int) -> None:
    records, labels = corpus(18, 100)
    splits = split(records.iloc[:n_records], labels.iloc[:n_records], by="record", test_share=share)
    assert (splits["role"] == "test").sum() == n_test


def test_by_record_too_few_records_are_told() -> None:
    records, labels = corpus(18, 100)
    with pytest.raises(InputError, match=r"no record of 2 is in role train; check splits\.test_share, or use more"):
        split(records.iloc[:2], labels.iloc[:2], by="record", test_share=0.9)


def test_without_validation_folds_all_others_train() -> None:
    records, labels = corpus(3, 300, with_folds=True)
    splits = split(records, labels, valid_folds=[])
    role_of_fold = dict.fromkeys(range(6, 11), "test") | dict.fromkeys(range(1, 6), "train")
    assert splits["role"].tolist() == [role_of_fold[fold] for fold in records["fold"]]
    assert (splits.groupby("patient_id")["role"].nunique() == 1).all()


def test_without_validation_groups_all_other_sites_train() -> None:
    records, labels = archive()
    splits = split(records, labels, by="site", valid_folds=[], test_groups=["north"])
    assert splits["role"].tolist() == ["test" if site == "north" else "train" for site in records["site"]]


def test_who_validates() -> None:
    assert SETTINGS.has_validation
    assert not changed(SETTINGS, {"valid_folds": []}).has_validation
    assert changed(SETTINGS, {"by": "month", "valid_folds": [], "valid_groups": ["2020-01"]}).has_validation
    assert not changed(SETTINGS, BY_RECORD).has_validation


def test_patients_in_several_folds_are_said() -> None:
    records = pd.DataFrame(
        {
            "record_id": ["a", "b", "c", "d", "e", "f"],
            "patient_id": ["p", "p", "p", "q", "q", "r"],
            "fold": pd.array([1, 2, None, 3, 3, 4], dtype="Int64"),
        }
    )
    said = ["1 patients have recordings in several folds; 1 of their recordings go with the fold of the first"]
    assert notices_of(records, records, SETTINGS) == said
    assert notices_of(records[2:], records[2:], SETTINGS) == []
    assert notices_of(records, records, changed(SETTINGS, {"by": "record"})) == []
    left_out = ["2 of 6 recordings are left out, their patients occur in another role"]
    assert notices_of(records, records[:4], changed(SETTINGS, {"by": "site"})) == left_out


def test_fold_said_once_for_a_patient_is_that_of_all_of_the_patient() -> None:
    records, labels = corpus(3, 300, with_folds=True)
    whole = split(records, labels)
    last = ~records["patient_id"].duplicated(keep="last")
    once = records.assign(fold=records["fold"].where(last))
    pd.testing.assert_frame_equal(split(once, labels), whole)
