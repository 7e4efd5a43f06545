"""Lobachevsky University Database: diagnoses are sentences in the header's comments, one record per patient.

Source: Kalyakulina et al. 2020, https://doi.org/10.1109/ACCESS.2020.3029211
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgtransfer.prepare.formats.wfdb_files import Header
from ecgtransfer.prepare.layouts import (
    Description,
    Recordings,
    comment_value,
    from_headers,
    unique,
)
from ecgtransfer.prepare.people import person

_NOT_DIAGNOSES = {"age", "sex", "diagnoses"}


def layout(_entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Return the recordings whose headers are among `paths`."""
    return from_headers(folder, paths, describe)


def describe(path: Path, header: Header) -> Description:
    """Return what the header's comments state."""
    return Description(
        record_id=path.stem,
        patient_id=path.stem,
        **person(comment_value(header, "age") or "", comment_value(header, "sex") or ""),
        statements=unique(statements(header)),
    )


def statements(header: Header) -> list[str]:
    """Return the diagnostic sentences of a header without their final stop, for instance ``Rhythm: Sinus rhythm``."""
    sentences = [comment.strip().rstrip(".").strip() for comment in header.comments]
    return [s for s in sentences if s and s.partition(":")[0].strip("<>").lower() not in _NOT_DIAGNOSES]
