"""What a table gives that is not used, and what in it can be misunderstood."""

from pathlib import Path
from typing import Any

import pytest

from ecgtransfer.acquire.own_table import WrongEntry
from ecgtransfer.prepare.table_notices import table_notices
from ecgtransfer.prepare.table_rows import rows_by_recording


def said(tmp_path: Path, table: str, **keys: Any) -> list[str]:
    """Return the notices on a table with this text."""
    path = tmp_path / "table.csv"
    path.write_text(table)
    entry = {"table": str(path), **keys}
    return [notice.text for notice in table_notices(entry, rows_by_recording(entry, "|")[0])]


def with_patients(*patients: str) -> str:
    """Return a table of recordings of these patients."""
    rows = (f"r{number},r{number}.npy,AF,{patient}\n" for number, patient in enumerate(patients))
    return "record,file,labels,patient\n" + "".join(rows)


def test_columns_that_nobody_reads(tmp_path: Path) -> None:
    table = "record,file,labels,Patient,strat_fold,height\na,a.npy,AF,p,3,180\n"
    assert said(tmp_path, table) == ["columns of the table that are not used: strat_fold, height"]
    assert said(tmp_path, table, columns={"fold": "strat_fold"}) == ["columns of the table that are not used: height"]


def test_no_patients(tmp_path: Path) -> None:
    (_, notice) = said(tmp_path, "record,file,labels,patients\na,a.npy,AF,p\n")
    assert notice.startswith("no column 'patient', every record counts as its own patient")
    assert notice.endswith("did you mean `patients`?")
    assert said(tmp_path, with_patients("p", "", "")) == [
        "2 of 3 recordings have no patient, each counts as a patient of its own"
    ]


@pytest.mark.parametrize("nobody", ["NA", "unknown", "Missing", "-"])
def test_patient_who_is_nobody(tmp_path: Path, nobody: str) -> None:
    (notice,) = said(tmp_path, with_patients("p", nobody, nobody))
    assert notice.startswith(f"2 of 3 recordings have the patient '{nobody}' and count as one person; leave these")


def test_patient_with_far_more_recordings_than_anybody_else(tmp_path: Path) -> None:
    others = [f"p{number}" for number in range(30)]
    (notice,) = said(tmp_path, with_patients(*others, *["0"] * 10))
    assert notice.startswith("10 of 40 recordings have the patient '0' and count as one person")
    assert said(tmp_path, with_patients(*others, *others, *["q"] * 9)) == []  # not five times as many as the next


def test_patients_that_differ_in_spelling(tmp_path: Path) -> None:
    (notice,) = said(tmp_path, with_patients("P7", "p7", "007", "7", "a  b", "a b", "x"))
    assert notice == (
        "6 patients differ in capitals, blanks or leading zeros alone, such as 'P7' and 'p7', and count as different"
        " people"
    )


def test_empty_labels(tmp_path: Path) -> None:
    table = "record,file,patient,labels\na,a.npy,p,AF\nb,b.npy,q,\nc,c.npy,r,\n"
    with pytest.raises(WrongEntry, match=r"table\.csv: 2 of 3 cells of labels are empty; say .*empty_labels"):
        said(tmp_path, table)
    assert said(tmp_path, table, empty_labels="negative") == [
        "2 of 3 recordings have an empty cell of labels and count as negative for every label"
    ]
    assert said(tmp_path, table, empty_labels="unknown") == [
        "2 of 3 recordings have an empty cell of labels, so their labels are unknown"
    ]
    assert said(tmp_path, "record,file,patient\na,a.npy,p\n") == [
        "no column 'labels', the labels of all 1 recordings are unknown"
    ]
