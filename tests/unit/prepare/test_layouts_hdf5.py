"""Layouts of HDF5 files: SPH, CODE-test and CODE-15%, from small files as they are published."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tiny_records import write_hdf5

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.records import describe_records

TWELVE = np.arange(1, 13)[:, None] * np.ones((12, 30))


class TestSph:
    """One file per record."""

    def test_records_as_published(self, tmp_path: Path) -> None:
        (tmp_path / "metadata.csv").write_text(
            "ECG_ID,AHA_Code,Patient_ID,Age,Sex,N,Date\n"
            "A00001,22;23,S00001,55,M,30,2020-03-04\n"
            "A00002,50+346;50+346;1,S00002,32,F,30,2019-09-03\n"
            "A00003,1,S00003,63,M,31,2020-07-16\n"
        )
        paths = [f"records/A0000{number}.h5" for number in (1, 2, 3, 4)]
        for path in paths:
            write_hdf5(tmp_path / path, ecg=TWELVE.astype(np.float16))
        records, rejected, _ = describe_records({"reader": "sph"}, tmp_path, ["metadata.csv", *paths])
        assert records["record_id"].tolist() == ["A00001", "A00002"]
        assert records["patient_id"].tolist() == ["S00001", "S00002"]
        assert records["path"].tolist() == ["records/A00001.h5#ecg", "records/A00002.h5#ecg"]
        assert records["statements"].tolist() == ["22|23", "50+346|1"]
        assert records["month"].tolist() == ["2020-03", "2019-09"]
        assert set(records["sampling_rate_hz"]) == {500}
        assert set(records["n_samples"]) == {30}
        assert rejected["reason"].tolist() == [
            "has 30 samples per lead, metadata.csv says 31",
            "no row of metadata.csv names this file in ECG_ID",
        ]

    def test_a_broken_file_is_rejected(self, tmp_path: Path) -> None:
        (tmp_path / "metadata.csv").write_text(
            "ECG_ID,AHA_Code,Patient_ID,Age,Sex,N,Date\nB.h5,1,S1,63,M,30,2020-07-16\n"
        )
        (tmp_path / "B.h5").write_bytes(b"no HDF5")
        records, rejected, _ = describe_records({"reader": "sph"}, tmp_path, ["B.h5", "metadata.csv"])
        assert records.empty
        assert rejected["record_id"].tolist() == ["B"]
        assert str(tmp_path) not in rejected["reason"][0]


class TestCodeTest:
    """Rows of one array, named by nothing but their number."""

    entry: ClassVar = {
        "reader": "code_test",
        "unit": "mV",
        "leads": ["I", "II", "III", "aVL", "aVF", "aVR", *LEADS[6:]],
    }
    paths = ("data/annotations/gold_standard.csv", "data/attributes.csv", "data/ecg_tracings.hdf5")

    def write(self, folder: Path, n_people: int = 3) -> None:
        write_hdf5(folder / self.paths[2], tracings=np.stack([TWELVE.T + 100 * number for number in range(3)]))
        (folder / "data/annotations").mkdir()
        (folder / self.paths[0]).write_text("1dAVb,RBBB,LBBB,SB,AF,ST\n0,0,0,0,0,0\n0,1,0,0,1,0\n1,0,0,0,0,0\n")
        (folder / self.paths[1]).write_text("age,sex\n" + "34,M\n70,F\n,\n"[: 5 * n_people])

    def test_records(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        records, rejected, _ = describe_records(self.entry, tmp_path, self.paths)
        assert rejected.empty
        assert records["record_id"].tolist() == records["patient_id"].tolist() == ["0", "1", "2"]
        assert records["path"][2] == "data/ecg_tracings.hdf5#tracings[2]"
        assert records["statements"].tolist() == ["", "RBBB|AF", "1dAVb"]
        assert records["age_years"].fillna(-1).tolist() == [34, 70, -1]
        assert records["sex"].tolist() == ["M", "F", ""]
        assert set(records["sampling_rate_hz"]) == {400}
        assert set(records["n_samples"]) == {30}

    def test_the_augmented_leads_stand_in_another_order(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        row = describe_records(self.entry, tmp_path, self.paths)[0].iloc[1]
        signal = read_recording(tmp_path, row["path"], row["unit"], row["leads"])
        assert signal[:, 0].tolist() == [101, 102, 103, 106, 104, 105, 107, 108, 109, 110, 111, 112]

    def test_tables_that_do_not_belong_to_the_array(self, tmp_path: Path) -> None:
        self.write(tmp_path, n_people=2)
        with pytest.raises(
            InputError, match=r"has 3 tracings, attributes.csv 2 rows and annotations/gold_standard.csv 3"
        ):
            describe_records(self.entry, tmp_path, self.paths)

    def test_another_array(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        write_hdf5(tmp_path / self.paths[2], signals=np.zeros((3, 30, 12)))
        with pytest.raises(InputError, match=r"ecg_tracings\.hdf5: has no array 'tracings'"):
            describe_records(self.entry, tmp_path, self.paths)


class TestCode15:
    """Parts whose rows are in another order than the table."""

    entry: ClassVar = {"reader": "code15", "unit": "mV"}
    header = (
        "exam_id,age,is_male,nn_predicted_age,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,death,timey,normal_ecg,trace_file\n"
    )
    rows = (
        "7,46,True,38.7,True,False,False,False,False,False,185323,,,False,exams_part0.hdf5\n"
        "5,54,False,44.2,False,True,False,False,False,True,1295924,False,3.8,False,exams_part1.hdf5\n"
        "9,20,True,25.0,False,False,False,False,False,False,185323,,,True,exams_part0.hdf5\n"
        "8,20,True,25.0,False,False,False,False,False,False,3,,,True,exams_part0.hdf5\n"
    )

    def write(self, folder: Path) -> list[str]:
        (folder / "exams.csv").write_text(self.header + self.rows)
        parts = {"exams_part0.hdf5": [9, 7, 0], "exams_part1.hdf5": [5, 0]}
        for name, ids in parts.items():
            tracings = np.array([TWELVE.T + 100 * number for number in ids], dtype=np.float32)
            write_hdf5(folder / name, exam_id=np.array(ids), tracings=tracings)
        return ["exams.csv", *parts]

    def test_records(self, tmp_path: Path) -> None:
        records, rejected, _ = describe_records(self.entry, tmp_path, self.write(tmp_path))
        assert records["record_id"].tolist() == ["9", "7", "5"]
        assert records["path"].tolist() == [
            "exams_part0.hdf5#tracings[0]",
            "exams_part0.hdf5#tracings[1]",
            "exams_part1.hdf5#tracings[0]",
        ]
        assert records["patient_id"].tolist() == ["185323", "185323", "1295924"]
        assert records["statements"].tolist() == ["normal_ecg", "1dAVb", "RBBB|AF"]
        assert records["sex"].tolist() == ["M", "M", "F"]
        row = records.iloc[1]
        assert read_recording(tmp_path, row["path"], row["unit"], row["leads"])[3, 0] == 704
        assert dict(zip(rejected["path"], rejected["reason"], strict=True)) == {
            "exams_part0.hdf5#tracings[2]": "no row of exams.csv has exam_id 0",
            "exams_part1.hdf5#tracings[1]": "no row of exams.csv has exam_id 0",
            "exams_part0.hdf5": "exam_id 8 of exams.csv is not in this part",
        }

    def test_exams_of_parts_that_were_not_fetched_are_no_candidates(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        records, rejected, _ = describe_records(self.entry, tmp_path, ["exams.csv", "exams_part1.hdf5"])
        assert records["record_id"].tolist() == ["5"]
        assert rejected["record_id"].tolist() == ["0"]

    def test_a_part_that_is_not_whole(self, tmp_path: Path) -> None:
        paths = self.write(tmp_path)
        whole = (tmp_path / paths[1]).read_bytes()
        (tmp_path / paths[1]).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=r"exams_part0\.hdf5: has no arrays 'exam_id' and 'tracings'"):
            describe_records(self.entry, tmp_path, paths)
        write_hdf5(tmp_path / paths[1], exam_id=np.arange(4), tracings=np.zeros((3, 30, 12)))
        with pytest.raises(InputError, match="has 4 exam ids, 3 tracings and 12 leads"):
            describe_records(self.entry, tmp_path, paths)
