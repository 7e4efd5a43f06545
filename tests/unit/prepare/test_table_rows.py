"""Tables as other programs write them: a row per label, ids that a spreadsheet rounded, ids kept from a spreadsheet."""

from pathlib import Path
from typing import Any

import pytest

from ecgtransfer.acquire.own_table import WrongEntry
from ecgtransfer.prepare.table_rows import rows_by_recording


def entry_of(tmp_path: Path, table: str) -> dict[str, Any]:
    """Return the entry of a table with this text."""
    path = tmp_path / "table.csv"
    path.write_text(table)
    return {"table": str(path)}


def test_row_per_label(tmp_path: Path) -> None:
    entry = entry_of(
        tmp_path, "record,file,age,labels\na,a.npy,5,AF\nb,b.npy,6,SR\na,a.npy,5,LVH\na,a.npy,7,PVC\na,a.npy,5,\n"
    )
    rows, n_joined = rows_by_recording(entry, ";")
    assert [(row["record"], row["age"], row["labels"]) for row in rows] == [
        ("a", "5", "AF;LVH"), ("b", "6", "SR"), ("a", "7", "PVC"),
    ]  # fmt: skip
    assert n_joined == 2


@pytest.mark.parametrize("cell", ["1.23457E+11", "1,23457E+11", "4E+08", "1.5e+20"])
@pytest.mark.parametrize("column", ["record", "patient"])
def test_id_that_a_spreadsheet_has_rounded(tmp_path: Path, cell: str, column: str) -> None:
    row = {"record": "a", "patient": "p"} | {column: cell}
    entry = entry_of(tmp_path, f'record,patient,file\n"{row["record"]}","{row["patient"]}",a.npy\n')
    with pytest.raises(WrongEntry, match=rf"'{cell[:2]}.* in column '{column}' is a number that a spreadsheet"):
        rows_by_recording(entry, "|")


def test_ids_that_only_look_like_it_stay(tmp_path: Path) -> None:
    ids = ["891e3", "E+11", "1E5", "12E+3", "x1.2E+5"]
    entry = entry_of(tmp_path, "record,file\n" + "".join(f"{name},{name}.npy\n" for name in ids))
    assert [row["record"] for row in rows_by_recording(entry, "|")[0]] == ids


def test_ids_behind_an_equals_sign_and_invisible_signs(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, 'record,patient,file\n"=""007""",p\u200b,a.npy\n\ufeffb\xa0,=p,b.npy\n')
    rows, _ = rows_by_recording(entry, "|")
    assert [(row["record"], row["patient"]) for row in rows] == [("007", "p"), ("b", "=p")]
