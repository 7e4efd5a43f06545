"""One truth, many spellings: whole studies, whose verdicts must not depend on the spelling of a data set.

``SPELLING_STUDIES=0:200`` tries others than those of CI.
"""

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fast_runner import FastRunner
from micro_study import MicroStudy
from spelling import AXES, OF_FILES, Choice, DataSet, as_text, draw, expected_of, with_needs
from spelt_study import findings_of, made_blind, page_of, write_spelt
from truth import corpus
from ways import NotWritable

FIRST, END = map(int, os.environ.get("SPELLING_STUDIES", "0:30").split(":"))
VERDICTS = "findings/verdicts.csv"
RECORDINGS = [recording for recording in corpus() if recording.codes]
_OF_TABLES = [axis for axis in AXES if axis not in (*OF_FILES, "no label", "roles", "fold")]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> MicroStudy:
    """A study with stand-ins that are blind to spelling, not yet run."""
    return made_blind(MicroStudy(tmp_path_factory.mktemp("spelt") / "checkout"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, new: MicroStudy, runner: FastRunner) -> MicroStudy:
    """A study of the plain spelling that has run to its page."""
    study = MicroStudy.copied(new.folder, tmp_path_factory.mktemp("plain") / "checkout")
    write_spelt(study, {}, RECORDINGS)
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    return study


@pytest.mark.parametrize("seed", range(FIRST, END))
def test_same_verdicts(tmp_path: Path, plain: MicroStudy, runner: FastRunner, seed: int) -> None:
    study = MicroStudy.copied(plain.folder, tmp_path / "checkout")
    choice, data = _written(study, seed)
    result = study.make_run(runner)
    told = f"seed {seed}: SPELLING='{as_text(choice)}'"
    assert result.returncode == 0, f"{told}\n{result.output}"
    found, wanted = findings_of(study), findings_of(plain)
    assert found[VERDICTS] == wanted[VERDICTS], told
    if _patients_in_order(data) == _patients_in_order(None):
        assert found == wanted, f"{told}: {[name for name in wanted if found.get(name) != wanted[name]]}"
    page = html.unescape(page_of(study))
    for line in expected_of(choice).told:
        assert re.search(line, result.output, re.IGNORECASE), f"{told}: not on the terminal: {line}"
        assert re.search(line, page, re.IGNORECASE), f"{told}: not on the page: {line}"


def _written(study: MicroStudy, seed: int) -> tuple[Choice, DataSet]:
    """Write the spelling of a seed as the data set of a study."""
    for choice in _drawn(np.random.default_rng([seed, 30])):
        try:
            return choice, write_spelt(study, choice, RECORDINGS)
        except NotWritable:
            continue
    raise AssertionError("there are always more")


def _drawn(rng: np.random.Generator) -> Iterator[Choice]:
    while True:
        choice = draw(rng, OF_FILES, int(rng.integers(1, 3)), 0) | draw(rng, _OF_TABLES, int(rng.integers(2, 5)), 0)
        try:
            if not expected_of(with_needs(choice)).refused:
                yield choice
        except NotWritable:
            continue


def _patients_in_order(data: DataSet | None) -> list[int]:
    """Return which recordings come in which order where they are sorted by patient."""
    said = data.cells["patient"] if data else [f"p{recording.patient + 1}" for recording in RECORDINGS]
    order = list(data.order) if data else list(range(len(RECORDINGS)))
    if said is None or not all(said):
        return []
    return sorted(order, key=lambda number: said[number].strip())
