"""Which recordings of a data set the report draws, and the line above each."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import one_line, short_id
from ecgtransfer.prepare.snomed_ct import base_code

_TITLE_LENGTH = 96  # characters, as many as fit next to the scale on the drawn page


def choose_recordings(records: pd.DataFrame, n_recordings: int) -> list[dict[str, Any]]:
    """Return `n_recordings` rows of a records table: one for each of the most frequent sets of diagnoses, then others.

    The choice depends on nothing but the table: of equally frequent sets the one that comes first in it, of each set
    its first recording; where there are fewer sets than recordings wanted, the first recordings left follow.

    Raises
    ------
    InputError
        If the table has fewer rows.
    """
    if len(records) < n_recordings:
        raise InputError(
            f"report.recordings.per_dataset is {n_recordings}, but there are only {len(records)} usable recordings;"
            " lower it or raise `limits` of the data set"
        )
    codes = records["codes"].fillna("").map(lambda cell: "|".join(sorted(cell.split("|"))))
    rank = codes.groupby(codes).transform("size").where(~codes.duplicated(), 0)
    chosen = records.loc[rank.sort_values(ascending=False, kind="stable").index[:n_recordings]]
    return [{str(column): value for column, value in row.items()} for row in chosen.to_dict("records")]


def recording_title(dataset: str, record: Mapping[str, object], abbreviations: Mapping[str, str]) -> str:
    """Return data set, record, age, sex and diagnoses of a row of a records table in one line, cut where it is long.

    Parameters
    ----------
    dataset : name of the data set
    record : ``record_id``, ``age_years``, ``sex`` and ``codes`` (SNOMED CT joined by ``|``); blanks are left out
    abbreviations : label name by SNOMED CT code; a code without one is its own name
    """
    codes = [code for code in _text(record["codes"]).split("|") if code]
    age = _text(record["age_years"])
    parts = [
        f"{float(age):.0f} years" if age else "",
        {"F": "female", "M": "male"}.get(_text(record["sex"]), ""),
        " ".join(_named(code, abbreviations) for code in codes) or "no diagnosis",
    ]
    title = f"{dataset}, record {short_id(_text(record['record_id']))}: " + ", ".join(part for part in parts if part)
    return one_line(title, _TITLE_LENGTH)


def diagnoses_in_words(codes: object, names: Mapping[str, str]) -> str:
    """Return the names of the diagnoses of a record, ``codes`` as in its table; a code without a name stays a code."""
    return ", ".join(_named(code, names) for code in _text(codes).split("|") if code) or "no diagnosis"


def _named(code: str, names: Mapping[str, str]) -> str:
    """Return the name of a code, or of the one that it refines, or the code itself."""
    return names.get(code) or names.get(base_code(code), code)


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]
