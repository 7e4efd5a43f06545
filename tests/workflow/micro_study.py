"""A whole study of a few seconds, every rule of the workflow in it, in a checkout of its own."""

import compileall
import csv
import py_compile
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from checkout import REPOSITORY, Checkout
from fast_runner import QUICK, FastRunner, Fault, Result
from physionet import publish
from safetensors.numpy import save_file
from stand_ins import FIGURES, TRAININGS

from ecgtransfer.acquire.simulate import SNOMED_CODES, simulate_corpus
from ecgtransfer.leads import LEADS

PARTS = (
    *("Snakefile", "workflow", "rules", "workflow_scripts", "config", "envs", "profiles"),
    *("Makefile", "requirements.lock"),
)
"""What of the repository a run needs."""
MICRO = "tests/workflow/micro.yaml"
STUDY = "study.yaml"

_ADAPTER = '''"""Rule `{rule}`, with a stand-in for its work."""

from ecgtransfer.job import job
from ecgtransfer.stand_ins import {rule}

with job(snakemake):
    {rule}(snakemake)
'''
"""What replaces the adapter of a rule; as all adapters call `job`."""

_COMMON = {"SB": 0.3, "AF": 0.2, "LVH": 0.5, "TInv": 0.4}
_WARD = {"layout": "ptb-xl", "n_patients": 16, "sampling_rate_hz": 100, "duration_s": 5, "prevalence": _COMMON}
_PUBLISHED = {
    "layout": "ptb-xl", "n_patients": 14, "records_per_patient": 1.2, "sampling_rate_hz": 500, "duration_s": 5,
    "prevalence": _COMMON,
}  # fmt: skip


class MicroStudy(Checkout):
    """A checkout with the micro-study: stand-ins for trainings and figures, data of its own, and a mirror.

    Parameters
    ----------
    folder
        Where it is to be.
    drawn
        Whether figures are really drawn, in some seconds more.
    """

    def __init__(self, folder: Path, drawn: bool = False) -> None:
        super().__init__(folder, [*PARTS, MICRO])
        scripts = folder / "workflow_scripts"
        shutil.copyfile(Path(__file__).with_name("stand_ins.py"), scripts / "ecgtransfer" / "stand_ins.py")
        for rule in (*TRAININGS, *(() if drawn else FIGURES)):
            (scripts / f"{rule}.py").write_text(_ADAPTER.format(rule=rule))
        # By content: an edit within the same second counts, too.
        compileall.compile_dir(
            scripts, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH, stripdir=folder
        )
        _write_ward(folder / "own")
        _write_outside_weights(folder / "own")
        publish(folder / "mirror", _PUBLISHED)
        self.write_study({})

    @classmethod
    def copied(cls, finished: Path, folder: Path) -> Self:
        """Return a copy with all that the other one has made, as old as it is there, and a mirror of its own."""
        copy = super().copied(finished, folder)
        study = folder / STUDY
        study.write_text(study.read_text().replace(_address_of_mirror(finished), _address_of_mirror(folder)))
        return copy

    def study(self) -> dict[str, Any]:
        """Return the content of the micro-study as in the repository, with the mirror of this folder."""
        content: dict[str, Any] = yaml.safe_load((REPOSITORY / MICRO).read_text())
        return content | {"mirror": _address_of_mirror(self.folder)}

    def write_study(self, edits: Mapping[str, Any]) -> None:
        """Write the study that is run: the micro-study with config edits, given as dotted keys."""
        study = self.study()
        for key, value in edits.items():
            *parents, last = key.split(".")
            section = study
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        (self.folder / STUDY).write_text(yaml.safe_dump(study))

    def run_snakemake(self, runner: FastRunner, arguments: Sequence[str] = (), fault: Fault | None = None) -> Result:
        """Run Snakemake alone on the study as it was written last; it may fail."""
        return runner.snakemake(self.folder, ["--configfile", STUDY, *arguments], fault)

    def make_run(self, runner: FastRunner, arguments: Sequence[str] = (), fault: Fault | None = None) -> Result:
        """Do what `make run` does with the study as it was written last; it may fail."""
        return runner.python(self.folder, "workflow_scripts/run.py", [*QUICK, "--configfile", STUDY, *arguments], fault)

    def results(self, study: str = "micro") -> dict[str, bytes]:
        """Return the page and every findings table, byte for byte."""
        return results_in(self.folder, study)


def results_in(folder: Path, study: str = "micro") -> dict[str, bytes]:
    """Return the page and every findings table of a study that ran in a folder, byte for byte."""
    results = folder / "results" / study
    paths = [results / "report" / "index.html", *sorted((results / "findings").rglob("*.csv"))]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def _address_of_mirror(folder: Path) -> str:
    return f"file://{folder}/mirror"


def _write_ward(own: Path) -> None:
    """Write recordings as .npy files in µV and the tables that belong to them, as a hospital of its own might."""
    (own / "ward").mkdir(parents=True)
    order = [[lead.upper() for lead in LEADS].index(lead) for lead in yaml.safe_load(_micro())["own"]["ward"]["leads"]]
    words = {code: f"Finding {name}" for name, code in SNOMED_CODES.items()}
    rows = [("ecg", "person", "name", "sex", "age", "words")]
    for record in simulate_corpus("ward", _WARD, 5):
        name = f"{record.record_id}.npy"
        np.save(own / "ward" / name, np.rint(1000 * record.signal[order]).astype(np.int16))
        said = "|".join(words[code] for code in record.codes)
        rows.append((f"w{record.record_id}", f"p{record.patient_id}", name, record.sex, str(record.age_years), said))
    _write_table(own / "ward.csv", rows)
    _write_table(own / "words.csv", [("statement", "snomed_ct"), *((word, code) for code, word in words.items())])


def _write_outside_weights(own: Path) -> None:
    """Write weights from elsewhere: stand-ins read no more of them than their bytes."""
    save_file({"theirs": np.arange(8, dtype=np.float32)}, own / "theirs.safetensors")
    _write_table(own / "names.csv", [("theirs", "ours"), ("theirs", "stages.0.weight")])


def _micro() -> str:
    return (REPOSITORY / MICRO).read_text()


def _write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
