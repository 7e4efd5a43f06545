"""PhysioNet/CinC Challenge 2021: age, sex and SNOMED CT codes are in the header's comments.

The Challenge publishes no patient ids, so every record counts as its own patient.
Source: https://physionet.org/content/challenge-2021/1.0.3/
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.formats.wfdb_files import Header
from ecgtransfer.prepare.layouts import (
    Description,
    Recordings,
    comment_value,
    from_headers,
    unique,
)
from ecgtransfer.prepare.people import person


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Return the recordings whose headers are among `paths`."""
    return from_headers(folder, paths, describe)


def describe(path: Path, header: Header) -> Description:
    """Return what the comments ``#Age``, ``#Sex`` and ``#Dx`` state.

    Raises
    ------
    InputError
        If there is no ``#Dx`` comment or it holds something other than SNOMED CT codes.
    """
    diagnoses = comment_value(header, "Dx")
    if diagnoses is None:
        raise InputError(f"{path}: no '#Dx:' comment, so its labels are unknown")
    codes = unique([code.strip() for code in diagnoses.split(",")])
    if not codes or not all(code.isdecimal() for code in codes):
        raise InputError(f"{path}: '#Dx: {diagnoses[:60]}' is not a list of SNOMED CT codes")
    return Description(
        record_id=path.stem,
        patient_id=path.stem,
        **person(comment_value(header, "Age") or "", comment_value(header, "Sex") or ""),
        statements=codes,
    )
