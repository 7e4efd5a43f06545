"""Tables of others, row by row."""

from pathlib import Path

import pytest

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError


def rows(path: Path, content: bytes) -> list[dict[str, str]]:
    """Return the rows of a table with these bytes."""
    path.write_bytes(content)
    return list(read_rows(path, ["a", "b"], ["c"]))


def test_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert rows(path, b"b,a\n1,2\n") == [{"a": "2", "b": "1", "c": ""}]
    assert rows(path, b"a,x,b,c\r\n 1 ,9,2,3\r\n\r\n4\r\n") == [
        {"a": "1", "b": "2", "c": "3"},
        {"a": "4", "b": "", "c": ""},
    ]
    assert rows(path, b'a,b\n"1\n2","x,y"\n') == [{"a": "1\n2", "b": "x,y", "c": ""}]
    assert rows(path, b"\xef\xbb\xbfa,b\n1,\xff\n")[0]["a"] == "1"  # byte order mark, and no UTF-8
    assert rows(path, b"a,b\n") == []


def test_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for content, message in {
        b"": "column a, b missing, found none",
        b"A,b\n": "column a missing; did you mean `A`",
        b"a\tb\n": "column a, b missing, cells are separated by",
        b"a,b\n1," + b"x" * 200_000: "row 2 is not CSV",
    }.items():
        with pytest.raises(InputError, match=message):
            rows(path, content)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "gone.csv", ["a"])
