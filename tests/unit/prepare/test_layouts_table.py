"""Your own data: a folder and a table; what is stated about a recording, and by which of them."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tiny_own import described, own
from tiny_records import N_SAMPLES, write_hdf5, write_record

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.errors import InputError
from ecgtransfer.files import files_there, sha256_of
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.records import describe_records

TIS_LEADS = ["I", "II", "III", "aVL", "aVR", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for recordings."""
    place = tmp_path / "hospital"
    place.mkdir()
    return place


class TestPrivateArchive:
    """Several hospitals, microvolts as integers, leads in an order of their own, exports by month."""

    keys: ClassVar = {
        "columns": {"record": "ECG", "patient": "PATIENT", "file": "PATH", "labels": "DIAGNOSES", "site": "ID_CLINIC",
            "month": "DATE", "age": "AGE", "sex": "GENDER"},
        "sampling_rate_hz": 500, "unit": "uV", "leads": TIS_LEADS, "label_separator": ";", "label_table": "tis.csv",
        "empty_labels": "negative",
    }  # fmt: skip
    table = (
        "ECG,PATIENT,PATH,DIAGNOSES,ID_CLINIC,DATE,AGE,GENDER\n"
        "e1,p1,2019/12/e1.npy,1.18.1;2.1,17,2019-12-03 08:15,61,м\n"
        "e2,p1,2020/03/e2.npy,1.2,17,2020-03-01,61,F\n"
        "e3,p2,2020/03/e3.npy,,4,2020-3-31,,male\n"
    )

    def test_it_comes_in(self, folder: Path) -> None:
        for name in ("2019/12/e1", "2020/03/e2", "2020/03/e3"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{name}.npy", (1000 * np.arange(1, 13)[:, None] * np.ones((12, 50))).astype(np.int16))
        before = {path: sha256_of(path) for path in folder.rglob("*.npy")}
        entry = own(folder, self.table, **self.keys)
        records, rejected = described(entry)
        assert rejected == {}
        assert records["record_id"].tolist() == ["e1", "e2", "e3"]
        assert records["patient_id"].tolist() == ["p1", "p1", "p2"]
        assert records["site"].tolist() == ["17", "17", "4"]
        assert records["month"].tolist() == ["2019-12", "2020-03", "2020-03"]
        assert records["statements"].tolist() == ["1.18.1|2.1", "1.2", ""]
        assert records["sex"].tolist() == ["M", "F", "M"]
        assert set(records["n_samples"]) == {50}
        row = records.iloc[0]
        signal = read_recording(folder, row["path"], row["unit"], row["leads"])
        expected = [TIS_LEADS.index(lead) + 1 for lead in LEADS]  # mV
        np.testing.assert_allclose(signal[:, 0], expected)
        assert before == {path: sha256_of(path) for path in folder.rglob("*.npy")}


class TestWhatIsSaid:
    """The table wins over the entry, a header over both."""

    def test_a_recording_can_differ_from_the_rest(self, folder: Path) -> None:
        write_hdf5(folder / "all.h5", first=np.zeros((2, 12, 40)), second=np.zeros((8, 50)))
        entry = own(
            folder,
            "record,file,array,row,labels,rate,unit,leads\n"
            "a,all.h5,first,0,426783006,,,\n"
            "b,all.h5,first,1,426783006|164889003,250,0.1 mV,\n"
            "c,all.h5,second,,426783006,,,I II V1 V2 V3 V4 V5 V6\n",
            sampling_rate_hz=500,
            unit="mV",
            leads=list(LEADS),
        )
        records, rejected = described(entry)
        assert rejected == {}
        assert records["path"].tolist() == ["all.h5#first[0]", "all.h5#first[1]", "all.h5#second"]
        assert records["sampling_rate_hz"].tolist() == [500, 250, 500]
        assert records["n_samples"].tolist() == [40, 40, 50]
        assert records["unit"].tolist() == ["mV", "0.1 mV", "mV"]
        assert records["leads"].tolist() == ["|".join(LEADS), "|".join(LEADS), "I|II|V1|V2|V3|V4|V5|V6"]
        assert records["patient_id"].tolist() == ["a", "b", "c"]

    @pytest.mark.parametrize("missing", ["sampling_rate_hz", "unit", "leads"])
    def test_what_nothing_says_is_not_guessed(self, folder: Path, missing: str) -> None:
        np.save(folder / "a.npy", np.zeros((12, 40)))
        keys = {"sampling_rate_hz": 500, "unit": "mV", "leads": list(LEADS)}
        del keys[missing]
        entry = own(folder, "record,file,labels\na,a.npy,426783006\n", **keys)
        with pytest.raises(InputError, match=rf"nothing states the {missing} of 'a\.npy'; add a column"):
            described(entry)

    def test_wfdb_headers_say_it_themselves(self, folder: Path) -> None:
        write_record(folder, "x/1")
        write_record(folder, "x/2", rate="250")
        table = "record,patient,file,labels,rate,fold\n1,7,x/1,426783006,500,3.0\n2,7,x/2.hea,426783006,500,\n"
        entry = own(folder, table)
        assert sorted(inventory(entry, signal_files)["path"]) == ["x/1.dat", "x/1.hea", "x/2.dat", "x/2.hea"]
        records, rejected = described(entry)
        row = records.iloc[0]
        assert (row["path"], row["sampling_rate_hz"], row["n_samples"]) == ("x/1.hea", 500, N_SAMPLES)
        assert (row["unit"], row["leads"], row["patient_id"], row["fold"]) == ("", "", "7", 3)
        assert rejected == {"2": "the table says 500 Hz, the file 250 Hz"}

    def test_a_csv_file_can_name_its_leads(self, folder: Path) -> None:
        (folder / "named.csv").write_text(",".join(TIS_LEADS) + "\n" + (",".join(["1.5"] * 12) + "\n") * 3)
        (folder / "bare.csv").write_text((",".join(["1"] * 12) + "\n") * 3)
        keys = {"sampling_rate_hz": 500, "unit": "mV"}
        records, rejected = described(own(folder, "record,file,labels\na,named.csv,426783006\n", **keys))
        assert rejected == {}
        assert (records["leads"][0], records["n_samples"][0]) == ("", 3)
        with pytest.raises(InputError, match=r"nothing states the leads of 'bare\.csv'"):
            described(own(folder, "record,file,labels\na,bare.csv,426783006\n", **keys))

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ({"unit": "volts"}, "unit 'volts' is not one of mV"),
            ({"leads": ["I", "II", "II"]}, "lead II occurs more than once"),
            ({"leads": ["one", "two"]}, "none of the twelve leads"),
            ({"sampling_rate_hz": 1}, "sampling_rate_hz 1 is not a sampling rate of an ECG"),
            ({"columns": {"lables": "x"}}, "'lables' is not a field; did you mean `labels`"),
            ({"columns": {"age": "Agee"}}, "column Agee missing; did you mean `age`"),
        ],
    )
    def test_a_wrong_entry(self, folder: Path, keys: dict[str, Any], message: str) -> None:
        np.save(folder / "a.npy", np.zeros((12, 40)))
        entry = own(folder, "record,file,labels,age\na,a.npy,426783006,5\n", **keys)
        with pytest.raises(InputError, match=message):
            describe_records(entry, folder, ["a.npy"])


class TestRejected:
    """Every row is a recording or has a reason."""

    def test_reasons(self, folder: Path) -> None:
        np.save(folder / "a.npy", np.zeros((3, 12, 40)))
        np.save(folder / "eight.npy", np.zeros((8, 40)))
        (folder / "broken.npy").write_bytes(b"\x93NUMPY")
        write_record(folder, "cut")
        (folder / "cut.dat").write_bytes(b"")
        rows = {
            "good": "a.npy,0,426783006,mV,,",
            "twin": "a.npy,2,426783006,mV,,",
            "past": "a.npy,3,426783006,mV,,",
            "word": "a.npy,one,426783006,mV,,",
            "unit": "a.npy,0,426783006,mmHg,,",
            "none": "a.npy,0,426783006,,,",
            "text": "a.npy,0,AF,mV,,",
            "date": "a.npy,0,426783006,mV,March,",
            "fold": "a.npy,0,426783006,mV,,x",
            "few": "eight.npy,,426783006,mV,,",
            "gone": "b.npy,,426783006,mV,,",
            "up": "../a.npy,,426783006,mV,,",
            "root": "/a.npy,,426783006,mV,,",
            "bytes": "broken.npy,,426783006,mV,,",
            "cut": "cut,,426783006,,,",
        }
        text = "record,file,row,labels,unit,month,fold\n" + "".join(f"{name},{row}\n" for name, row in rows.items())
        text += ",a.npy,1,426783006,mV,,\ngood,a.npy,1,426783006,mV,,\n"
        entry = own(folder, text, sampling_rate_hz=500, leads=list(LEADS))
        records, rejected, _ = describe_records(entry, folder, files_there(inventory(entry, signal_files)))
        assert records["record_id"].tolist() == ["good", "twin"]
        assert len(records) + len(rejected) == len(rows) + 2
        told = dict(zip(rejected["record_id"], rejected["reason"], strict=True))
        for name, part in {
            "word": "row 'one' is no whole number",
            "unit": "unit 'mmHg' is not one of mV",
            "none": "the cell of unit is empty and the entry has no `unit`",
            "text": "label 'AF' is not a SNOMED CT code and the entry has no `label_table`",
            "date": "month 'March' does not start with year and month",
            "fold": "fold 'x' is no whole number",
            "few": "shape (8, 40) has no axis of 12 leads",
            "past": "row 3 is not there",
            "gone": "file b.npy is missing",
            "up": "file '../a.npy' is not a path within the folder",
            "root": "file '/a.npy' is not a path within the folder",
            "cut": "signal file cut.dat is empty",
            "row 16": "the column of records is empty",
            "good": "record id good is also that of a.npy#[0]",
        }.items():
            assert part in told[name]
        assert "bytes" in told
        assert not [reason for reason in told.values() if str(folder) in reason or "\n" in reason]


class TestInventory:
    """Files are listed and hashed where they lie."""

    def test_manifest(self, folder: Path) -> None:
        write_record(folder, "b")
        np.save(folder / "a.npy", np.zeros(3))
        np.save(folder / "unnamed.npy", np.zeros(3))
        entry = own(folder, "record,file,labels\n1,b,1\n2,a.npy,1\n3,./a.npy,1\n4,gone.npy,1\n5,../table.csv,1\n")
        manifest = inventory(entry, signal_files, n_threads=2)
        there = ["a.npy", "b.dat", "b.hea"]
        assert files_there(manifest) == there
        assert manifest["path"].tolist() == [*there, "gone.npy"]
        assert manifest["bytes"].tolist() == [*((folder / path).stat().st_size for path in there), ""]
        assert manifest["sha256"].tolist() == [*(sha256_of(folder / path) for path in there), ""]

    def test_signal_files_are_those_that_the_reader_finds(self, folder: Path) -> None:
        write_record(folder, "b")
        (folder / "sub").mkdir()
        (folder / "b.dat").rename(folder / "sub/bé.dat")
        header = (folder / "b.hea").read_text().replace("b.dat", "sub/bé.dat")
        (folder / "b.hea").write_text(header, encoding="latin-1")
        manifest = inventory(own(folder, "record,file,labels\n1,b,1\n"), signal_files)
        assert files_there(manifest) == ["b.hea", "sub/bé.dat"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "record,file,labels\na,x.npy,1\n",
                "none of the 1 files that .*table.csv names is there, the first is 'x.npy'",
            ),
            ("record,labels\na,1\n", "column file missing"),
            ("record;file;labels\na;x;1\n", "the first is 'x.hea'"),
            ("\n", "column record, file missing"),
            ("", "is empty; copy or download it again"),
        ],
    )
    def test_mistakes(self, folder: Path, text: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            inventory(own(folder, text), signal_files)

    def test_no_folder_or_no_table(self, folder: Path) -> None:
        entry = own(folder, "record,file,labels\n")
        with pytest.raises(InputError, match="nowhere: no such folder"):
            inventory({**entry, "folder": "nowhere"}, signal_files)
        with pytest.raises(InputError, match=r"other\.csv: cannot be read"):
            inventory({**entry, "table": "other.csv"}, signal_files)


def test_a_mutated_table_never_breaks_the_reading(folder: Path) -> None:
    np.save(folder / "a.npy", np.zeros((3, 12, 40)))
    write_record(folder, "w")
    whole = (
        b"record,patient,file,row,labels,unit,rate,leads,site,month,fold\n"
        b"a,1.0,a.npy,0,426783006,mV,500,,17,2020-03,3\nb,2,w,,426783006|164889003,,500,,,2020-04-01,\n"
        b"c,1,a.npy,2,426783006,uV,400,I II III aVR aVL aVF V1 V2 V3 V4 V5 V6,1,,1\n"
    )
    odd = [
        b'"',
        b",",
        b"\n",
        b"\r",
        b"\0",
        b"[",
        b"]",
        b"#",
        b"9" * 400,
        b"1e999",
        b"\xff",
        b"|",
        b"..",
        b"/",
        "٣".encode(),
    ]
    entry = own(folder, "", leads=list(LEADS), sampling_rate_hz=500, unit="mV")
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(300):
        content = whole
        for _ in range(rng.integers(1, 5)):
            place, length = rng.integers(len(whole)), rng.integers(0, 30)
            content = content[:place] + odd[rng.integers(len(odd))] + content[place + length :]
        Path(entry["table"]).write_bytes(content)
        try:
            records, rejected, _ = describe_records(entry, folder, files_there(inventory(entry, signal_files)))
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
            continue
        assert records["record_id"].is_unique
        assert not rejected["reason"].str.contains("\n").any()
        outcomes |= {"described"} if len(records) else set()
        outcomes |= {"rejected"} if len(rejected) else set()
    assert outcomes == {"refused", "described", "rejected"}


class TestLabelsAndFolds:
    """Labels that would be lost, and folds that would be dealt out anew, stop the run in a line that names the key."""

    def entry(self, folder: Path, *cells: str, column: str = "labels", **keys: Any) -> dict[str, Any]:
        """Return the entry of recordings with these cells in a column."""
        np.save(folder / "a.npy", np.zeros((len(cells), 12, 40)))
        rows = "".join(f'r{row},a.npy,{row},"{cell}",426783006\n' for row, cell in enumerate(cells))
        header = f"record,file,row,{column},{'labels' if column != 'labels' else 'more'}\n"
        return own(folder, header + rows, leads=list(LEADS), sampling_rate_hz=500, unit="mV", **keys)

    @pytest.mark.parametrize("separator", [";", ",", "/", "+", "&", "\n"])
    def test_codes_that_are_separated_otherwise(self, folder: Path, separator: str) -> None:
        cells = ("426783006", f"426783006{separator}164889003")
        with pytest.raises(InputError, match=r"are separated by .*, the entry in the section `own` says '\|'; set"):
            described(self.entry(folder, *cells))
        records, rejected = described(self.entry(folder, *cells, label_separator=separator))
        assert rejected == {}
        assert records["statements"].tolist() == ["426783006", "426783006|164889003"]

    def test_codes_by_bars_where_another_separator_is_said(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"separated by '\|', the entry .* says ';'; set `label_separator: '\|'`"):
            described(self.entry(folder, "426783006|164889003", label_separator=";"))

    @pytest.mark.parametrize("cell", ["['AF', 'SR']", "{'AF': 100.0}", "[]", "('AF',)"])
    @pytest.mark.parametrize("keys", [{}, {"label_table": "codes.csv"}])
    def test_labels_as_python_writes_them(self, folder: Path, cell: str, keys: dict[str, str]) -> None:
        with pytest.raises(InputError, match=r"table\.csv: labels .* are a list as Python or JSON writes it"):
            described(self.entry(folder, cell, **keys))

    def test_codes_as_spreadsheets_leave_them(self, folder: Path) -> None:
        records, rejected = described(self.entry(folder, "426783006.0|164889003.0", "426783000", "4.26783E+08"))
        assert records["statements"].tolist() == ["426783006|164889003"]
        assert rejected == {
            "r1": "label '426783000' is not a SNOMED CT code, its check digit is wrong",
            "r2": "label '4.26783E+08' is not a SNOMED CT code and the entry has no `label_table`",
        }

    def test_folds_that_count_from_zero(self, folder: Path) -> None:
        with pytest.raises(InputError, match="column 'fold' has a fold 0, folds count from 1; add 1 to all"):
            described(self.entry(folder, "0", "1", "2", column="fold"))
        records, _ = described(self.entry(folder, "1", "", "3.0", column="fold"))
        assert records["fold"].fillna(0).tolist() == [1, 0, 3]

    def test_one_signal_under_two_names(self, folder: Path) -> None:
        np.save(folder / "a.npy", np.zeros((12, 40)))
        entry = own(
            folder, "record,file,labels\na,a.npy,426783006\nb,./a.npy,164889003\n", leads=list(LEADS), unit="mV"
        )
        _, rejected = described({**entry, "sampling_rate_hz": 500})
        assert rejected == {"b": "its signal is also that of record a"}
