"""The tables under config/labels, which hold the knowledge about codes."""

import ast
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest

from ecgtransfer.config.labels import Labels
from ecgtransfer.prepare.labels import NONE_OF_THE_OTHERS, View, harmonize_labels, read_view
from ecgtransfer.prepare.snomed_ct import CODE, base_code
from ecgtransfer.prepare.statements import index_records, read_label_table

TABLES = Path(__file__).parents[3] / "config/labels"
MIRROR = Path(__file__).parents[3].parent / "shared/mirror"
STATEMENTS = sorted(path.name for path in TABLES.glob("*.csv") if path.name not in {"snomed.csv", "equivalent.csv"})
VIEWS = sorted(path.stem for path in (TABLES / "views").glob("*.csv"))
SETTINGS = Labels(min_records=1)


def read(name: str) -> pd.DataFrame:
    """Return a table as written, where pandas would read "NA" as missing."""
    return pd.read_csv(TABLES / name, dtype=str, keep_default_na=False)


def codes_in(name: str, column: str = "snomed_ct") -> set[str]:
    """Return the codes of a table, each for itself."""
    return {code for cell in read(name)[column] for code in cell.split("|")} - {NONE_OF_THE_OTHERS}


def view_of(name: str) -> View:
    """Return a view that is there."""
    view = read_view(TABLES / f"views/{name}.csv")
    assert view is not None
    return view


def labels_of(codes: list[str], view: str | None = None) -> pd.DataFrame:
    """Return the labels of records with these codes, by all tables."""
    return harmonize_labels(
        pd.DataFrame({"record_id": [str(i) for i in range(len(codes))], "codes": codes, "labelled": 1}),
        read("snomed.csv").set_index("snomed_ct")["abbreviation"].to_dict(),
        read("equivalent.csv").set_index("snomed_ct")["counts_as"].to_dict(),
        SETTINGS,
        "all",
        ["all"],
        view_of(view) if view else None,
    )[0].drop(columns="record_id")


@pytest.mark.parametrize(
    "name", ["snomed.csv", "equivalent.csv", *STATEMENTS, *[f"views/{view}.csv" for view in VIEWS]]
)
def test_codes_are_codes_and_cells_are_filled(name: str) -> None:
    table = read(name)
    assert len(table) >= 2
    for column in {"snomed_ct", "counts_as"} & set(table.columns):
        assert [code for code in codes_in(name, column) if not CODE.fullmatch(code)] == []
    assert not (table == "").any(axis=None)
    assert not table.apply(lambda column: column != column.str.strip()).any(axis=None)
    assert "source" in table
    # The adapters read some with pandas' defaults, under which some words mean "missing".
    assert not pd.read_csv(TABLES / name, dtype=str).isna().any(axis=None)


def is_snomed_ct(code: str) -> bool:
    """Say if the check digit is right (Verhoeff's scheme, dihedral group of order 10)."""
    check = 0
    for position, digit in enumerate(map(int, reversed(code))):
        for _ in range(position % 8):
            digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
        first, second = divmod(check, 5), divmod(digit, 5)
        turn = first[1] + second[1] if not first[0] else first[1] - second[1]
        check = 5 * (first[0] ^ second[0]) + turn % 5
    return check == 0


def test_check_digits() -> None:
    assert is_snomed_ct("426783006")
    assert not is_snomed_ct("426783007")
    assert not is_snomed_ct("427683006")
    assert [code for code in codes_in("snomed.csv") if not is_snomed_ct(base_code(code))] == []


def test_abbreviations_and_codes_are_unique() -> None:
    snomed = read("snomed.csv")
    assert snomed["snomed_ct"].is_unique
    assert snomed["abbreviation"].is_unique
    assert not snomed["abbreviation"].str.contains(r"[,|\s\"]").any()
    assert not snomed["abbreviation"].str.isdecimal().any()
    assert "record_id" not in set(snomed["abbreviation"])


@pytest.mark.parametrize(
    ("name", "column"),
    [("equivalent.csv", "snomed_ct"), ("equivalent.csv", "counts_as"), *[(name, "snomed_ct") for name in STATEMENTS],
     *[(f"views/{view}.csv", "snomed_ct") for view in VIEWS]],
)  # fmt: skip
def test_every_code_has_a_name(name: str, column: str) -> None:
    named = codes_in("snomed.csv")
    assert {code for code in codes_in(name, column) if code not in named and base_code(code) not in named} == set()


def test_scored_classes() -> None:
    snomed = read("snomed.csv")
    scored = snomed[snomed["scored"] == "1"]
    assert set(snomed["scored"]) == {"0", "1"}
    assert len(scored) == 30
    assert codes_in("views/scored.csv") == set(scored["snomed_ct"])
    assert len(view_of("scored").labels) == 26


def test_rewards_are_of_the_scored_classes() -> None:
    rewards = pd.read_csv(TABLES / "rewards/scored.csv", index_col="label")
    assert list(rewards) == rewards.index.tolist()
    assert set(rewards) == set(pd.read_csv(TABLES / "views/scored.csv")["label"])
    values = rewards.to_numpy()
    assert (values == values.T).all() and (values.diagonal() == 1).all()
    assert ((values >= 0.15) & (values <= 1)).all()


def test_equivalents_lead_to_an_end() -> None:
    table = read("equivalent.csv")
    assert table["snomed_ct"].is_unique
    assert not set(table["snomed_ct"]) & set(table["counts_as"])


@pytest.mark.parametrize("name", STATEMENTS)
def test_label_tables_can_be_read(name: str) -> None:
    table = read(name)
    codes = dict(zip(table["statement"], table["snomed_ct"], strict=True))
    assert read_label_table(TABLES / name).codes_by_statement == codes
    assert len(codes) == len(table)


def test_they_work_together() -> None:
    codes = read("snomed.csv")["snomed_ct"].tolist()
    labels = labels_of(codes)
    assert labels.columns.is_unique
    assert len(labels.columns) == len(codes) - len(read("equivalent.csv"))
    assert (labels.sum(axis=1) == 1).all()


class TestNorm:
    """What one study or another calls NORM is five things here."""

    codes: ClassVar = {
        "PTB-XL NORM": "164854000",
        "sinus rhythm": "426783006",
        "PTB healthy control": "102512003",
        "CODE normal_ecg": "164854000:CODE",
    }

    def test_codes(self) -> None:
        assert read_label_table(TABLES / "scp.csv").codes_by_statement["NORM"] == self.codes["PTB-XL NORM"]
        assert read_label_table(TABLES / "scp.csv").codes_by_statement["SR"] == self.codes["sinus rhythm"]
        healthy = "Reason for admission: Healthy control"
        assert read_label_table(TABLES / "ptbdb.csv").codes_by_statement[healthy] == self.codes["PTB healthy control"]
        assert read_label_table(TABLES / "code.csv").codes_by_statement["normal_ecg"] == self.codes["CODE normal_ecg"]

    def test_none_merges(self) -> None:
        labels = labels_of([*self.codes.values(), ""])
        assert sorted(labels.columns) == ["HC", "NORM", "NSR", "NormCODE"]
        assert (labels.sum(axis=1) == [1, 1, 1, 1, 0]).all()

    @pytest.mark.parametrize("name", VIEWS)
    def test_none_merges_in_a_view(self, name: str) -> None:
        view = view_of(name)
        labels = labels_of([*self.codes.values(), *view.labels_by_code, ""], name)
        assert (labels.iloc[:4].drop(columns=view.derived or []).sum() <= 1).all()

    def test_a_label_means_one_of_the_five_in_every_view(self) -> None:
        meanings: dict[str, set[str]] = {}
        for name in VIEWS:
            view = view_of(name)
            if view.derived:
                meanings.setdefault(view.derived, set()).add(NONE_OF_THE_OTHERS)
            for code, labels in view.labels_by_code.items():
                if code in self.codes.values():
                    for label in labels:
                        meanings.setdefault(label, set()).add(code)
        assert all(len(meaning) == 1 for meaning in meanings.values())
        assert {"NORM", "NSR", "SR", "HC", "none-of-six"} == set(meanings)


class TestPtbXl:
    """71 statements, distinguished by their codes."""

    table = read("scp.csv").set_index("statement")

    def test_every_statement_has_a_code_of_its_own(self) -> None:
        assert len(self.table) == 71
        assert self.table["snomed_ct"].is_unique

    @pytest.mark.parametrize(
        ("name", "n_labels"),
        [("superclass", 5), ("subclass", 23), ("diagnostic", 44), ("form", 19), ("rhythm", 12), ("scp", 71)],
    )
    def test_views(self, name: str, n_labels: int) -> None:
        view = view_of(name)
        assert len(view.labels) == n_labels
        table = self.table if name == "scp" else self.table[expected(self.table, name).astype(bool)]
        assert set(view.labels_by_code) == set(table["snomed_ct"])

    @pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the shared mirror")
    def test_table_is_as_published(self) -> None:
        published = pd.read_csv(
            MIRROR / "files/ptb-xl/1.0.3/scp_statements.csv", index_col=0, dtype=str, keep_default_na=False
        )
        assert self.table.index.tolist() == published.index.tolist()
        assert (self.table["name"] == published["description"]).all()
        for column, published_column in (("superclass", "diagnostic_class"), ("subclass", "diagnostic_subclass")):
            assert (self.table[column].replace("-", "") == published[published_column]).all()
        for kind in ("diagnostic", "form", "rhythm"):
            has = self.table["kind"].str.split().map(lambda kinds, kind=kind: kind in kinds)
            assert (has == (published[kind] == "1.0")).all()

    @pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the shared mirror")
    @pytest.mark.parametrize("min_likelihood", [0, 50, 100])
    @pytest.mark.parametrize("name", ["superclass", "subclass", "diagnostic", "form", "rhythm", "scp"])
    def test_labels_of_real_records_are_those_of_the_statements(self, name: str, min_likelihood: float) -> None:
        folder = MIRROR / "files/ptb-xl/1.0.3"
        stated = pd.read_csv(folder / "ptbxl_database.csv")["scp_codes"].map(ast.literal_eval)
        statements = pd.read_csv(folder / "scp_statements.csv", index_col=0)
        meaning = {
            "superclass": statements["diagnostic_class"].dropna(),
            "subclass": statements["diagnostic_subclass"].dropna(),
            "scp": pd.Series(statements.index, index=statements.index),
        }.get(name)
        if meaning is None:
            meaning = pd.Series(statements.index, index=statements.index)[statements[name] == 1]
        diagnostic = set(statements.index[statements["diagnostic"] == 1])
        rows = [
            {meaning[s] for s, p in row.items() if s in meaning and (p >= min_likelihood or s not in diagnostic)}
            for row in stated
        ]
        described = pd.DataFrame(
            {
                "record_id": range(len(stated)),
                "statements": ["|".join(f"{s}@{p:g}" for s, p in r.items()) for r in stated],
            }
        )
        records, _ = index_records(described, read_label_table(TABLES / "scp.csv"), min_likelihood)
        labels = labels_of(records["codes"].tolist(), name)
        assert [set(labels.columns[row == 1]) for row in labels.to_numpy()] == rows
        assert labels.sum().to_dict() == Counter(label for row in rows for label in row)


def expected(table: pd.DataFrame, name: str) -> pd.Series:
    """Return which statements of PTB-XL a view takes in, from the columns of its table."""
    if name in table:
        return table[name] != "-"
    return table["kind"].str.split().map(lambda kinds: name in kinds)


@pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the shared mirror")
def test_aha_codes_against_the_pairs_in_a_copy_of_sph() -> None:
    """The copy writes sinus rhythm where AHA says normal ECG (code 1); everything else agrees."""
    table = read_label_table(TABLES / "aha.csv")
    pairs = pd.read_csv(MIRROR / "samples/sph/metadata.csv", dtype=str)
    for statements, codes in zip(pairs["AHA_Code"], pairs["SNOMEDCTCode"], strict=True):
        found = index_records(pd.DataFrame({"statements": [statements.replace(";", "|")]}), table)[0]["codes"][0]
        assert found.replace("164854000", "426783006").split("|") == codes.split(",")


def test_seven_labels_of_avetisyan_take_in_what_each_data_set_says() -> None:
    labels = labels_of(["164884008", "17338001", "427172004", "59118001", "713427006", "713426002"], "avetisyan")
    assert labels["PVC"].tolist() == [1, 1, 1, 0, 0, 0]
    assert labels["CRBBB"].tolist() == [0, 0, 0, 1, 1, 0]
    assert labels["IRBBB"].tolist() == [0, 0, 0, 0, 0, 1]
    assert view_of("avetisyan").labels == {"AFIB", "1AVB", "STACH", "SBRAD", "CRBBB", "IRBBB", "PVC"}
