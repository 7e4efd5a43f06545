"""From a data set's statements to SNOMED CT codes."""

from pathlib import Path

import pandas as pd
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.layouts import unique
from ecgtransfer.prepare.snomed_ct import base_code, is_snomed_ct
from ecgtransfer.prepare.statements import LabelTable, index_records, look_up, read_label_table

TABLE = LabelTable(
    {"NORM": "164854000", "SR": "426783006", "AFIB": "164889003", "SR with AF": "426783006|164889003"},
    not_diagnostic=frozenset({"SR", "AFIB"}),
)


def codes_of(statements: list[str | None], table: LabelTable = TABLE, min_likelihood: float = 0) -> list[str]:
    """Return the codes of records with these statements."""
    described = pd.DataFrame({"record_id": [f"r{i}" for i in range(len(statements))], "statements": statements})
    records, _ = index_records(described, table, min_likelihood)
    assert records.columns.tolist() == ["record_id", "codes"]
    assert records["record_id"].tolist() == described["record_id"].tolist()
    codes: list[str] = records["codes"].tolist()
    return codes


def test_each_code_once_in_the_order_of_the_statements() -> None:
    assert codes_of(["AFIB|SR", "SR|SR with AF|AFIB", "", None]) == [
        "164889003|426783006", "426783006|164889003", "", "",
    ]  # fmt: skip


def test_statements_that_the_table_lacks_are_counted() -> None:
    described = pd.DataFrame({"statements": ["SR|XX", "XX@50", "YY"]})
    records, notices = index_records(described, TABLE)
    assert records["codes"].tolist() == ["426783006", "", ""]
    assert notices == [
        "3 statements of 3 of 3 recordings are not in the label table and left out: XX (2), YY (1);"
        " 2 of these recordings have no other statement"
    ]


def test_codes_need_no_table() -> None:
    assert codes_of(["426783006|164889003|426783006", "1:x"], LabelTable()) == ["426783006|164889003", "1:x"]


@pytest.mark.parametrize(
    ("min_likelihood", "codes"),
    [
        (0, ["164854000|426783006", "164854000", "164854000"]),
        (50, ["164854000|426783006", "", "164854000"]),
        (100, ["426783006", "", "164854000"]),
    ],
)
def test_only_diagnostic_statements_need_a_likelihood(min_likelihood: float, codes: list[str]) -> None:
    # One without a likelihood stays: nothing speaks against it.
    assert codes_of(["NORM@80|SR@0", "NORM@15.5", "NORM"], min_likelihood=min_likelihood) == codes


def test_what_is_no_likelihood_belongs_to_the_statement() -> None:
    table = LabelTable({"pain @ rest": "80313002"})
    assert codes_of(["pain @ rest"], table, 50) == ["80313002"]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("50", "a"),
        ("50+346", "a"),
        ("145+362", "d"),
        ("145+362+360", "d"),
        ("145+360+362", "s"),
        ("5", None),
        ("51+50", None),
        ("Sinus rhythm.", "r"),
        ("SINUS RHYTHM", "r"),
        ("sinus", None),
    ],
)
def test_look_up(statement: str, code: str | None) -> None:
    assert look_up(statement, {"50": "a", "145": "s", "145+362": "d", "sinus rhythm": "r"}) == code


def test_columns_that_only_reading_needs_go_and_empty_ones() -> None:
    described = pd.DataFrame(
        {"record_id": ["1", "2"], "statements": ["SR", ""], "fold": [1, 2], "site": ["", "A"], "month": [None, None],
         "unit": ["mV", "mV"], "leads": ["I", "I"]},
    )  # fmt: skip
    assert index_records(described, TABLE)[0].columns.tolist() == ["record_id", "codes", "fold", "site"]


def test_base_code() -> None:
    assert base_code("164934002:NDT") == base_code("164934002") == "164934002"


class TestReadLabelTable:
    """Tables that a user writes."""

    def test_none(self) -> None:
        assert read_label_table(None) == LabelTable()
        assert read_label_table([]) == LabelTable()  # type: ignore[arg-type]  # what Snakemake gives for no input

    def test_kinds(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text(
            "statement,snomed_ct,kind\n"
            "NORM,164854000,diagnostic\nNDT,164934002:NDT,diagnostic form\nSR,426783006,rhythm\n"
        )
        table = read_label_table(tmp_path / "t.csv")
        assert table.codes_by_statement == {"NORM": "164854000", "NDT": "164934002:NDT", "SR": "426783006"}
        assert table.not_diagnostic == {"SR"}

    def test_without_kinds_every_statement_with_a_likelihood_needs_it(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("statement,snomed_ct\nSR,426783006|164889003\n")
        table = read_label_table(tmp_path / "t.csv")
        assert codes_of(["SR@20", "SR"], table, 30) == ["", "426783006|164889003"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "statement,code\nSR,426783006\n",
                r"t\.csv: column snomed_ct missing, found statement, code; fix the table",
            ),
            ("statement,snomed_ct\nSR,426783006\nAF,16488900x\n", "'16488900x' of 'AF' is not a SNOMED CT code"),
            ("statement,snomed_ct\nAF,\n", "'' of 'AF' is not a SNOMED CT code"),
            ("statement,snomed_ct\nAF,164889003|\n", "'' of 'AF' is not a SNOMED CT code"),
            ("statement,snomed_ct\nAF,164889003:\n", "'164889003:' of 'AF' is not"),
            ("statement,snomed_ct\nAF,164889003\naf.,164890007\n", r"'af\.' occurs twice"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            read_label_table(tmp_path / "t.csv")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("separator", [";", ",", " / ", "+", "&", "\n", " ", " | "])
def test_statements_that_are_separated_otherwise_stop_the_run(separator: str) -> None:
    """Taken for one statement that the table does not have, they would be left out, and the record be negative."""
    said = repr(separator.strip(" ") or " ")
    described = pd.DataFrame({"statements": ["SR", *unique([f"SR{separator}AFIB"])]})
    with pytest.raises(InputError) as error:
        index_records(described, TABLE, separator="#")
    assert f"are several, separated by {said}, the entry in the section `own` says '#'; set" in str(error.value)
    assert str(error.value).endswith(f"`label_separator: {said}`")


def test_plus_joins_an_aha_code_and_its_modifiers_alone() -> None:
    table = LabelTable({"50": "164889003", "Sinus rhythm": "426783006", "A1": "164890007"})
    assert codes_of(["50+346", "50+346+310", "Sinus rhythm+AF", "A1+346"], table) == ["164889003", "164889003", "", ""]


@pytest.mark.parametrize("written", ["Gestörte  Leitung", "gesto\u0308rte leitung.", "GESTÖRTE\xa0LEITUNG"])
def test_one_statement_in_several_spellings(written: str) -> None:
    assert codes_of([written], LabelTable({"Gestörte Leitung": "426783006"})) == ["426783006"]


def test_check_digit_of_snomed_ct() -> None:
    """The examples of the SNOMED CT specification, and what a spreadsheet makes of a code."""
    for code in ("73211009", "100005", "999999990989121104", "426783006"):
        assert is_snomed_ct(code)
        changed = [code[:-1] + digit for digit in "0123456789" if digit != code[-1]]
        assert not any(map(is_snomed_ct, changed))
    assert not is_snomed_ct("426783000")
    assert not is_snomed_ct("10003")


def test_statement_that_looks_like_one_with_a_likelihood() -> None:
    assert codes_of(["Block@2", "SR@5"], LabelTable({"Block@2": "195042002", "SR": "426783006"}), 10) == [
        "195042002",
        "",
    ]
