"""CODE-15%: exams in the rows of HDF5 parts, with ``exams.csv``; or one MATLAB file per exam, with ``meta.csv``.

The rows of a part are in another order than the table: ``exam_id`` next to them tells which exam they are. Recordings
of 7 and 10 s were filled up with zeros to 4096 samples, and each published part ends with a row of exam id 0.
Source: Ribeiro et al. 2021, https://doi.org/10.5281/zenodo.4916206
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ecgtransfer.csv_rows import REMEDY_PUBLISHED, read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.placeholders import placeholder
from ecgtransfer.prepare.formats.hdf5_files import open_hdf5
from ecgtransfer.prepare.layouts import (
    STANDARD_ORDER,
    Described,
    Recordings,
    Rejected,
    is_false,
    is_true,
    path_named,
    reason,
    unique,
)
from ecgtransfer.prepare.people import person
from ecgtransfer.prepare.recordings import recording_metadata
from ecgtransfer.system_errors import stop_if_it_may_pass

logger = logging.getLogger(__name__)

TABLE, TABLE_OF_MATLAB = "exams.csv", "meta.csv"
STATEMENTS = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF", "normal_ecg")
COLUMNS = ["exam_id", "age", "is_male", "patient_id", *STATEMENTS]
ARRAY, IDS, ARRAY_OF_MATLAB = "tracings", "exam_id", "feats"
SAMPLING_RATE_HZ = 400.0


def layout(entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Yield a recording per row of the HDF5 parts among `paths` and per MATLAB file; `entry` states the `unit`.

    A row of the table whose part is among `paths` but does not hold it is rejected, too.

    Raises
    ------
    InputError
        If the table is missing or lacks a column, or a part cannot be read.
    """
    parts = [path for path in paths if path.endswith(".hdf5")]
    if parts:
        yield from _in_parts(entry["unit"], folder, paths, parts)
    files = [path for path in paths if path.endswith(".mat")]
    if files:
        yield from _in_files(entry["unit"], folder, paths, files)


def _in_parts(unit: str, folder: Path, paths: Sequence[str], parts: Sequence[str]) -> Recordings:
    table = path_named(paths, TABLE, folder)
    row_of = {row["exam_id"]: row for row in read_rows(folder / table, [*COLUMNS, "trace_file"])}
    part_named = {PurePosixPath(part).name: part for part in parts}
    elsewhere = [exam for exam, row in row_of.items() if row["trace_file"] not in part_named]
    if elsewhere:
        logger.warning("%d exams of %s lie in parts that were not fetched", len(elsewhere), table)
    missing = row_of.keys() - set(elsewhere)
    for part in parts:
        ids, n_samples = _part(folder / part)
        for number, exam in enumerate(ids):
            path = f"{part}#{ARRAY}[{number}]"
            if exam not in row_of:
                yield Rejected(exam, path, f"no row of {TABLE} has exam_id {exam}")
                continue
            missing.discard(exam)
            yield _described(row_of[exam], path, n_samples, unit)
    for exam in sorted(missing, key=lambda exam: (len(exam), exam)):
        yield Rejected(exam, part_named[row_of[exam]["trace_file"]], f"exam_id {exam} of {TABLE} is not in this part")


def _in_files(unit: str, folder: Path, paths: Sequence[str], files: Sequence[str]) -> Recordings:
    table = folder / path_named(paths, TABLE_OF_MATLAB, folder)
    row_of = {row["save_file"]: row for row in read_rows(table, [*COLUMNS, "save_file"])}
    for relative in files:
        name, path = PurePosixPath(relative), f"{relative}#{ARRAY_OF_MATLAB}"
        row = row_of.get(name.name)
        if row is None:
            yield Rejected(name.stem, path, f"no row of {TABLE_OF_MATLAB} names this file in save_file")
            continue
        try:
            yield _described(row, path, recording_metadata(folder, path, STANDARD_ORDER).n_samples, unit)
        except InputError as error:
            yield Rejected(row["exam_id"], path, reason(error, folder, path))


def _described(row: Mapping[str, str], path: str, n_samples: int, unit: str) -> Described:
    return Described(
        record_id=row["exam_id"],
        patient_id=row["patient_id"],
        path=path,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        n_samples=n_samples,
        **person(row["age"], "M" if is_true(row["is_male"]) else "F" if is_false(row["is_male"]) else row["is_male"]),
        statements=unique(name for name in STATEMENTS if is_true(row[name])),
        unit=unit,
        leads=STANDARD_ORDER,
    )


def _part(path: Path) -> tuple[Iterator[str], int]:
    """Return the exam ids of a part, row by row, and the samples per lead; the part is opened once."""
    try:
        ids: np.ndarray[Any, Any] = open_hdf5(str(path), IDS)[()]
        n_rows, n_samples, n_leads = open_hdf5(str(path), ARRAY).shape
    except Exception as error:  # h5py raises many types for a broken file
        stop_if_it_may_pass(error, path)
        instead = placeholder(str(path))
        raise InputError(
            f"{path}: {instead}"
            if instead
            else f"{path}: has no arrays '{IDS}' and '{ARRAY}' of exams x samples x leads ({str(error)[:80]}); "
            f"{REMEDY_PUBLISHED}"
        ) from error
    if ids.shape != (n_rows,) or n_leads != 12:
        raise InputError(
            f"{path}: has {ids.size} exam ids, {n_rows} tracings and {n_leads} leads, expected one id per tracing and "
            f"12 leads; {REMEDY_PUBLISHED}"
        )
    return map(str, ids.tolist()), n_samples
