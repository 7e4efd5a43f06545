"""From diagnosis codes to labels."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from changed_section import changed
from tiny_labels import ABBREVIATIONS, COUNTS_AS, labels_of, records_with, written

from ecgtransfer.config.labels import Labels
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.labels import View, harmonize_labels, read_view

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


def test_a_refined_code_counts_as_its_base_unless_a_table_names_it() -> None:
    records = records_with("1:slow", "1", "22:left", "2:named", "2:named|1:slow")
    settings = Labels(min_records=1)
    labels, _ = harmonize_labels(records, {**ABBREVIATIONS, "2:named": "NAMED"}, COUNTS_AS, settings, "here", ["here"])
    assert labels.drop(columns="record_id").to_dict("list") == {
        "AF": [1, 1, 0, 0, 1],
        "CLBBB": [0, 0, 1, 0, 0],
        "NAMED": [0, 0, 0, 1, 1],
    }


@pytest.mark.parametrize(
    ("top", "kept"),
    [(None, ["99", "AF", "CLBBB", "NSR"]), (1, ["CLBBB"]), (2, ["CLBBB", "NSR"]), (3, ["99", "CLBBB", "NSR"])],
)
def test_the_most_frequent_labels_ties_by_name(top: int | None, kept: list[str]) -> None:
    assert labels_of(RECORDS, top=top).columns.tolist() == ["record_id", *kept]


def test_a_label_asked_for_that_is_not_there_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert labels_of(RECORDS, ["AF", "PVC"]).columns.tolist() == ["record_id", "AF"]
    assert "here: labels of labels.include left out, no record has them: PVC" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert labels_of(RECORDS, ["AF", "NSR"], top=2).columns.tolist() == ["record_id", "NSR"]
    assert "left out, not among the 2 most frequent: AF" in caplog.text


def by_hand(codes: pd.Series) -> dict[str, list[int]]:
    """Return the 0/1 values per label of `labels_of`, record by record and code by code."""
    rows = [{ABBREVIATIONS[COUNTS_AS.get(code, code)] for code in cell.split("|") if code} for cell in codes]
    return {label: [int(label in row) for row in rows] for label in ("AF", "CLBBB", "NSR", "PVC")}


def test_many_records() -> None:
    rng = np.random.default_rng(3)
    codes = ["|".join(rng.choice(["1", "2", "22", "3", "4"], size=rng.integers(0, 5))) for _ in range(2000)]
    records = records_with(*codes)
    assert labels_of(records).drop(columns="record_id").to_dict("list") == by_hand(records["codes"])


class TestView:
    """A table says which codes make which label."""

    view = View("here", {"1": ("A",), "2": ("B",), "4": ("B", "A"), "3:x": ("C",)}, derived="NONE")

    def test_codes_count_as_they_are_and_rows_with_one_label_are_joined(self) -> None:
        # 22 counts as 2 without a view; the view does not name it.
        records = records_with("1", "2|99", "22", "4", "3:x", "3", "3:y|1:z", "")
        assert labels_of(records, view=self.view).drop(columns="record_id").to_dict("list") == {
            "A": [1, 0, 0, 1, 0, 0, 1, 0],
            "B": [0, 1, 0, 1, 0, 0, 0, 0],
            "C": [0, 0, 0, 0, 1, 0, 0, 0],
            "NONE": [0, 0, 1, 0, 0, 1, 0, 1],
        }

    def test_without_a_derived_label(self) -> None:
        labels = labels_of(records_with("1", "2", ""), view=View("here", {"1": ("A",), "5": ("E",)}))
        assert labels.columns.tolist() == ["record_id", "A"]

    def test_the_derived_label_looks_at_the_whole_view(self) -> None:
        labels = labels_of(records_with("1", "2", ""), ["A", "NONE"], view=self.view)
        assert labels.drop(columns="record_id").to_dict("list") == {"A": [1, 0, 0], "NONE": [0, 0, 1]}

    @pytest.mark.parametrize("include", [["B"], ["2"]])
    def test_labels_are_asked_for_by_label_or_code(self, include: list[str]) -> None:
        labels = labels_of(records_with("1", "2", ""), include, view=self.view)
        assert labels.columns.tolist() == ["record_id", "B"]

    def test_unknown_label(self) -> None:
        with pytest.raises(InputError, match=r"labels\.include: AF is neither a label nor a code of .*views/here\.csv"):
            labels_of(RECORDS, ["A", "AF"], view=self.view)

    def test_read(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.csv"
        path.write_text(
            "label,snomed_ct,source\nA,164889003,me\nA,164890007,me\nB,164934002:NDT,me\nN,none-of-the-others,me\n"
        )
        assert read_view(path) == View(
            "mine", {"164889003": ("A",), "164890007": ("A",), "164934002:NDT": ("B",)}, derived="N"
        )
        assert read_view([]) is None  # what Snakemake gives for no input

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("label,code\nA,164889003\n", "column snomed_ct missing, found label, code; fix the view"),
            ("label,snomed_ct\nA,AF\n", "'AF' of 'A' is neither a SNOMED CT code nor none-of-the-others"),
            ("label,snomed_ct\nA,none-of-the-others\nB,none-of-the-others\n", "A and B are both none-of-the-others"),
            ("label,snomed_ct\nrecord_id,164889003\n", "'record_id' .of 164889003. cannot name a label"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "mine.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_view(tmp_path / "mine.csv")


class TestJoined:
    """A data set that never uses a label says nothing about it."""

    # AF (1) in both; NSR (3) in a alone; PVC (4) in b alone.
    records = pd.DataFrame(
        {
            "record_id": ["a:1", "a:2", "a:3", "b:1", "b:2", "b:1:x"],
            "codes": ["1|3", "3", "", "1", "4", ""],
            "labelled": 1,
        }
    )

    def test_its_cells_are_empty_and_others_whole_numbers(self) -> None:
        assert written(labels_of(self.records, corpus="a+b")) == {
            "AF": ["1", "0", "0", "1", "0", "0"],
            "NSR": ["1", "1", "0", "", "", ""],
            "PVC": ["", "", "", "0", "1", "0"],
        }

    def test_the_shuffled_corpus_has_the_same_data_sets(self) -> None:
        pd.testing.assert_frame_equal(
            labels_of(self.records, corpus="a+b-shuffled"), labels_of(self.records, corpus="a+b")
        )

    def test_a_single_data_set_knows_all(self) -> None:
        labels = labels_of(self.records, corpus="a")
        assert written(labels)["PVC"] == ["0", "0", "0", "0", "1", "0"]
        assert (labels.dtypes.drop("record_id") == np.int8).all()

    @pytest.mark.parametrize("index", [[5, 9, 1, 0, 7, 3]])
    def test_the_index_of_the_records_does_not_matter(self, index: list[int]) -> None:
        moved = self.records.set_index(pd.Index(index))
        pd.testing.assert_frame_equal(labels_of(moved, corpus="a+b"), labels_of(self.records, corpus="a+b"))

    def test_only_records_of_which_a_label_is_known_can_lack_it(self) -> None:
        # All but one of the records of a have NSR: two lack it only if those of b counted.
        records = self.records.assign(codes=["3|1", "3|1", "", "1", "4|1", ""])
        assert "NSR" in labels_of(records, corpus="a+b", min_records=1)
        assert "NSR" not in labels_of(records, corpus="a+b", min_records=2)
        assert "NSR" in labels_of(records, corpus="a", min_records=2)

    def test_what_is_not_known_stands_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            labels_of(self.records, corpus="a+b")
        assert "a+b: a says nothing about PVC" in caplog.text
        assert "a+b: b says nothing about NSR" in caplog.text

    def test_no_code_at_all(self) -> None:
        with pytest.raises(InputError, match="it has none"):
            labels_of(self.records.assign(codes=""), corpus="a+b")

    def test_the_derived_label_is_known_where_all_others_are_used(self) -> None:
        view = View("here", {"1": ("A",), "3": ("B",)}, derived="NONE")
        # A record of b without A may have B, which b never uses.
        found = written(labels_of(self.records, corpus="a+b", view=view))
        assert found == {
            "A": ["1", "0", "0", "1", "0", "0"],
            "B": ["1", "1", "0", "", "", ""],
            "NONE": ["0", "0", "1", "", "", ""],
        }
        both = self.records.assign(codes=["1|3", "3", "", "1", "3", "4"])
        assert written(labels_of(both, corpus="a+b", view=view))["NONE"] == ["0", "0", "1", "0", "0", "1"]

    def test_the_most_frequent_labels_are_counted_where_they_are_known(self) -> None:
        view = View("here", {"1": ("A",), "3": ("B",)}, derived="NONE")
        # NONE has three of the records if those of b counted, of which it is not known.
        records = self.records.assign(codes=["1|3", "3", "", "1", "", ""])
        assert labels_of(records, corpus="a+b", view=view, top=2).columns.tolist() == ["record_id", "A", "B"]

    def test_many_records_as_by_hand(self) -> None:
        rng = np.random.default_rng(5)
        used = {"a": ["1", "2", "3"], "b": ["1", "4"], "c": ["2", "22", "3", "4"]}
        rows = [
            (f"{name}:{number}", "|".join(rng.choice(codes, size=rng.integers(0, 4))))
            for name, codes in used.items()
            for number in range(400)
        ]
        order = rng.permutation(len(rows))
        records = pd.DataFrame([rows[i] for i in order], columns=["record_id", "codes"]).assign(labelled=1)
        present, known = by_hand(records["codes"]), {"AF": "ab", "CLBBB": "ac", "NSR": "ac", "PVC": "bc"}
        expected = {
            label: [str(value) if record[0] in known[label] else "" for record, value in zip(ids, values, strict=True)]
            for ids in [records["record_id"]]
            for label, values in present.items()
        }
        assert written(labels_of(records, corpus="a+b+c")) == expected


class TestUnlabelled:
    """A recording of which nobody knows the labels is not negative for them."""

    records = records_with("1|3", "", "1", "3", "").assign(labelled=[1, 1, 0, 1, 0])

    def test_its_cells_are_empty(self) -> None:
        assert written(labels_of(self.records)) == {"AF": ["1", "0", "", "0", ""], "NSR": ["1", "0", "", "1", ""]}

    def test_it_counts_neither_as_having_nor_as_lacking_a_label(self) -> None:
        with pytest.raises(InputError, match=r"in and out of at least labels\.min_records = 2 of 3 records"):
            labels_of(self.records, min_records=2)

    def test_joined_with_a_data_set_that_is_labelled(self) -> None:
        joined = pd.concat([self.records.assign(record_id=lambda t: "a:" + t["record_id"]), TestJoined.records[3:]])
        assert written(labels_of(joined.reset_index(drop=True), corpus="a+b")) == {
            "AF": ["1", "0", "", "0", "", "1", "0", "0"],
            "NSR": ["1", "0", "", "1", "", "", "", ""],
            "PVC": ["", "", "", "", "", "0", "1", "0"],
        }

    def test_where_none_is_labelled_labels_can_be_missing_but_not_learnt(self) -> None:
        unlabelled = self.records.assign(labelled=0)
        with pytest.raises(InputError, match="the labels of all its recordings are unknown"):
            labels_of(unlabelled)
        settings = Labels(min_records=1)
        labels, _ = harmonize_labels(unlabelled, ABBREVIATIONS, COUNTS_AS, settings, "here", ["here"], learnt=False)
        assert labels.columns.tolist() == ["record_id"]


def test_labels_that_too_few_records_have_or_lack_are_said() -> None:
    records = records_with("1|2", "1|99", "1|2", "1|3", "1|2|3")
    settings = Labels(min_records=2)
    labels, notices = harmonize_labels(records, ABBREVIATIONS, COUNTS_AS, settings, "here", ["here"])
    assert labels.columns.tolist() == ["record_id", "CLBBB", "NSR"]
    assert notices == [
        "2 of 4 labels are not used, because fewer than 2 recordings have, or lack, them (labels.min_records):"
        " AF (5), 99 (1)"
    ]
    settings = changed(settings, {"include": ["CLBBB"]})
    assert harmonize_labels(records, ABBREVIATIONS, COUNTS_AS, settings, "x", ["x"])[1] == []
