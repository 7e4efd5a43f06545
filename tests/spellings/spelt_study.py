"""A whole study of a few seconds on a data set in any spelling."""

import csv
import shutil
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from micro_study import MicroStudy
from spelling import Choice, DataSet, files_of, table_of, with_needs
from truth import SIGNALS, Recording

_OWN = "ward"
_SETTINGS: dict[str, Any] = {
    "study": "spelt",
    "signals": {"sampling_rate_hz": SIGNALS["sampling_rate_hz"], "duration_s": SIGNALS["duration_s"]},
    "outside_weights": {},
    "transfer.sources": ["clinic"],
    "transfer.targets": [_OWN],
    "transfer.fractions": [1.0],
    "transfer.replicates": 4,
}


def made_blind(study: MicroStudy) -> MicroStudy:
    """Let the stand-ins of a study depend only on what data state."""
    stand_ins = study.folder / "workflow_scripts/ecgtransfer/stand_ins.py"
    more = Path(__file__).with_name("blind_stand_ins.py").read_text(encoding="utf-8")
    stand_ins.write_text(stand_ins.read_text(encoding="utf-8") + "\n\n" + more, encoding="utf-8")
    return study


def write_spelt(study: MicroStudy, choice: Choice, recordings: Sequence[Recording]) -> DataSet:
    """Write the recordings in a spelling as the data set of a study, in place of what it had.

    Raises
    ------
    NotWritable
        If nobody could write it.
    """
    own = study.folder / "own"
    shutil.rmtree(own)
    (own / "files").mkdir(parents=True)
    (own / "tables").mkdir()
    choice = with_needs(choice)
    with chdir(study.folder):
        written = files_of(choice, recordings, own / "files")
        data = table_of(choice, recordings, written, own / "tables")
    said = data.cells["record"] or ()
    with (own / "numbers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((text.strip(), str(number)) for number, text in enumerate(said))
    study.write_study({**_SETTINGS, "own": {_OWN: dict(data.entry)}})
    return data


def findings_of(study: MicroStudy) -> dict[str, bytes]:
    """Return every table of findings, byte for byte."""
    return {name: content for name, content in study.results("spelt").items() if name.endswith(".csv")}


def page_of(study: MicroStudy) -> str:
    """Return the page."""
    return study.results("spelt")["report/index.html"].decode()
