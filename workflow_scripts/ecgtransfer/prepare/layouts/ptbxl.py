"""PTB-XL: one table, ``ptbxl_database.csv``, holds patients, SCP-ECG statements and the published folds.

Source: Wagner et al. 2020, https://doi.org/10.1038/s41597-020-0495-6
"""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.formats.wfdb_files import Header
from ecgtransfer.prepare.layouts import (
    Description,
    Recordings,
    from_headers,
    month_of,
    unique,
    whole_number,
)
from ecgtransfer.prepare.people import person

TABLE = "ptbxl_database.csv"
COLUMNS = ["ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_hr"]
MAY_LACK = ["filename_lr", "site", "recording_date"]
AGE_OVER_89, AGE_FOR_OVER_89 = "300", "90"
"""How the table hides the age of patients older than 89; they count as 90 here."""


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Return the recordings whose headers are among `paths`, described by their rows in ``ptbxl_database.csv``.

    Statements keep the likelihood in percent that comes with them: ``NORM@100``, ``SR@0``.

    Raises
    ------
    InputError
        If the table is missing or lacks a column.
    """
    rows = list(read_rows(folder / TABLE, COLUMNS, MAY_LACK))
    row_by_file = {row[name]: row for name in ("filename_lr", "filename_hr") for row in rows}

    def describe(path: Path, _header: Header) -> Description:
        row = row_by_file.get(path.relative_to(folder).with_suffix("").as_posix())
        if row is None:
            raise InputError(f"{path}: no row of {TABLE} names this file in filename_hr or filename_lr")
        fold = whole_number(row["strat_fold"])
        return Description(
            record_id=row["ecg_id"],
            patient_id=whole_number(row["patient_id"]),
            **person(
                AGE_FOR_OVER_89 if whole_number(row["age"]) == AGE_OVER_89 else row["age"],
                {"0": "M", "1": "F"}.get(whole_number(row["sex"]), row["sex"]),
            ),
            statements=unique(_statements(row["scp_codes"], path)),
            fold=int(fold) if fold.isdecimal() and len(fold) < 4 else None,
            site=whole_number(row["site"]),
            month=month_of(row["recording_date"]),
        )

    return from_headers(folder, paths, describe)


def _statements(text: str, path: Path) -> list[str]:
    """Return ``statement@likelihood`` for each entry of a cell such as ``{'NORM': 100.0, 'SR': 0.0}``."""
    try:
        return [f"{statement}@{float(likelihood):g}" for statement, likelihood in ast.literal_eval(text).items()]
    except (ValueError, SyntaxError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: scp_codes '{text[:60]}' in {TABLE} is not a list of statements") from error
