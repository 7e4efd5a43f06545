"""What findings are given: by the name of a parameter of `compute`, what it is read from.

The rules define where the files are, and which part of the config the settings are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ecgtransfer.arms import Cell
from ecgtransfer.compare.collected import Metadata, read_histories, read_metadata, read_runs
from ecgtransfer.compare.draws import Draws
from ecgtransfer.compare.predictions import Arrays, Meeting, OnDemand, load_source_predictions
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import load_predictions
from ecgtransfer.compare.tables import read_findings
from ecgtransfer.csv_tables import read_labels
from ecgtransfer.files import read_json
from ecgtransfer.prepare.corpora import join_records, read_tables

Files = Mapping[str, Any]
"""Paths by the name of an input: one, or several."""
Settings = Mapping[str, Any]
"""Settings of the config, by the name of a param."""


def given(name: str, files: Files, settings: Settings) -> Any:
    """Return the value for a parameter of that name: read from files, a table of another finding, or a setting."""
    if name in READ:
        return READ[name](files, settings)
    return read_findings(files[name]) if name in files else settings[name]


def _runs(files: Files, settings: Settings) -> list[Run]:
    """Return all cells with the scores over all labels."""
    return read_runs(files["scores"], files["resamples"])


def _runs_with_labels(files: Files, settings: Settings) -> list[Run]:
    """Return all cells with the scores of single labels, too."""
    return read_runs(files["scores"], files["resamples"], files["label_scores"])


def _metadata(files: Files, settings: Settings) -> dict[Cell, Metadata]:
    """Return the ``run.json`` of every cell."""
    return read_metadata(files["metadata"])


def _histories(files: Files, settings: Settings) -> dict[Cell, pd.DataFrame]:
    """Return the ``history.csv`` of every cell."""
    return read_histories(files["histories"])


def _pretraining(files: Files, settings: Settings) -> list[Metadata]:
    """Return the ``run.json`` of every pre-training."""
    return [read_json(path) for path in files["pretraining"]]


def _labels(files: Files, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the labels of each target."""
    return read_tables(settings["targets"], files["labels"], read_labels)


def _splits(files: Files, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the roles and ranks of the records of each target."""
    return read_tables(settings["targets"], files["splits"])


def _records(files: Files, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the records of each target: age, sex and the like."""
    paths = dict(zip(settings["datasets"], files["records"], strict=True))
    members: Mapping[str, Sequence[str]] = settings["members"]
    return {name: join_records(joined, [paths[each] for each in joined]) for name, joined in members.items()}


def _beside(files: Files, settings: Settings) -> pd.DataFrame | None:
    """Return the claims of the study that this one is compared with, None without one."""
    return read_findings(files["beside"][0]) if files["beside"] else None


def _predictions_at_ends(files: Files, settings: Settings) -> Mapping[Cell, Arrays]:
    """Return the predictions of the cells at the smallest and the largest fraction."""
    cells = (Cell(*key) for key in settings["cells_at_ends"])
    return OnDemand(dict(zip(cells, files["predictions_at_ends"], strict=True)), load_predictions)


def _predictions_at_largest(files: Files, settings: Settings) -> Mapping[Cell, Arrays]:
    """Return the predictions of the cells at the largest fraction."""
    cells = (Cell(*key) for key in settings["cells_at_largest"])
    return OnDemand(dict(zip(cells, files["predictions_at_largest"], strict=True)), load_predictions)


def _source_predictions(files: Files, settings: Settings) -> Mapping[Meeting, Arrays]:
    """Return what the model of a source predicts for all records of a target, by target, model and source."""
    meetings = (tuple(meeting) for meeting in settings["meetings"])
    return OnDemand(dict(zip(meetings, files["source_predictions"], strict=True)), load_source_predictions)


def _draws(files: Files, settings: Settings) -> Draws:
    """Return how test patients and replicates are resampled."""
    return Draws(**settings["draws"])


READ: Mapping[str, Callable[[Files, Settings], Any]] = {
    "runs": _runs,
    "runs_with_labels": _runs_with_labels,
    "metadata": _metadata,
    "histories": _histories,
    "pretraining": _pretraining,
    "labels": _labels,
    "splits": _splits,
    "records": _records,
    "beside": _beside,
    "predictions_at_ends": _predictions_at_ends,
    "predictions_at_largest": _predictions_at_largest,
    "source_predictions": _source_predictions,
    "draws": _draws,
}
"""By the name of the parameter; other names are tables of findings or settings."""
