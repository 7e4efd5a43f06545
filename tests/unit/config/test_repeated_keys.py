"""A key that occurs twice would be lost silently."""

from pathlib import Path

import pytest
import yaml

from ecgtransfer.config.repeated_keys import require_keys_once
from ecgtransfer.errors import InputError

CONFIG = Path(__file__).parents[3] / "config"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", ["line 3: `a` is also in line 1; keep one of them"]),
        ("s: {a: 1, b: 2, a: 1}\n", ["line 1: `s.a` is also in line 1; keep one of them"]),
        ("s:\n  a: 1\n  t:\n    c: 1\n    'c': 2\n", ["line 5: `s.t.c` is also in line 4; keep one of them"]),
        ("l:\n- {a: 1, a: 2}\n", ["line 2: `l.a` is also in line 2; keep one of them"]),
        ("x: &x {a: 1, a: 2}\ny: *x\n", ["line 1: `x.a` is also in line 1; keep one of them"]),
        ("a: 1\nb: 1\na: 2\nb: 2\n", ["line 3: `a` is also in line 1", "line 4: `b` is also in line 2"]),
    ],
)
def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path: Path, text: str, found: list[str]) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(text)
    with pytest.raises(InputError) as error:
        require_keys_once([study])
    lines = str(error.value).splitlines()
    assert len(lines) == len(found)
    for line, expected in zip(lines, found, strict=True):
        assert line.startswith(f"{study}, {expected}")


@pytest.mark.parametrize(
    "text", ["", "a: {b: 1}\nc: {b: 1}\n", "x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: *x\n", "- a\n- a\n"]
)
def test_other_files_are_sound(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    require_keys_once([tmp_path / "study.yaml"])


def test_a_node_within_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("a: &a\n  b: *a\n")
    require_keys_once([tmp_path / "study.yaml"])


def test_no_file_of_the_workflow_has_a_key_twice() -> None:
    paths = sorted(CONFIG.rglob("*.yaml"))
    assert all(isinstance(yaml.safe_load(path.read_text()), dict) for path in paths)
    require_keys_once(paths)
