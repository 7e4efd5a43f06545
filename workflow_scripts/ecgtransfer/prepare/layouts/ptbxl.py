"""PTB-XL: one table, ``ptbxl_database.csv``, holds patients, SCP-ECG statements and the published folds.

Source: Wagner et al. 2020, https://doi.org/10.1038/s41597-020-0495-6
"""

import ast
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.layouts import Describe, Description, age_in_years, unique
from ecgtransfer.prepare.wfdb_files import Header

TABLE = "ptbxl_database.csv"
COLUMNS = ["ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_hr"]
AGE_OVER_89 = 300
"""How the table hides the age of patients older than 89; they count as 90 here."""


def layout(folder: Path) -> Describe:
    """Return the description of a record from its row in ``ptbxl_database.csv``.

    All statements count, whatever likelihood stands beside them.

    Raises
    ------
    InputError
        If the table is missing or lacks a column.
    """
    by_file = _table_by_file(folder / TABLE)

    def describe(path: Path, _header: Header) -> Description:
        row = by_file.get(path.relative_to(folder).with_suffix("").as_posix())
        if row is None:
            raise InputError(f"{path}: no row of {TABLE} names this file in filename_hr")
        return Description(
            record_id=str(row["ecg_id"]),
            patient_id=row["patient_id"].removesuffix(".0"),
            age_years=_age(row["age"]),
            sex={"0": "M", "1": "F"}.get(row["sex"].removesuffix(".0"), ""),
            statements=unique(_statements(row["scp_codes"], path)),
            fold=_fold(row["strat_fold"].removesuffix(".0")),
        )

    return describe


def _table_by_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda column: column in COLUMNS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); download the data set again") from error
    except ValueError as error:
        raise InputError(f"{path}: is not a CSV table ({str(error)[:120]}); download the data set again") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} missing; is this the table of PTB-XL?")
    return {str(row["filename_hr"]): row for row in table.to_dict("records")}  # type: ignore[misc]


def _age(text: str) -> float | None:
    return 90.0 if text.removesuffix(".0") == str(AGE_OVER_89) else age_in_years(text)


def _fold(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _statements(text: str, path: Path) -> list[str]:
    try:
        return [str(statement) for statement in ast.literal_eval(text)]
    except (ValueError, SyntaxError, TypeError) as error:
        raise InputError(f"{path}: scp_codes '{text[:60]}' in {TABLE} is not a list of statements") from error
