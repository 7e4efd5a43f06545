"""The stages from a folder and a table to labels and splits, in this process: the adapters of the rules themselves.

What an adapter finds in the object `snakemake` is put there as the rules do. Around its call there is no record, lock
or log: an `InputError` comes here.
"""

import csv
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from truth import LABELS, REPOSITORY, SIGNALS

from ecgtransfer.audit.duplicates import PAIR_COLUMNS
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_csv
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.separators import BETWEEN_LABELS

_SCRIPTS = REPOSITORY / "workflow_scripts"
_NAME = "spelt"
"""Of the data set."""
Table = dict[str, list[str]]
"""Text by column."""
_AS_READ = ["path", "sampling_rate_hz", "n_samples", "unit", "leads"]


@dataclass
class Outcome:
    """What came of a data set, as far as it went.

    Attributes
    ----------
    refused
        The line with which it was refused, empty where it went through.
    traceback
        What else was raised, and where.
    rejected
        Reason by record that was left out when the records were described.
    notices
        What was reported on terminal and page.
    signals
        Rows as in `records`, shape (records, 12, samples), µV per step; None where they are those of an earlier run.
    raw
        The signals as read, in µV, shape (records, 12, samples); None like `signals`.
    """

    refused: str = ""
    traceback: str = ""
    rejected: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    records: Table = field(default_factory=dict)
    labels: Table = field(default_factory=dict)
    splits: Table = field(default_factory=dict)
    signals: NDArray[np.int16] | None = None
    raw: NDArray[np.float64] | None = None


class Stages:
    """Runs the stages for data sets that share their files: signals that were prepared are not prepared again."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._known: dict[frozenset[tuple[str, ...]], dict[tuple[str, ...], list[str]]] = {}

    def run(self, entry: Mapping[str, Any], splits: Mapping[str, Any]) -> Outcome:
        """Return what comes of a data set under an entry of the section `own` and a section `splits`."""
        outcome = Outcome()
        for old in self._place.glob("*"):
            old.unlink()
        try:
            self._describe(entry, outcome)
            self._prepare(entry, outcome)
            self._index(entry)
            outcome.records = read_text(self._at("records"))
            self._harmonize()
            outcome.labels = read_text(self._at("labels"))
            self._split(splits)
            outcome.splits = read_text(self._at("splits"))
        except InputError as error:
            outcome.refused = str(error)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            outcome.traceback = f"{type(error).__name__} {error} in {Path(place.filename).name}, line {place.lineno}"
        outcome.notices = [
            notice
            for rule in _TELLING
            if (path := self._at(f"{rule}.notices")).exists()
            for notice in read_text(path)["notice"]
        ]
        return outcome

    def _at(self, name: str) -> Path:
        return self._place / f"{name}.csv"

    def _describe(self, entry: Mapping[str, Any], outcome: Outcome) -> None:
        listed = {key: entry.get(key, {}) for key in ("folder", "table", "columns")}
        _run("inventory", {"entry": listed}, {"table": entry["table"]}, {"manifest": self._at("raw")})
        _run(
            "describe_records",
            {
                "entry": {"reader": "table", **entry, "label_table": bool(entry.get("label_table"))},
                "folder": entry["folder"], "limit": None,
            },
            {"manifest": self._at("raw"), "own_table": entry["table"]},
            {
                "described": self._at("described"), "rejected": self._at("rejected"),
                "notices": self._at("describe_records.notices"),
            },
        )  # fmt: skip
        rejected = read_text(self._at("rejected"))
        outcome.rejected = dict(zip(rejected["record_id"], rejected["reason"], strict=True))

    def _prepare(self, entry: Mapping[str, Any], outcome: Outcome) -> None:
        """Prepare the signals, or take over what is known of the same files, read in the same way."""
        described = read_text(self._at("described"))
        rows = list(zip(*(described[name] for name in _AS_READ), strict=True))
        known = self._known.get(frozenset(rows))
        if known is None:
            self._known[frozenset(rows)] = self._prepared(entry, rows, outcome)
            return
        with self._at("quality").open("w", encoding="utf-8", newline="") as file:
            quality = [(record, *known[row]) for record, row in zip(described["record_id"], rows, strict=True)]
            csv.writer(file, lineterminator="\n").writerows([("record_id", *self._columns), *quality])

    def _prepared(
        self, entry: Mapping[str, Any], rows: list[tuple[str, ...]], outcome: Outcome
    ) -> dict[tuple[str, ...], list[str]]:
        """Prepare the signals, and return the rows of the table of their quality by what they were read from."""
        signals = self._place / "signals.npy"
        _run(
            "prepare_signals",
            {"folder": entry["folder"], "settings": SIGNALS, "kernels": "fast"},
            {"manifest": self._at("raw"), "described": self._at("described")},
            {
                "signals": signals, "quality": self._at("quality"), "recipe": self._at("recipe"),
                "notices": self._at("prepare_signals.notices"),
            },
        )  # fmt: skip
        outcome.signals = np.load(signals)
        recordings = [read_recording(entry["folder"], row[0], row[3], row[4]) for row in rows]
        outcome.raw = 1000 * np.array(recordings, dtype=float)
        quality = read_text(self._at("quality"))
        del quality["record_id"]
        self._columns = list(quality)
        return {row: list(cells) for row, cells in zip(rows, zip(*quality.values(), strict=True), strict=True)}

    def _index(self, entry: Mapping[str, Any]) -> None:
        _run(
            "index_records",
            {"min_likelihood": 0, "separator": entry.get("label_separator", BETWEEN_LABELS)},
            {"described": self._at("described"), "label_table": entry.get("label_table", [])},
            {"records": self._at("records"), "notices": self._at("index_records.notices")},
        )

    def _harmonize(self) -> None:
        tables = REPOSITORY / "config/labels"
        _run(
            "harmonize_labels",
            {"settings": LABELS, "datasets": [_NAME], "learnt": True},
            {
                "records": [str(self._at("records"))], "view": [], "snomed": tables / "snomed.csv",
                "equivalent": tables / "equivalent.csv",
            },
            {"labels": self._at("labels"), "notices": self._at("harmonize_labels.notices")},
        )  # fmt: skip

    def _split(self, splits: Mapping[str, Any]) -> None:
        write_csv(pd.DataFrame(columns=PAIR_COLUMNS), self._at("duplicates"))
        _run(
            "split_records",
            {"settings": splits, "datasets": [_NAME], "n_replicates": 2, "labels_are_learnt": True},
            {
                "records": [str(self._at("records"))], "quality": [str(self._at("quality"))],
                "duplicates": self._at("duplicates"), "labels": self._at("labels"),
            },
            {"splits": self._at("splits"), "notices": self._at("split_records.notices")},
        )  # fmt: skip


_TELLING = ("describe_records", "prepare_signals", "index_records", "harmonize_labels", "split_records")


def read_text(path: Path) -> Table:
    """Return a table of the workflow as the text that it holds."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


@cache
def _script(rule: str) -> CodeType:
    path = _SCRIPTS / f"{rule}.py"
    return compile(path.read_text(encoding="utf-8"), str(path), "exec")


def _run(rule: str, params: Mapping[str, Any], given: Mapping[str, Any], output: Mapping[str, Any]) -> None:
    snakemake = SimpleNamespace(
        rule=rule,
        input=SimpleNamespace(**{name: str(path) if isinstance(path, Path) else path for name, path in given.items()}),
        output=SimpleNamespace(**{name: str(path) for name, path in output.items()}),
        params=SimpleNamespace(**params),
        wildcards=SimpleNamespace(own=_NAME, dataset=_NAME, corpus=_NAME),
        threads=1,
    )
    with patch("ecgtransfer.job.job", _bare), _quiet():
        exec(_script(rule), {"snakemake": snakemake, "__name__": "__main__"})


@contextmanager
def _bare(_: Any) -> Iterator[None]:
    yield


@contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
