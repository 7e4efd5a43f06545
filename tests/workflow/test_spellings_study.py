"""One truth, many spellings: whole studies, whose verdicts must not depend on the spelling of a data set.

``SPELLING_STUDIES=0:200`` tries others than those of CI.
"""

import csv
import html
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

import numpy as np
import pytest
from fast_runner import FastRunner
from micro_study import MicroStudy
from spelling import AXES, OF_FILES, PLAIN, Choice, as_text, draw, expected_of, way_of, with_needs
from spelt_study import findings_of, made_blind, page_of, write_spelt
from truth import corpus
from ways import Cells, NotWritable

FIRST, END = map(int, os.environ.get("SPELLING_STUDIES", "0:10").split(":"))
CLOSE = 0.05
"""How near 0 an end of an interval of 100 draws may be for the verdict to depend on these."""
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
    choice = _written(study, seed)
    result = study.make_run(runner)
    told = f"seed {seed}: SPELLING={quote(as_text(choice))}"
    assert result.returncode == 0, f"{told}\n{result.output}"
    found, wanted = findings_of(study), findings_of(plain)
    assert _verdicts(found, wanted) == _verdicts(wanted, wanted), told
    if _in_order(choice) == _in_order({}):
        others = [name for name in wanted if found.get(name) != wanted[name]]
        assert set(others) <= _may_differ(choice), told
    page = html.unescape(page_of(study))
    for line in expected_of(choice, RECORDINGS).told:
        assert re.search(line, result.output, re.IGNORECASE), f"{told}: not on the terminal: {line}"
        assert re.search(line, page, re.IGNORECASE), f"{told}: not on the page: {line}"


def _written(study: MicroStudy, seed: int) -> Choice:
    """Write the spelling of a seed as the data set of a study, and return it."""
    for choice in _drawn(np.random.default_rng([seed, 30])):
        try:
            write_spelt(study, choice, RECORDINGS)
            return choice
        except NotWritable:
            continue
    raise AssertionError("there are always more")


def _drawn(rng: np.random.Generator) -> Iterator[Choice]:
    while True:
        choice = draw(rng, OF_FILES, int(rng.integers(1, 3)), 0) | draw(rng, _OF_TABLES, int(rng.integers(2, 5)), 0)
        try:
            if not expected_of(with_needs(choice), RECORDINGS).refused:
                yield choice
        except NotWritable:
            continue


def _verdicts(findings: Mapping[str, bytes], plain: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Return the verdicts without their intervals, whose draws go by the order of patients.

    Where an interval of the plain spelling ends close to 0 or to the margin, other draws may give another verdict.
    """
    far = [all(abs(float(row[end])) > CLOSE for end in ("ci_low", "ci_high")) for row in _rows(plain)]
    return [
        {name: cell for name, cell in row.items() if not name.startswith("ci_") and (name != "verdict" or is_far)}
        for row, is_far in zip(_rows(findings), far, strict=True)
    ]


def _rows(findings: Mapping[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(findings["findings/verdicts.csv"].decode())))


def _in_order(choice: Choice) -> list[list[int]]:
    """Return the order of recordings in the table, and where they are sorted by their ids or by those of patients."""
    order: list[int] = way_of(choice, "rows").order(len(RECORDINGS))
    orders = [order]
    for axis in ("record", "patient"):
        way: Cells = way_of(choice, axis)
        if way.write is None or way.read:
            return []
        said = [way.write(recording).strip() for recording in RECORDINGS]
        orders.append(sorted(order, key=said.__getitem__))
    return orders


def _may_differ(choice: Choice) -> set[str]:
    """Return the findings that tell of what files hold to the last digit, and of ages and sexes that are not known."""
    findings = set()
    if any(choice.get(axis, PLAIN[axis]) != PLAIN[axis] for axis in ("format", "numbers", "gain", "leads")):
        findings.add("findings/quality/ward.csv")
    ways: list[Cells] = [way_of(choice, axis) for axis in ("age", "sex")]
    if not all(way.read and not way.or_unread and all(map(way.read, RECORDINGS)) for way in ways):
        findings.add("findings/subgroups.csv")
    return findings
