"""CODE-test: 827 tracings in one HDF5 array, with two tables whose i-th row belongs to the i-th tracing.

Recordings of 7 and 10 s were filled up with zeros to 4096 samples, at both ends. No table names a record or a patient;
each tracing is from another patient.
Source: Ribeiro et al. 2020, https://doi.org/10.1038/s41467-020-15432-4, and the README of the data.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ecgtransfer.csv_rows import REMEDY_PUBLISHED, read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.placeholders import placeholder
from ecgtransfer.prepare.formats.hdf5_files import open_hdf5
from ecgtransfer.prepare.layouts import (
    Described,
    Recordings,
    is_true,
    path_named,
)
from ecgtransfer.prepare.people import person
from ecgtransfer.system_errors import stop_if_it_may_pass

TRACINGS, ATTRIBUTES, ANNOTATIONS = "ecg_tracings.hdf5", "attributes.csv", "annotations/gold_standard.csv"
ARRAY = "tracings"
STATEMENTS = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
SAMPLING_RATE_HZ = 400.0


def layout(entry: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> Recordings:
    """Yield a recording per tracing; `entry` states the `unit` and the `leads`, in the order of the array.

    Raises
    ------
    InputError
        If a file is missing or broken, or the tables and the array differ in length.
    """
    relative = path_named(paths, TRACINGS, folder)
    beside = folder / PurePosixPath(relative).parent
    people = list(read_rows(beside / ATTRIBUTES, ["age", "sex"]))
    annotations = list(read_rows(beside / ANNOTATIONS, STATEMENTS))
    n_records, n_samples, n_leads = _shape(folder / relative)
    if not n_records == len(people) == len(annotations):
        raise InputError(
            f"{folder / relative}: has {n_records} tracings, {ATTRIBUTES} {len(people)} rows and {ANNOTATIONS} "
            f"{len(annotations)}; they belong together row by row: download the data set again"
        )
    leads = entry["leads"]
    if n_leads != len(leads):
        raise InputError(f"{folder / relative}: has {n_leads} leads, config/datasets.yaml names {len(leads)}")
    for number, (row, stated) in enumerate(zip(people, annotations, strict=True)):
        yield Described(
            record_id=str(number),
            patient_id=str(number),
            path=f"{relative}#{ARRAY}[{number}]",
            sampling_rate_hz=SAMPLING_RATE_HZ,
            n_samples=n_samples,
            **person(row["age"], row["sex"]),
            statements=tuple(name for name in STATEMENTS if is_true(stated[name])),
            unit=entry["unit"],
            leads="|".join(leads),
        )


def _shape(path: Path) -> tuple[int, int, int]:
    try:
        n_records, n_samples, n_leads = open_hdf5(str(path), ARRAY).shape
    except Exception as error:  # h5py raises many types for a broken file
        stop_if_it_may_pass(error, path)
        instead = placeholder(str(path))
        raise InputError(
            f"{path}: {instead}"
            if instead
            else f"{path}: has no array '{ARRAY}' of tracings x samples x leads ({str(error)[:80]}); {REMEDY_PUBLISHED}"
        ) from error
    return n_records, n_samples, n_leads
