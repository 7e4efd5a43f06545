"""The index of a data set, in each published layout, from tiny files."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from tiny_records import N_SAMPLES, write_record

from ecgtransfer.csv_tables import read_table
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.corpora import datasets_of, datasets_of_records, join_records
from ecgtransfer.prepare.records import DESCRIBED_COLUMNS, REJECTED_COLUMNS, describe_records, require_some
from ecgtransfer.source import SUFFIXES, Source

PTBXL_ROWS = [
    "1,15709.0,56.0,1,\"{'SR': 100.0, 'AFIB': 0.0, 'NORM': 35.5}\",3,records100/00001_lr,records500/00001_hr,"
    "10.0,1984-11-09 09:17:34",
    "2,13243,300,0,\"{'SR': 0.0, 'ALSO_SR': 0.0}\",10,records100/00002_lr,records500/00002_hr",
    "3,20372.0,,,{},,records100/00003_lr,records500/00003_hr",
    "4,20372.0,300.0,0.0,{'AFLT': 15.0},2.0,records100/00004_lr,records500/00004_hr",
    "5,1.0,34.0,1,no statements,2,records100/00005_lr,records500/00005_hr",
]
PTBXL_HEADER = "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr,site,recording_date"


def reasons(rejected: pd.DataFrame) -> dict[str, str]:
    """Return why each header was rejected."""
    assert rejected.columns.tolist() == REJECTED_COLUMNS
    assert all("\n" not in reason for reason in rejected["reason"])
    return dict(zip(rejected["path"], rejected["reason"], strict=True))


class TestPtbXl:
    """Patients, statements and folds are in one table."""

    def index(
        self, folder: Path, paths: list[str], rows: Sequence[str] = PTBXL_ROWS
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        (folder / "ptbxl_database.csv").write_text("\n".join([PTBXL_HEADER, *rows]) + "\n")
        return describe_records({"reader": "ptbxl"}, folder, ["ptbxl_database.csv", *paths])[:2]

    def test_records(self, tmp_path: Path) -> None:
        paths = [write_record(tmp_path, f"records500/0000{i}_hr") for i in (1, 2, 3, 4)]
        records, rejected = self.index(tmp_path, paths)
        assert rejected.empty
        assert records.columns.tolist() == DESCRIBED_COLUMNS
        assert records["record_id"].tolist() == ["1", "2", "3", "4"]
        assert records["patient_id"].tolist() == ["15709", "13243", "20372", "20372"]
        assert records["path"].tolist() == paths
        assert records["sex"].tolist() == ["F", "M", "", "M"]
        assert records["age_years"].tolist()[:2] == [56, 90]
        assert records["age_years"].isna().tolist() == [False, False, True, False]
        assert records["age_years"][3] == 90
        assert records["statements"].tolist() == ["SR@100|AFIB@0|NORM@35.5", "SR@0|ALSO_SR@0", "", "AFLT@15"]
        assert records["site"].tolist() == ["10", "", "", ""]
        assert records["month"].tolist() == ["1984-11", "", "", ""]
        assert records["fold"].astype(object).where(records["fold"].notna(), None).tolist() == [3, 10, None, 2]
        assert set(records["sampling_rate_hz"]) == {500.0}
        assert set(records["n_samples"]) == {N_SAMPLES}

    def test_a_record_that_the_table_does_not_name(self, tmp_path: Path) -> None:
        paths = [write_record(tmp_path, f"records500/{name}") for name in ("00001_hr", "00009_hr", "00005_hr")]
        records, rejected = self.index(tmp_path, paths)
        assert records["record_id"].tolist() == ["1"]
        told = reasons(rejected)
        assert (
            told["records500/00009_hr.hea"]
            == "no row of ptbxl_database.csv names this file in filename_hr or filename_lr"
        )
        assert told["records500/00005_hr.hea"].startswith("scp_codes 'no statements' in ptbxl_database.csv")

    def test_files_of_100_hz_are_the_same_records(self, tmp_path: Path) -> None:
        paths = [write_record(tmp_path, "records100/00002_lr"), write_record(tmp_path, "records500/00002_hr")]
        records, rejected = self.index(tmp_path, paths)
        assert records["path"].tolist() == ["records100/00002_lr.hea"]
        assert reasons(rejected) == {"records500/00002_hr.hea": f"record id 2 is also that of {paths[0]}"}

    def test_the_table_is_missing_or_another_one(self, tmp_path: Path) -> None:
        path = write_record(tmp_path, "records500/00001_hr")
        with pytest.raises(InputError, match=r"ptbxl_database\.csv: cannot be read"):
            describe_records({"reader": "ptbxl"}, tmp_path, [path])
        (tmp_path / "ptbxl_database.csv").write_text("ecg_id,age\n1,50\n")
        with pytest.raises(InputError, match=r"column patient_id, sex, scp_codes, strat_fold, filename_hr missing"):
            describe_records({"reader": "ptbxl"}, tmp_path, [path])

    def test_statements_are_read_not_run(self, tmp_path: Path) -> None:
        rows = ["1,1,50,0,__import__('os').abort(),1,x,records500/00001_hr"]
        records, rejected = self.index(tmp_path, [write_record(tmp_path, "records500/00001_hr")], rows)
        assert records.empty
        assert len(rejected) == 1


class TestChallenge:
    """Everything is in the header's comments."""

    def index(self, folder: Path, paths: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        return describe_records({"reader": "challenge2021"}, folder, paths)[:2]

    def test_records(self, tmp_path: Path) -> None:
        comments = [
            ["Age: 74", "Sex: Male", "Dx: 59118001,426783006 , 59118001", "Rx: Unknown"],
            [" Age: NaN", " Sex: Unknown", " Dx: 426783006"],
            ["Dx: 1", "Age: 300", "Sex: F"],
        ]
        paths = [write_record(tmp_path, f"g1/E0000{i}", lines) for i, lines in enumerate(comments)]
        records, rejected = self.index(tmp_path, paths)
        assert rejected.empty
        assert records["record_id"].tolist() == records["patient_id"].tolist() == ["E00000", "E00001", "E00002"]
        assert records["statements"].tolist() == ["59118001|426783006", "426783006", "1"]
        assert set(records["unit"]) == set(records["leads"]) == set(records["site"]) == {""}
        assert records["sex"].tolist() == ["M", "", "F"]
        assert records["age_years"].fillna(-1).tolist() == [74, -1, -1]
        assert records["fold"].isna().all()

    @pytest.mark.parametrize(
        ("comments", "reason"),
        [
            (["Age: 50"], "no '#Dx:' comment, so its labels are unknown"),
            (["Dx: "], "'#Dx: ' is not a list of SNOMED CT codes"),
            (["Dx: Unknown"], "'#Dx: Unknown' is not a list of SNOMED CT codes"),
            (["Dx: 426783006,AF"], "'#Dx: 426783006,AF' is not a list of SNOMED CT codes"),
        ],
    )
    def test_labels_that_are_unknown(self, tmp_path: Path, comments: list[str], reason: str) -> None:
        path = write_record(tmp_path, "g1/E1", comments)
        records, rejected = self.index(tmp_path, [path])
        assert records.empty
        assert reasons(rejected) == {path: reason}

    def test_same_id_twice(self, tmp_path: Path) -> None:
        paths = [write_record(tmp_path, f"{folder}/E1", ["Dx: 1"]) for folder in ("g1", "g2")]
        records, rejected = self.index(tmp_path, paths)
        assert records["path"].tolist() == ["g1/E1.hea"]
        assert reasons(rejected) == {"g2/E1.hea": "record id E1 is also that of g1/E1.hea"}


class TestLudb:
    """Diagnoses are sentences."""

    def test_records(self, tmp_path: Path) -> None:
        comments = [
            "<age>: 51",
            "<sex>: F",
            "<diagnoses>:",
            "Rhythm: Sinus bradycardia.",
            "Electric axis of the heart: left axis deviation. ",
            "Left ventricular hypertrophy. ",
        ]
        path = write_record(tmp_path, "data/1", comments)
        records, rejected, _ = describe_records({"reader": "ludb"}, tmp_path, [path])
        assert rejected.empty
        row = records.iloc[0]
        assert (row["record_id"], row["patient_id"], row["age_years"], row["sex"]) == ("1", "1", 51, "F")
        assert row["statements"] == (
            "Rhythm: Sinus bradycardia|Electric axis of the heart: left axis deviation|Left ventricular hypertrophy"
        )

    def test_a_record_without_diagnoses_stays(self, tmp_path: Path) -> None:
        path = write_record(tmp_path, "data/2", ["<age>: >89", "<sex>: M"])
        records, _, _ = describe_records({"reader": "ludb"}, tmp_path, [path])
        assert records["statements"].tolist() == [""]
        assert records["age_years"].isna().all()


def test_every_header_is_in_one_of_the_tables_once(tmp_path: Path) -> None:
    dx = ["Dx: 1"]
    paths = [write_record(tmp_path, f"g1/{name}", dx) for name in ("good", "truncated", "gone", "empty", "Good2")]
    paths += [write_record(tmp_path, "g2/good", dx), write_record(tmp_path, "g1/eleven", dx, n_leads=11)]
    paths += [write_record(tmp_path, "g1/unlabelled"), write_record(tmp_path, "g1/none", dx, n_leads=1)]
    header = tmp_path / "g1/none.hea"
    header.write_text(header.read_text().replace(" I\n", " resp\n"))
    (tmp_path / "g1/truncated.dat").write_bytes(b"123")
    (tmp_path / "g1/gone.dat").unlink()
    (tmp_path / "g1/empty.hea").write_text("")
    manifest = [*paths, "g1/absent.hea", *(path.replace(".hea", ".dat") for path in paths), "RECORDS"]
    records, rejected, _ = describe_records({"reader": "challenge2021"}, tmp_path, manifest)
    assert sorted([*records["path"], *rejected["path"]]) == sorted([*paths, "g1/absent.hea"])
    assert records["path"].tolist() == ["g1/good.hea", "g1/Good2.hea", "g1/eleven.hea"]
    told = reasons(rejected)
    for name, part in {
        "g1/truncated": "truncated",
        "g1/gone": "signal file gone.dat is missing",
        "g1/empty": "is empty",
        "g2/good": "record id good is also that of g1/good.hea",
        "g1/none": "none of the twelve leads",
        "g1/unlabelled": "no '#Dx:' comment",
        "g1/absent": "header is missing",
    }.items():
        assert part in told[f"{name}.hea"]
        assert str(tmp_path) not in told[f"{name}.hea"]  # the table is the same wherever the data lies


def test_an_unknown_reader(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reader 'ptb_xl' is not a module"):
        describe_records({"reader": "ptb_xl"}, tmp_path, [])


def test_an_empty_data_set_has_empty_tables(tmp_path: Path) -> None:
    records, rejected, _ = describe_records({"reader": "challenge2021"}, tmp_path, [])
    assert records.columns.tolist() == DESCRIBED_COLUMNS
    assert rejected.columns.tolist() == REJECTED_COLUMNS
    assert len(records) == len(rejected) == 0


class TestCorpora:
    """Names of corpora, and their joined tables."""

    def test_names(self) -> None:
        assert datasets_of("a", {}) == datasets_of("a-shuffled", {}) == ["a"]
        assert datasets_of("a+b-c-shuffled", {}) == ["a", "b-c"]
        assert Source.of("a+b-shuffled").shuffled
        assert not Source.of("shuffled+a").shuffled

    @pytest.mark.parametrize(
        ("corpus", "task", "labelled"),
        [
            ("a", "labels", "a"),
            ("a+b-age", "age", "a+b"),
            ("a-b-intervals", "intervals", "a-b"),
            ("a-masked", "masked", "a"),
            ("a-untrained", "untrained", "a"),
            ("a-shuffled", "labels", "a-shuffled"),
            ("a-labels", "labels", "a-labels"),  # a data set may have that name
            ("masked+age", "labels", "masked+age"),
        ],
    )
    def test_tasks(self, corpus: str, task: str, labelled: str) -> None:
        assert Source.of(corpus).task == task
        assert Source.of(corpus).corpus == labelled
        bare = labelled.removesuffix("-shuffled")
        assert Source.of(corpus).joined == bare
        assert datasets_of(corpus, {}) == bare.split("+")

    @pytest.mark.parametrize("suffix", ["", *SUFFIXES])
    def test_a_name_stands_for_what_it_joins(self, suffix: str) -> None:
        named = {"both": "b+a", "one": "c"}
        assert datasets_of(f"both{suffix}", named) == ["b", "a"]
        assert datasets_of(f"one{suffix}", named) == ["c"]
        assert datasets_of(f"d+both+one{suffix}", named) == ["d", "b", "a", "c"]

    def test_the_data_set_of_a_record_can_be_told_from_its_id(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("record_id\nb:1\n2\n")
        (tmp_path / "c.csv").write_text("record_id\n1\n")
        joined = join_records(["a", "c"], [tmp_path / "a.csv", tmp_path / "c.csv"])["record_id"]
        assert datasets_of_records(["a", "c"], joined).tolist() == ["a", "a", "c"]
        alone = join_records(["a"], [tmp_path / "a.csv"])["record_id"]
        assert datasets_of_records(["a"], alone).tolist() == ["a", "a"]

    def test_one_data_set(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("record_id,patient_id,codes,fold\n00001,007,0123|4,3\n00002,008,,\n")
        table = join_records(["a"], [tmp_path / "a.csv"])
        assert table["record_id"].tolist() == ["00001", "00002"]
        assert table["patient_id"].tolist() == ["007", "008"]
        assert table["codes"].fillna("").tolist() == ["0123|4", ""]

    def test_several_data_sets_share_no_patient(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / f"{name}.csv").write_text("record_id,patient_id\n1,7\n2,7\n")
        table = join_records(["b", "a"], [tmp_path / "b.csv", tmp_path / "a.csv"])
        assert table["record_id"].tolist() == ["b:1", "b:2", "a:1", "a:2"]
        assert table["patient_id"].tolist() == ["b:7", "b:7", "a:7", "a:7"]
        assert table.index.tolist() == [0, 1, 2, 3]

    def test_pairs_name_data_sets_and_ids_as_text(self, tmp_path: Path) -> None:
        head = "dataset_a,record_a,dataset_b,record_b,shift_s,correlation"
        (tmp_path / "pairs.csv").write_text(f"{head}\n2022,007,NA,null,0.5,1.0\n")
        pairs = read_table(tmp_path / "pairs.csv")
        assert pairs.iloc[0].tolist() == ["2022", "007", "NA", "null", 0.5, 1.0]
        (tmp_path / "pairs.csv").write_text(f"{head}\n")
        assert read_table(tmp_path / "pairs.csv").columns.tolist() == head.split(",")

    def test_tables_without_patients(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / f"{name}.csv").write_text("record_id,usable\n1,1\n")
        assert join_records(["a", "b"], [tmp_path / "a.csv", tmp_path / "b.csv"])["record_id"].tolist() == [
            "a:1",
            "b:1",
        ]


def test_data_set_of_which_nothing_can_be_used_stops_with_the_first_reason() -> None:
    rejected = pd.DataFrame(
        [("a", "a.npy", "11 leads"), ("b", "b.npy", "no leads")], columns=["record_id", "path", "reason"]
    )
    with pytest.raises(InputError, match=r"^ward: none of 2 recordings can be used, the first: a\.npy: 11 leads$"):
        require_some(pd.DataFrame({"record_id": []}), rejected, Path("ward"))
    require_some(pd.DataFrame({"record_id": ["c"]}), rejected, Path("ward"))
    require_some(pd.DataFrame({"record_id": []}), rejected[:0], Path("ward"))
