"""From diagnosis codes to labels, and the tables that hold the knowledge about codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.labels import harmonize_labels, shuffle_labels
from ecgtransfer.prepare.records import read_label_table

TABLES = Path(__file__).parents[2] / "config/labels"
ABBREVIATIONS = {"1": "AF", "2": "CLBBB", "22": "LBBB", "3": "NSR", "4": "PVC"}
COUNTS_AS = {"22": "2"}


def records_with(*codes: str) -> pd.DataFrame:
    """Return a records table with the codes given, one record each."""
    return pd.DataFrame({"record_id": [f"r{i}" for i in range(len(codes))], "codes": codes})


def labels_of(records: pd.DataFrame, include: str | list[str] = "all", min_records: int = 1) -> pd.DataFrame:
    """Return the labels of a corpus named "here"."""
    settings: dict[str, Any] = {"include": include, "min_records": min_records, "shuffle_seed": 1}
    return harmonize_labels(records, ABBREVIATIONS, COUNTS_AS, settings, "here")


RECORDS = records_with("1|2", "22", "3", "2|22", "", "99|3")


def test_columns_and_values() -> None:
    labels = labels_of(RECORDS)
    assert labels.columns.tolist() == ["record_id", "99", "AF", "CLBBB", "NSR"]
    assert labels["record_id"].tolist() == RECORDS["record_id"].tolist()
    assert labels["AF"].tolist() == [1, 0, 0, 0, 0, 0]
    assert labels["NSR"].tolist() == [0, 0, 1, 0, 0, 1]
    assert labels["99"].tolist() == [0, 0, 0, 0, 0, 1]  # a code without an abbreviation


def test_equivalent_codes_are_one_label() -> None:
    labels = labels_of(RECORDS)
    assert labels["CLBBB"].tolist() == [1, 1, 0, 1, 0, 0]
    assert "LBBB" not in labels


def test_a_record_without_a_label_stays() -> None:
    assert labels_of(RECORDS, ["AF"])["AF"].tolist() == [1, 0, 0, 0, 0, 0]
    without_codes = RECORDS.assign(codes=[None, "1", None, None, None, None])
    assert labels_of(without_codes)["AF"].tolist() == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("index", [[5, 9, 1, 0, 7, 3]])
def test_the_index_of_the_records_does_not_matter(index: list[int]) -> None:
    pd.testing.assert_frame_equal(labels_of(RECORDS.set_index(pd.Index(index))), labels_of(RECORDS))


@pytest.mark.parametrize(("min_records", "kept"), [(1, ["AF", "CLBBB", "NSR"]), (2, ["AF", "CLBBB"]), (3, ["CLBBB"])])
def test_a_label_must_be_present_and_absent_often_enough(min_records: int, kept: list[str]) -> None:
    # NSR is absent once, AF present twice, CLBBB both three times.
    records = records_with("3|1|2", "3|1|2", "3|2", "3", "3", "")
    assert labels_of(records, min_records=min_records).columns.tolist() == ["record_id", *kept]


@pytest.mark.parametrize("include", [["AF", "CLBBB"], ["1", "2"], ["22", "AF"], ["LBBB", "1"]])
def test_labels_are_asked_for_by_abbreviation_or_code(include: list[str]) -> None:
    labels = labels_of(RECORDS, include)
    assert labels.columns.tolist() == ["record_id", "AF", "CLBBB"]
    assert labels["CLBBB"].tolist() == [1, 1, 0, 1, 0, 0]


def test_unknown_label() -> None:
    with pytest.raises(InputError) as caught:
        labels_of(RECORDS, ["AF", "AFIB", "77"])
    assert str(caught.value).startswith("labels.include: AFIB, 77 is neither an abbreviation nor a SNOMED CT code")


def test_no_label_left() -> None:
    with pytest.raises(InputError) as caught:
        labels_of(RECORDS, min_records=4)
    message = str(caught.value)
    assert message.startswith("labels of here: no label is in and out of at least labels.min_records = 4 of 6 records")
    assert "the most frequent is CLBBB with 3" in message
    assert "\n" not in message


@pytest.mark.parametrize("records", [records_with("", "", ""), records_with()], ids=["no codes", "no records"])
def test_no_code_at_all(records: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="it has none"):
        labels_of(records)


def test_order_of_records_within_codes_does_not_matter() -> None:
    turned = RECORDS.assign(codes=["|".join(reversed(codes.split("|"))) for codes in RECORDS["codes"]])
    pd.testing.assert_frame_equal(labels_of(turned), labels_of(RECORDS))


class TestShuffle:
    """The negative control."""

    labels = pd.DataFrame({"record_id": [f"r{i}" for i in range(200)], "A": [1, 0, 0, 0] * 50, "B": [1, 1] + [0] * 198})

    def test_prevalences_and_combinations_stay_and_rows_change(self) -> None:
        shuffled = shuffle_labels(self.labels, 1)
        assert shuffled["record_id"].tolist() == self.labels["record_id"].tolist()
        assert shuffled.columns.tolist() == self.labels.columns.tolist()
        assert sorted(shuffled[["A", "B"]].value_counts().items()) == sorted(
            self.labels[["A", "B"]].value_counts().items()
        )
        # By chance 50 * 50 / 200 = 12.5 of the 50 positives stay where they were, standard deviation 2.7.
        assert (shuffled["A"] * self.labels["A"]).sum() < 25

    def test_seed(self) -> None:
        once, again, other = (shuffle_labels(self.labels, seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(once, again)
        assert not once.equals(other)

    def test_given_table_is_left_alone(self) -> None:
        before = self.labels.copy()
        shuffle_labels(self.labels, 1)
        pd.testing.assert_frame_equal(self.labels, before)


def read(name: str) -> pd.DataFrame:
    """Return a table as written, where `harmonize_labels` would read "NA" as missing."""
    return pd.read_csv(TABLES / name, dtype=str, keep_default_na=False)


class TestTables:
    """config/labels."""

    @pytest.mark.parametrize("name", ["snomed.csv", "equivalent.csv", "scp.csv", "ludb.csv"])
    def test_codes_are_numbers_and_cells_are_filled(self, name: str) -> None:
        table = read(name)
        assert len(table) >= 3
        for column in {"snomed_ct", "counts_as"} & set(table.columns):
            wrong = table[~table[column].str.fullmatch(r"[1-9][0-9]{5,17}")]
            assert wrong.empty, wrong
        assert not (table == "").any(axis=None)
        assert not table.apply(lambda column: column != column.str.strip()).any(axis=None)
        # The adapter reads them with pandas' defaults, under which some words mean "missing".
        assert not pd.read_csv(TABLES / name, dtype=str).isna().any(axis=None)

    def test_abbreviations_and_codes_are_unique(self) -> None:
        snomed = read("snomed.csv")
        assert snomed["snomed_ct"].is_unique
        assert snomed["abbreviation"].is_unique
        assert not snomed["abbreviation"].str.contains(r"[,|\s\"]").any()
        assert not snomed["abbreviation"].str.isdecimal().any()
        assert "record_id" not in set(snomed["abbreviation"])

    @pytest.mark.parametrize(
        ("name", "column"),
        [
            ("equivalent.csv", "snomed_ct"),
            ("equivalent.csv", "counts_as"),
            ("scp.csv", "snomed_ct"),
            ("ludb.csv", "snomed_ct"),
        ],
    )
    def test_every_code_has_a_name(self, name: str, column: str) -> None:
        unknown = set(read(name)[column]) - set(read("snomed.csv")["snomed_ct"])
        assert unknown == set()

    def test_equivalents_lead_to_an_end(self) -> None:
        table = read("equivalent.csv")
        assert table["snomed_ct"].is_unique
        assert not set(table["snomed_ct"]) & set(table["counts_as"])

    @pytest.mark.parametrize("name", ["scp.csv", "ludb.csv"])
    def test_statements_are_unique(self, name: str) -> None:
        table = read(name)
        assert table["statement"].is_unique
        assert read_label_table(TABLES / name) == dict(zip(table["statement"], table["snomed_ct"], strict=True))

    def test_they_work_together(self) -> None:
        abbreviations = pd.read_csv(TABLES / "snomed.csv", dtype=str).set_index("snomed_ct")["abbreviation"]
        counts_as = pd.read_csv(TABLES / "equivalent.csv", dtype=str).set_index("snomed_ct")["counts_as"]
        codes = abbreviations.index.tolist()
        settings = {"include": "all", "min_records": 1}
        labels = harmonize_labels(records_with(*codes), abbreviations, counts_as, settings, "all")
        assert labels.columns.is_unique
        assert len(labels.columns) - 1 == len(codes) - len(counts_as)
        assert np.all(labels.drop(columns="record_id").sum(axis=1) == 1)


class TestReadLabelTable:
    """Tables that a user writes."""

    def test_none(self) -> None:
        assert read_label_table(None) == {}
        assert read_label_table([]) == {}  # what Snakemake gives for no input

    def test_missing_column(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("statement,code\nSR,426783006\n")
        with pytest.raises(InputError, match=r"t\.csv: column snomed_ct is missing"):
            read_label_table(tmp_path / "t.csv")

    def test_a_code_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("statement,snomed_ct\nSR,426783006\nAF,16488900x\n")
        with pytest.raises(InputError, match=r"t\.csv: '16488900x' beside 'AF' is not a SNOMED CT code"):
            read_label_table(tmp_path / "t.csv")
