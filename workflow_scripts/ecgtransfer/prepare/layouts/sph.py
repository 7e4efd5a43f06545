"""Shandong Provincial Hospital: one HDF5 file per record, one table, statements as AHA codes.

A cell of ``AHA_Code`` holds statements between ``;``, each a code with its modifiers behind ``+``: ``22;50+346``.
Source: Liu et al. 2022, https://doi.org/10.1038/s41597-022-01403-5: 500 Hz, mV, leads in standard order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.layouts import (
    STANDARD_ORDER,
    Described,
    Recordings,
    Rejected,
    month_of,
    path_named,
    reason,
    unique,
)
from ecgtransfer.prepare.people import person
from ecgtransfer.prepare.recordings import recording_metadata

TABLE = "metadata.csv"
COLUMNS = ["ECG_ID", "AHA_Code", "Patient_ID", "Age", "Sex", "N", "Date"]
SAMPLING_RATE_HZ = 500.0


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Yield a recording per HDF5 file among `paths`; in the table it is named with or without its suffix.

    Raises
    ------
    InputError
        If the table is missing or lacks a column.
    """
    rows = read_rows(folder / path_named(paths, TABLE, folder), COLUMNS)
    row_of = {row["ECG_ID"].removesuffix(".h5"): row for row in rows}
    for relative in (path for path in paths if path.endswith(".h5")):
        record_id, path = PurePosixPath(relative).stem, f"{relative}#ecg"
        try:
            yield _described(record_id, path, row_of, folder)
        except InputError as error:
            yield Rejected(record_id, path, reason(error, folder, path))


def _described(record_id: str, path: str, row_of: Mapping[str, Mapping[str, str]], folder: Path) -> Described:
    row = row_of.get(record_id)
    if row is None:
        raise InputError(f"no row of {TABLE} names this file in ECG_ID")
    metadata = recording_metadata(folder, path, STANDARD_ORDER)
    if row["N"].isdecimal() and row["N"].lstrip("0") != str(metadata.n_samples):
        raise InputError(f"has {metadata.n_samples} samples per lead, {TABLE} says {row['N']}")
    return Described(
        record_id=record_id,
        patient_id=row["Patient_ID"],
        path=path,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        n_samples=metadata.n_samples,
        **person(row["Age"], row["Sex"]),
        statements=unique(statement.strip() for statement in row["AHA_Code"].split(";")),
        month=month_of(row["Date"]),
        unit="mV",
        leads=STANDARD_ORDER,
    )
