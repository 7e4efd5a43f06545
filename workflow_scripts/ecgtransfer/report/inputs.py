"""What the page is made from, read from files."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from ecgtransfer.errors import printable
from ecgtransfer.report.embedded import image_uri
from ecgtransfer.report.recordings import choose_recordings, diagnoses_in_words, recording_title
from ecgtransfer.version import version_of_workflow

FilePath = str | os.PathLike[str]

_SOFTWARE = ("snakemake", "numpy", "scipy", "pandas", "matplotlib")


@dataclass(frozen=True)
class DrawnRecording:
    """A recording that the page shows: its id, the line on its drawing, its diagnoses in words, the drawing's URI."""

    record_id: str
    title: str
    diagnoses: str
    uri: str


def read_names(snomed: pd.DataFrame) -> dict[str, str]:
    """Return each label's full name by its abbreviation, from the table config/labels/snomed.csv."""
    return dict(zip(snomed["abbreviation"][::-1], snomed["name"][::-1], strict=True))


def drawn_recordings(
    records: Mapping[str, pd.DataFrame], snomed: pd.DataFrame, figures: Sequence[FilePath]
) -> dict[str, list[DrawnRecording]]:
    """Return the drawn recordings of each data set.

    Parameters
    ----------
    records : records table of each data set
    snomed : the table config/labels/snomed.csv
    figures : PNG files, as many for each data set, in the order of `records`
    """
    abbreviations = dict(zip(snomed["snomed_ct"], snomed["abbreviation"], strict=True))
    names = dict(zip(snomed["snomed_ct"], snomed["name"], strict=True))
    per_dataset = len(figures) // len(records)
    drawn = {}
    for position, (dataset, table) in enumerate(records.items()):
        paths = figures[position * per_dataset :][:per_dataset]
        drawn[dataset] = [
            DrawnRecording(
                printable(record["record_id"]),
                recording_title(dataset, record, abbreviations),
                diagnoses_in_words(record["codes"], names),
                image_uri(path),
            )
            for record, path in zip(choose_recordings(table, per_dataset), paths, strict=True)
        ]
    return drawn


def software_versions() -> dict[str, str]:
    """Return the versions of the workflow, of Python, and of what it computes and draws with, where installed."""
    found = {"ecg-transfer": version_of_workflow(), "Python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
