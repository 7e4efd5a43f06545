"""The index of a data set: which recordings can be used, whose they are, what they show; and which cannot, and why."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.layouts import LAYOUTS, Described, Layout, Notice, Rejected

logger = logging.getLogger(__name__)

DESCRIBED_COLUMNS = [
    "record_id", "patient_id", "path", "sampling_rate_hz", "n_samples", "age_years", "sex", "statements", "fold",
    "labelled", "site", "month", "unit", "leads",
]  # fmt: skip
REJECTED_COLUMNS = ["record_id", "path", "reason"]


def describe_records(
    entry: Mapping[str, Any], folder: Path, manifest_paths: Iterable[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the usable records of a data set and the rejected ones; every recording found is in one of them.

    Parameters
    ----------
    entry
        What decides how the data set is described: `reader`, a module of `ecgtransfer.prepare.layouts`, and what that
        reader requests.
    folder
        Where the data set is.
    manifest_paths
        The files that were verified, relative to `folder`.

    Returns
    -------
    described : pandas.DataFrame
        The columns `DESCRIBED_COLUMNS`; ``statements`` are the data set's own, joined by ``|``.
    rejected : pandas.DataFrame
        The columns `REJECTED_COLUMNS`.
    notices : list of str
        What else the data set gave that could not be used, one sentence each.

    Raises
    ------
    InputError
        If a table of the data set is missing or broken, or the entry lacks what its reader needs.
    """
    columns: dict[str, list[Any]] = {name: [] for name in DESCRIBED_COLUMNS}
    rejected: list[Rejected] = []
    notices: list[str] = []
    unread = defaultdict[str, list[str]](list)
    path_of: dict[str, str] = {}
    record_of: dict[str, str] = {}
    for recording in _layout(entry["reader"])(entry, folder, list(manifest_paths)):
        if isinstance(recording, Notice):
            notices.append(recording.text)
            continue
        if isinstance(recording, Described) and recording.record_id in path_of:
            of_other = f"record id {recording.record_id} is also that of {path_of[recording.record_id]}"
            recording = Rejected(recording.record_id, recording.path, of_other)
        if isinstance(recording, Described) and recording.path in record_of:
            of_other = f"its signal is also that of record {record_of[recording.path]}"
            recording = Rejected(recording.record_id, recording.path, of_other)
        if isinstance(recording, Rejected):
            rejected.append(recording)
            continue
        path_of[recording.record_id] = recording.path
        record_of[recording.path] = recording.record_id
        for what, cell in recording.unread:
            unread[what].append(cell)
        for name, values in columns.items():
            values.append(getattr(recording, name))
        columns["statements"][-1] = "|".join(recording.statements)
        columns["labelled"][-1] = int(recording.labelled)
    logger.info("%d records can be used", len(path_of))
    if rejected:
        first = " ".join(f"{rejected[0].path or rejected[0].record_id}: {rejected[0].reason}".split())
        logger.warning(
            "%d of %d recordings rejected, the first: %s", len(rejected), len(rejected) + len(path_of), first
        )
    notices += [
        f"the {what} of {len(cells)} of {len(path_of)} recordings is not understood and left empty, the first is"
        f" {cells[0][:40]!r}"
        for what, cells in unread.items()
    ]
    table = pd.DataFrame(columns)
    reasons = [(recording.record_id, recording.path, " ".join(recording.reason.split())) for recording in rejected]
    return (
        table.astype({"age_years": "float64", "fold": "Int64", "labelled": "int64"}),
        pd.DataFrame(reasons, columns=REJECTED_COLUMNS),
        notices,
    )


def require_some(described: pd.DataFrame, rejected: pd.DataFrame, folder: Path) -> None:
    """Raise an `InputError` with the first reason if every recording of a data set is rejected."""
    if described.empty and len(rejected):
        first = rejected.iloc[0]
        name = first["path"] or first["record_id"]
        raise InputError(
            f"{folder}: none of {len(rejected)} recordings can be used, the first: {name}: {first['reason']}"
        )


def _layout(reader: str) -> Layout:
    """Return the layout of a name. It is loaded by name, so that an edit of one layout leaves the others alone."""
    name = f"{LAYOUTS}.{reader}"
    try:
        layout: Layout = import_module(name).layout
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise InputError(
            f"config/datasets.yaml: reader '{reader}' is not a module of {LAYOUTS}; correct the name or write it"
        ) from error
    return layout
