"""Config files that are none: one line that names the file, the line in it, and what was expected."""

from pathlib import Path

import pytest
import yaml

from ecgtransfer.config.reading import read_config
from ecgtransfer.errors import InputError

REPOSITORY = Path(__file__).parents[3]

BROKEN = {
    "empty": (b"", "holds nothing, expected keys with values, such as `study: mine`"),
    "comment": (b"# study: mine\n", "holds nothing, expected keys with values"),
    "list": (b"- study\n- mine\n", "holds a list, expected keys with values"),
    "word": (b"mine", "holds one value, expected keys with values"),
    "colon": (b"study: mine\nown: a: b\n", "line 2: is not YAML (mapping values are not allowed here)"),
    "tab": (b"own:\n\tward: 1\n", "line 2: is not YAML (found "),
    "bracket": (b"own: [\n", "line 2: is not YAML ("),
    "two documents": (b"study: a\n---\nstudy: b\n", "line 2: is not YAML (but found another document)"),
    "python": (b"!!python/object:os.system {}\n", "line 1: is not YAML (could not determine a constructor"),
    "control": (b"study: a\x01\n", "is not YAML ("),
    "latin-1": ("study: Böblingen\n".encode("latin-1"), "is not in UTF-8 (byte 9); save it in this encoding"),
    "utf-16": ("study: mine\n".encode("utf-16"), "is not in UTF-8 (byte 1); save it in this encoding"),
    "date": (b"study: 2024-13-45\n", "is not YAML (month must be in 1..12); fix it, or put the value in quotes"),
    "deep": (b"study: " + b"[" * 100_000, "contains itself, or is nested without end"),
    "itself": (b"own: &a\n  b: *a\n", "contains itself, or is nested without end"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_config_file_is_one_line(tmp_path, kind):
    content, expected = BROKEN[kind]
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_config(path)
    said = str(raised.value)
    assert said.startswith(str(path)) and expected in said and "\n" not in said


def test_config_file_that_is_missing_or_a_folder(tmp_path):
    for path, reason in {tmp_path / "no.yaml": "No such file or directory", tmp_path: "Is a directory"}.items():
        with pytest.raises(InputError) as raised:
            read_config(path)
        assert str(raised.value) == f"{path}: cannot be read ({reason}); check the path of the config file"


@pytest.mark.parametrize(
    "text",
    [
        '{"study": "a",\n\t"own": {"b": [1, 2.5, null, true]}}',
        "\ufeffstudy: a\nown: {b: [1, 2.5, null, true]}\n",
        "base: &base {b: [1]}\nstudy: a\nown:\n  <<: *base\n  b: [1, 2.5, null, true]\n",
    ],
)
def test_json_byte_order_mark_and_anchors_are_read(tmp_path, text):
    path = tmp_path / "study.json"
    path.write_text(text, encoding="utf-8")
    content = read_config(path)
    assert (content["study"], content["own"]) == ("a", {"b": [1, 2.5, None, True]})


def test_all_config_reading_of_the_workflow_are_read_as_before():
    paths = [REPOSITORY / "config/config.yaml", *(REPOSITORY / "config/studies").rglob("*.yaml")]
    assert len(paths) > 10
    for path in paths:
        assert read_config(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
