"""The benchmarks' own arithmetic and files; what they measure is not tested here."""

import copy
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from benchmarks import REPOSITORY, __main__, bench_planning, measure
from benchmarks.measure import Result, interleaved, repeated

from ecgtransfer.config.consistency import read_study
from ecgtransfer.study import cells_of
from ecgtransfer.train.registry import REGISTRY

BENCHES = sorted(path.stem for path in (REPOSITORY / "benchmarks").glob("bench_*.py"))


class Clock:
    """A clock that only moves when a function made by it is called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def taking(self, name: str, *seconds: float) -> Callable[[], None]:
        """Return a function that takes these seconds, call after call."""
        durations = iter(seconds)

        def function() -> None:
            self.calls.append(name)
            self.now += next(durations)

        return function


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(measure, "perf_counter", lambda: clock.now)
    return clock


def test_interleaved_returns_medians_without_the_first_run(clock: Clock) -> None:
    times = interleaved(clock.taking("a", 99, 1, 5, 2, 100, 3), clock.taking("b", 99, 10, 40, 8, 1000, 12), repeats=5)
    assert times.first_s == 3
    assert times.second_s == 12
    assert times.second_to_first == 8  # of 10, 8, 4, 10, 4: another number than 12 / 3


def test_interleaved_takes_turns_and_changes_who_goes_first(clock: Clock) -> None:
    interleaved(clock.taking("a", *[1] * 6), clock.taking("b", *[1] * 6), repeats=5)
    assert "".join(clock.calls) == "ab" + "ab" + "ba" + "ab" + "ba" + "ab"


def test_repeated_returns_the_median_without_the_first_run(clock: Clock) -> None:
    assert repeated(clock.taking("a", 99, 7, 1, 2, 50, 3), repeats=5) == 3


def test_too_few_repeats_are_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least 5"):
        interleaved(clock.taking("a"), clock.taking("b"), repeats=4)
    with pytest.raises(ValueError, match="at least 5"):
        repeated(clock.taking("a"), repeats=4)
    assert clock.calls == []


@pytest.mark.parametrize(
    ("value", "at_most", "meets"),
    [
        (11.0, False, True), (10.0, False, True), (9.9, False, False), (math.nan, False, False),
        (11.0, True, False), (10.0, True, True), (-2.0, True, True), (math.nan, True, False),
    ],
)  # fmt: skip
def test_meets_in_both_directions(value: float, at_most: bool, meets: bool) -> None:
    assert Result("r", value, "x", 10, at_most).meets is meets


def test_entry_has_the_five_keys_and_says_the_direction() -> None:
    assert Result("fast", 12.34567, "x", 10).as_json() == {
        "name": "fast", "value": 12.3457, "unit": "x, at least", "goal": 10, "meets": True,
    }  # fmt: skip
    assert Result("slow", 20, "s", 15, at_most=True).as_json() == {
        "name": "slow", "value": 20, "unit": "s, at most", "goal": 15, "meets": False,
    }  # fmt: skip


def test_written_file_is_a_list_of_entries(tmp_path: Path) -> None:
    __main__.write([Result("first", 2.0, "x", 1), Result("second", 7.5, "%", 5, at_most=True)], tmp_path / "r/b.json")
    entries = json.loads((tmp_path / "r/b.json").read_text())
    assert [list(entry) for entry in entries] == [["name", "value", "unit", "goal", "meets"]] * 2
    assert [(entry["name"], entry["value"], entry["meets"]) for entry in entries] == [
        ("first", 2.0, True),
        ("second", 7.5, False),
    ]
    assert [type(entries[0][key]) for key in entries[0]] == [str, float, str, int, bool]


def test_value_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"):
        __main__.write([Result("first", math.nan, "x", 1)], tmp_path / "b.json")
    assert list(tmp_path.iterdir()) == []


def test_table_has_one_line_per_result() -> None:
    text = __main__.table([Result("first", 2.04, "x", 1), Result("much_longer", 7.5, "%", 5, at_most=True)])
    assert [line.split() for line in text.splitlines()] == [
        ["name", "value", "unit", "goal", "meets"],
        ["first", "2.0", "x,", "at", "least", "1", "true"],
        ["much_longer", "7.5", "%,", "at", "most", "5", "false"],
    ]


def test_whole_run_writes_what_succeeds_and_names_what_fails(tmp_path: Path) -> None:
    package = tmp_path / "benchmarks"
    (package / "results").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "measure.py"):
        shutil.copyfile(REPOSITORY / "benchmarks" / name, package / name)
    measured = "from benchmarks.measure import Result\n\n\ndef measure():\n    return [Result('quick', 3, 'x', 2)]\n"
    (package / "bench_sound.py").write_text(measured)
    (package / "bench_broken.py").write_text("def measure():\n    raise RuntimeError('no peer')\n")
    (package / "results/bench_broken.json").write_text("[]")  # of an earlier run

    library = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
    command = [sys.executable, "-m", "benchmarks"]
    run = subprocess.run(command, cwd=tmp_path, env=library, capture_output=True, text=True)

    assert run.returncode == 1
    assert "no peer" in run.stderr
    assert "error: bench_broken failed" in run.stderr
    assert run.stdout.splitlines()[1].split() == ["quick", "3.0", "x,", "at", "least", "2", "true"]
    assert [path.name for path in (package / "results").iterdir()] == ["bench_sound.json"]

    (package / "bench_broken.py").unlink()
    assert subprocess.run(command, cwd=tmp_path, env=library, capture_output=True).returncode == 0


@pytest.mark.parametrize("bench", BENCHES)
def test_every_bench_can_be_imported_and_measures(bench: str) -> None:
    assert callable(import_module(f"benchmarks.{bench}").measure)


def test_large_study_fits_the_schema_and_has_its_cells() -> None:
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    study = copy.deepcopy(config)
    for key, value in bench_planning._large_study().items():
        study[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    read = read_study(study, {}, {model: entry.options for model, entry in REGISTRY.items()}, [])
    assert len(cells_of(read)) == 2000
