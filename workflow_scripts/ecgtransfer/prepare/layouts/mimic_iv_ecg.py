"""MIMIC-IV-ECG: two tables tell who a record is from and what the machine reported on it, line by line.

The dates are shifted per patient, so no month is taken from them. Age and sex are in the clinical database, which
needs an account; they stay unknown here.
Source: https://physionet.org/content/mimic-iv-ecg/1.0/
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.formats.wfdb_files import Header
from ecgtransfer.prepare.layouts import Description, Recordings, from_headers, unique

RECORDS = "record_list.csv"
REPORTS = "machine_measurements.csv"
REPORT_LINES = [f"report_{number}" for number in range(18)]


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Return the recordings whose headers are among `paths`; each line of the machine's report is a statement.

    Raises
    ------
    InputError
        If a table is missing or lacks a column.
    """
    of_path = {
        row["path"]: (row["study_id"], row["subject_id"])
        for row in read_rows(folder / RECORDS, ["subject_id", "study_id", "path"])
    }
    lines_of = {
        row["study_id"]: unique(row[line] for line in REPORT_LINES)
        for row in read_rows(folder / REPORTS, ["study_id", *REPORT_LINES[:1]], REPORT_LINES[1:])
    }

    def describe(path: Path, _header: Header) -> Description:
        found = of_path.get(path.relative_to(folder).with_suffix("").as_posix())
        if found is None:
            raise InputError(f"{path}: no row of {RECORDS} names this file in path")
        study, subject = found
        if study not in lines_of:
            raise InputError(f"{path}: no row of {REPORTS} has study_id {study}, so its labels are unknown")
        return Description(record_id=study, patient_id=subject, age_years=None, sex="", statements=lines_of[study])

    return from_headers(folder, paths, describe)
