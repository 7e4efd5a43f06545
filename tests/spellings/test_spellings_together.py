"""One truth, many spellings: random combinations of ways, each by its seed.

``SPELLING_SEEDS=0:40`` tries others than those of CI, as a weekly run does, ``SPELLING='{"format": "npz"}'`` the one
that a failure names.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from shlex import quote

import numpy as np
import pytest
from spelling import AXES, OF_FILES, Choice, as_text, draw, shrunk
from trial import Trials
from ways import NotWritable

FIRST, END = map(int, os.environ.get("SPELLING_SEEDS", "0:8").split(":"))
N_OF_A_SEED = 60
"""Combinations that are tried."""
_N_TABLES = 30
"""Tables that are drawn for files of one spelling: written files, and what was read of them, serve all of these."""
_MOST_SHOWN = 5
_OF_TABLES = [axis for axis in AXES if axis not in OF_FILES]


@pytest.mark.parametrize("seed", range(FIRST, END))
def test_together(trials: Trials, seed: int) -> None:
    found: list[dict[str, str]] = []
    told: list[str] = []
    for choice, faults in islice(_tried(seed, trials), N_OF_A_SEED):
        if not faults or any(culprit.items() <= choice.items() for culprit in found):
            continue
        culprit = shrunk(choice, lambda fewer: bool(trials.faults(fewer)))
        found.append(culprit)
        shown = "\n    ".join(trials.faults(culprit))
        told.append(f"seed {seed}: {as_text(choice)}\n  in short: SPELLING={quote(as_text(culprit))}\n    {shown}")
        if len(found) == _MOST_SHOWN:
            break
    assert not told, "\n".join(told)


def _tried(seed: int, trials: Trials) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield random combinations of some two to seven ways, and what goes wrong with them."""
    rng = np.random.default_rng(seed)
    while True:
        files = draw(rng, OF_FILES, int(rng.integers(1, 4)))
        if not trials.can_write(files):
            continue
        for _ in range(_N_TABLES):
            choice = {**files, **draw(rng, _OF_TABLES, int(rng.integers(1, 5)))}
            with suppress(NotWritable):
                yield choice, trials.faults(choice)


def test_the_one_that_is_asked_for(trials: Trials) -> None:
    asked = os.environ.get("SPELLING")
    if asked is None:
        pytest.skip("SPELLING names none")
    choice: Choice = json.loads(asked)
    try:
        faults = trials.faults(choice)
    except NotWritable as error:
        pytest.fail(f"nobody could write this: {error}")
    assert not faults, "\n".join(faults)
