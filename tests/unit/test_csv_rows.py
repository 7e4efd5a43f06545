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
    assert rows(path, b"a,b\n") == []
    assert rows(path, b'a, b\n1, "x, y"\n   \n') == [{"a": "1", "b": "x, y", "c": ""}]
    assert rows(path, b"sep=;\r\na;b, c;b\r\n1,5;x;2\r\n") == [{"a": "1,5", "b": "2", "c": ""}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends(tmp_path: Path, encoding: str, separator: str, line_end: str) -> None:
    """The same table, as programs of many countries write it."""
    cells = (("b", "a", "d"), ("Müller", "5 µV", "x"), ("", "é", ""))
    table = line_end.join(map(separator.join, cells))
    assert rows(tmp_path / "t.csv", table.encode(encoding)) == [
        {"a": "5 µV", "b": "Müller", "c": ""},
        {"a": "é", "b": "", "c": ""},
    ]


def test_ids_that_differ_in_bytes_stay_two(tmp_path: Path) -> None:
    """No byte is replaced: 0x81 is nothing in Windows-1252, and then all is Latin-1."""
    found = [row["a"] for row in rows(tmp_path / "t.csv", b"a,b\np\x81,1\np\x8d,2\np\xe9,3\n")]
    assert len(set(found)) == 3
    assert found[2] == "pé"


def test_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for content, message in {
        b"\n": "column a, b missing, found none",
        b"A,b\n": "column a missing; did you mean `A`",
        b"a\tc\n": "column b missing",
        b"a,b\n1," + b"x" * 200_000: "row 2 is not CSV",
        b'a,b\n1,2\n3,"4\n5,6\n': "row 3 is not CSV .a quote is opened and never closed.; download",
        b'a,b\n1,"2" 3\n': "row 2 is not CSV",
        b"a,b\n1,2\n1,2,3\n": "row 3 has 3 cells, the header 2",
        b"a,b,a\n": "column a is there 2 times",
        b"a,b\n1,\0\n": "it is no text",
        b"\xef\xbb\xbfa,b\n1,\xff\n": "cannot be read .'utf-8' codec can't decode byte 0xff",
        b"PK\3\4\0": "it is an Excel workbook, expected CSV",
    }.items():
        with pytest.raises(InputError, match=message):
            rows(path, content)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "gone.csv", ["a"])
