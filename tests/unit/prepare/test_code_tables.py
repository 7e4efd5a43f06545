"""The workflow's own tables of codes: read as they are, and one clear line where one is broken."""

import csv
from pathlib import Path

import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.code_tables import read_code_table, read_rewards, read_translation

LABELS = Path(__file__).parents[3] / "config/labels"
REMEDY = "fix the table, or bring it back with `git checkout`"
NAMES = ["snomed_ct", "abbreviation"]


def rows_in(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_tables_of_the_workflow_are_read_as_they_stand():
    for name, columns in {"snomed.csv": NAMES, "equivalent.csv": ["snomed_ct", "counts_as"]}.items():
        expected = [{column: row[column] for column in columns} for row in rows_in(LABELS / name)]
        assert read_code_table(LABELS / name, columns).to_dict("records") == expected
        translation = {row[columns[0]]: row[columns[1]] for row in expected}
        assert read_translation(LABELS / name, *columns) == translation
    rewards = read_rewards(LABELS / "rewards/scored.csv")
    for row in rows_in(LABELS / "rewards/scored.csv"):
        label = row.pop("label")
        assert {name: float(value) for name, value in row.items()} == rewards.loc[label].to_dict()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"snomed_ct,abbreviation\n", "has no rows; "),
        (b"hello\n1\n", "column snomed_ct, abbreviation missing, found hello; "),
        (b"snomed_ct,abbreviation\n1,AF\n,LVH\n", "row 3 has no snomed_ct; "),
        (b"snomed_ct,abbreviation\n1,AF\n2,\n", "row 3 has no abbreviation; "),
        (b"snomed_ct,abbreviation\n1,AF\n2,B\n1,LVH\n", "'1' occurs twice in column snomed_ct; "),
        (b'snomed_ct,abbreviation\n1,"AF', "row 2 is not CSV ("),
        (bytes(range(256)), "cannot be read ("),
    ],
)
def test_broken_table_is_one_line(tmp_path, content, said):
    path = tmp_path / "snomed.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_code_table(path, NAMES)
    line = str(raised.value)
    assert line.startswith(f"{path}: {said}") and line.endswith(f"; {REMEDY}") and "\n" not in line


def test_emptied_table_is_one_line(tmp_path):
    (tmp_path / "snomed.csv").touch()
    with pytest.raises(InputError, match=r"snomed\.csv: is empty; [^\n]+$"):
        read_code_table(tmp_path / "snomed.csv", NAMES)


def test_table_that_may_be_empty(tmp_path):
    (tmp_path / "equivalent.csv").write_text("snomed_ct,counts_as\n")
    table = read_code_table(tmp_path / "equivalent.csv", ["snomed_ct", "counts_as"], may_be_empty=True)
    assert read_translation(tmp_path / "equivalent.csv", "snomed_ct", "counts_as", may_be_empty=True) == {}
    assert table.empty and list(table) == ["snomed_ct", "counts_as"]


def test_reward_that_is_no_number(tmp_path):
    (tmp_path / "rewards.csv").write_text("label,AF,SR\nAF,1,0\nSR,many,1\n")
    with pytest.raises(InputError, match=rf"rewards\.csv: .* that is not a number \(.*'many'.*\); {REMEDY}$"):
        read_rewards(tmp_path / "rewards.csv")
