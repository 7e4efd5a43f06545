"""PTB Diagnostic ECG Database: a folder per patient, the clinical summary in the header's comments.

Source: https://physionet.org/content/ptbdb/1.0.0/
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

STATED_IN = ("Reason for admission", "Acute infarction (localization)", "Former infarction (localization)")
"""The comments that count as statements, ``Reason for admission: Myocardial infarction``."""

_SAYS_NOTHING = {"", "no", "n/a", "unknown"}


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Return the recordings whose headers are among `paths`."""
    return from_headers(folder, paths, describe)


def describe(path: Path, header: Header) -> Description:
    """Return what the header's comments state.

    Raises
    ------
    InputError
        If they state no diagnosis, as of 27 of the 549 recordings (which Nguyen & Do 2025 leave out, too).
    """
    values = [(name, (comment_value(header, name) or "").strip()) for name in STATED_IN]
    stated = unique(f"{name}: {value}" for name, value in values if value.lower() not in _SAYS_NOTHING)
    if not stated:
        raise InputError(f"{path}: no '# {STATED_IN[0]}:' is given, so its labels are unknown")
    return Description(
        record_id=path.stem,
        patient_id=path.parent.name,
        **person(comment_value(header, "age") or "", comment_value(header, "sex") or ""),
        statements=stated,
    )
