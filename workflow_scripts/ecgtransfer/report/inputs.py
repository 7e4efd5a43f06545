"""What the page is made from, read from files."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.report.embedded import png_uri
from ecgtransfer.report.recordings import choose_recordings, recording_title

FilePath = str | os.PathLike[str]

_WORDS = dict.fromkeys(("record_id", "patient_id", "path", "codes", "reason"), str)
_SOFTWARE = ("snakemake", "numpy", "scipy", "pandas", "matplotlib")


def read_tables(names: Sequence[str], paths: Sequence[FilePath]) -> dict[str, pd.DataFrame]:
    """Return tables of records, labels or splits by the name of their data set or corpus."""
    return {name: pd.read_csv(path, dtype=_WORDS) for name, path in zip(names, paths, strict=True)}


def read_findings(path: FilePath) -> pd.DataFrame:
    """Return a table of `ecgtransfer.compare.findings`; a run from scratch has an empty source."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""]).fillna({"source": ""})


def read_facts(paths: Iterable[FilePath]) -> list[dict[str, Any]]:
    """Return the content of JSON files."""
    return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]


def read_names(snomed: pd.DataFrame) -> dict[str, str]:
    """Return each label's full name by its abbreviation, from the table config/labels/snomed.csv."""
    return dict(zip(snomed["abbreviation"][::-1], snomed["name"][::-1], strict=True))


def titled_recordings(
    records: Mapping[str, pd.DataFrame], snomed: pd.DataFrame, figures: Sequence[FilePath]
) -> dict[str, list[tuple[str, str]]]:
    """Return title and data URI of the drawn recordings of each data set.

    Parameters
    ----------
    records : records table of each data set
    snomed : the table config/labels/snomed.csv
    figures : PNG files, as many for each data set, in the order of `records`
    """
    abbreviations = dict(zip(snomed["snomed_ct"], snomed["abbreviation"], strict=True))
    per_dataset = len(figures) // len(records)
    titled = {}
    for position, (dataset, table) in enumerate(records.items()):
        chosen = choose_recordings(table, per_dataset).to_dict("records")
        paths = figures[position * per_dataset :][:per_dataset]
        titled[dataset] = [
            (recording_title(dataset, {str(key): value for key, value in record.items()}, abbreviations), png_uri(path))
            for record, path in zip(chosen, paths, strict=True)
        ]
    return titled


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of what the workflow computes and draws with, where installed."""
    found = {"Python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
