"""Layouts of WFDB records: PTB Diagnostic and MIMIC-IV-ECG."""

from pathlib import Path

import pytest
from tiny_records import write_record

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.records import describe_records

PTBDB = ["age: 81", "sex: female", "ECG date: 01/10/1990", "Diagnose:", "Reason for admission: Myocardial infarction",
    "Acute infarction (localization): infero-latera", "Former infarction (localization): no",
    "Additional diagnoses: Diabetes mellitus"]  # fmt: skip


class TestPtbDiagnostic:
    """The patient is the folder, the summary is in the comments."""

    def test_records(self, tmp_path: Path) -> None:
        paths = [
            write_record(tmp_path, "patient001/s0010_re", PTBDB),
            write_record(tmp_path, "patient001/s0014lre", ["age: n/a", "Reason for admission: n/a"]),
            write_record(tmp_path, "patient104/s0306lre", ["Reason for admission: Healthy control", "sex: male"]),
        ]
        records, rejected, _ = describe_records({"reader": "ptbdb"}, tmp_path, paths)
        assert records["record_id"].tolist() == ["s0010_re", "s0306lre"]
        assert records["patient_id"].tolist() == ["patient001", "patient104"]
        assert records["statements"].tolist() == [
            "Reason for admission: Myocardial infarction|Acute infarction (localization): infero-latera",
            "Reason for admission: Healthy control",
        ]
        assert records["age_years"].fillna(-1).tolist() == [81, -1]
        assert records["sex"].tolist() == ["F", "M"]
        assert rejected["record_id"].tolist() == ["s0014lre"]
        assert rejected["reason"].tolist() == ["no '# Reason for admission:' is given, so its labels are unknown"]


class TestMimic:
    """Two tables, joined by study."""

    def write_tables(self, folder: Path) -> None:
        (folder / "record_list.csv").write_text(
            "subject_id,study_id,file_name,ecg_time,path\n"
            "10000032,40689238,40689238,2180-07-23 08:44:00,files/p1000/p10000032/s40689238/40689238\n"
            "10000032,49036311,49036311,2180-08-06 09:07:00,files/p1000/p10000032/s49036311/49036311\n"
            "10000635,43522917,43522917,2137-02-07 13:58:00,files/p1000/p10000635/s43522917/43522917\n"
        )
        reports = ",".join(f"report_{number}" for number in range(18))
        (folder / "machine_measurements.csv").write_text(
            f"subject_id,study_id,cart_id,ecg_time,{reports},bandwidth,filtering\n"
            f'10000032,40689238,6848296,2180-07-23 08:44:00,Sinus rhythm,"a, b | c",,Borderline ECG{"," * 14},5 Hz,\n'
            f"10000032,49036311,6376932,2180-08-06 09:07:00,Normal ECG,Normal ECG{',' * 16},0.05 Hz,60 Hz\n"
        )

    def test_records(self, tmp_path: Path) -> None:
        self.write_tables(tmp_path)
        studies = [
            "10000032/s40689238/40689238",
            "10000032/s49036311/49036311",
            "10000635/s43522917/43522917",
            "1/s2/2",
        ]
        paths = [write_record(tmp_path, f"files/p1000/p{study}") for study in studies]
        records, rejected, _ = describe_records({"reader": "mimic_iv_ecg"}, tmp_path, paths)
        assert records["record_id"].tolist() == ["40689238", "49036311"]
        assert records["patient_id"].tolist() == ["10000032", "10000032"]
        assert records["statements"].tolist() == ["Sinus rhythm|a, b ¦ c|Borderline ECG", "Normal ECG"]
        assert set(records["month"]) == {""}  # dates are shifted
        assert rejected["reason"].tolist() == [
            "no row of machine_measurements.csv has study_id 43522917, so its labels are unknown",
            "no row of record_list.csv names this file in path",
        ]

    def test_a_table_of_another_data_set(self, tmp_path: Path) -> None:
        self.write_tables(tmp_path)
        (tmp_path / "record_list.csv").write_text("subject,study_id,path\n")
        with pytest.raises(InputError, match=r"record_list\.csv: column subject_id missing; did you mean `subject`"):
            describe_records({"reader": "mimic_iv_ecg"}, tmp_path, [])
