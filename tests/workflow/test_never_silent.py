"""What a table of one's own gives reaches the page as it was given, or terminal and page say what became of it."""

import csv
import html
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fast_runner import FastRunner, Result
from micro_study import MicroStudy

Row = dict[str, str]


@pytest.fixture
def study(tmp_path: Path, new_micro: MicroStudy) -> MicroStudy:
    """A copy of the study that has not run."""
    return MicroStudy.copied(new_micro.folder, tmp_path / "checkout")


def edit_ward(study: MicroStudy, edit: Callable[[int, Row], Row]) -> list[Row]:
    """Change the rows of the table of the ward; return them as they are now."""
    path = study.folder / "own/ward.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [edit(number, row) for number, row in enumerate(csv.DictReader(file))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def told(study: MicroStudy, runner: FastRunner) -> tuple[Result, str]:
    """Run the study, which must end well; return what the terminal showed, and the words of the page."""
    result = study.make_run(runner)
    assert result.returncode == 0, result.output[-4000:]
    page = (study.folder / "results/micro/report/index.html").read_text(encoding="utf-8")
    return result, re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def table_of(study: MicroStudy, name: str) -> pd.DataFrame:
    """Return a table of the results, all of it as text."""
    return pd.read_csv(study.folder / "results/micro" / name, dtype=str, keep_default_na=False)


def test_text_that_looks_like_nothing_or_like_a_number_stays_text(study: MicroStudy, runner: FastRunner) -> None:
    ids = ["NA", "null", "01", "1", "1.10", "1.1", "1e5", "100000", "2020-03-01", "True", "nan", "None"]
    sites = ["01", "1", "02", "10", "3.1", "3.10", "NA"]
    study.write_study({"own.ward.columns.site": "site"})
    rows = edit_ward(
        study,
        lambda number, row: row | {
            "ecg": ids[number] if number < len(ids) else row["ecg"],
            "person": "NA" if number % 3 == 0 else row["person"],
            "site": sites[number % len(sites)],
        },
    )  # fmt: skip
    _, page = told(study, runner)
    records = table_of(study, "records/ward.csv")
    assert records["record_id"].tolist() == [row["ecg"] for row in rows]
    assert records["patient_id"].tolist() == [row["person"] for row in rows]
    assert records["site"].tolist() == [row["site"] for row in rows]
    splits = table_of(study, "splits/ward+ptb-xl.csv").set_index("record_id")
    ward = splits[splits.index.str.startswith("ward:")]
    assert ward["patient_id"].to_dict() == {f"ward:{row['ecg']}": f"ward:{row['person']}" for row in rows}
    n_without = sum(row["person"] == "NA" for row in rows)
    assert f"{n_without} of {len(rows)} recordings have the patient 'NA' and count as one person" in page


def test_what_is_not_used_stands_on_terminal_and_page(study: MicroStudy, runner: FastRunner) -> None:
    rows = edit_ward(
        study,
        lambda number, row: row | {
            "age": {0: ">89", 1: "300", 2: "056Y"}.get(number, row["age"]),
            "sex": {0: "Mujer", 1: "Hombre", 2: "Frauenklinik", 3: "0", 4: "Missing"}.get(number, row["sex"]),
            "words": f"{row['words']}|Something else".strip("|") if number < 5 else row["words"],
            "height": "180",
        },
    )  # fmt: skip
    result, page = told(study, runner)
    n_only_unknown = sum(row["words"] == "Something else" for row in rows)
    expected = [
        "ward: columns of the table that are not used: height",
        f"ward: the age of 2 of {len(rows)} recordings is not understood and left empty, the first is '>89'",
        f"ward: the sex of 2 of {len(rows)} recordings is not understood and left empty, the first is 'Frauenklinik'",
        f"ward: 5 statements of 5 of {len(rows)} recordings are not in the label table and left out: Something else (5)"
        + (f"; {n_only_unknown} of these recordings have no other statement" if n_only_unknown else ""),
    ]
    for notice in expected:
        assert notice in result.output
        assert notice in page
    records = table_of(study, "records/ward.csv")
    assert records["age_years"].tolist()[:3] == ["", "", "56.0"]
    assert records["sex"].tolist()[:5] == ["F", "M", "", "", ""]


def test_archive_without_labels_is_a_source_of_another_task(study: MicroStudy, runner: FastRunner) -> None:
    edit_ward(study, lambda _, row: {key: cell for key, cell in row.items() if key != "words"})
    columns = {"record": "ecg", "patient": "person", "file": "name"}
    transfer = {"transfer.sources": ["ward-masked", "ward-age"], "own.ward.columns": columns}
    study.write_study(transfer)
    _, page = told(study, runner)
    assert "ward: no column 'labels', the labels of all" in page
    study.write_study(transfer | {"transfer.sources": ["ward"]})
    result = study.make_run(runner)
    assert result.returncode != 0
    assert "labels of ward: the labels of all its recordings are unknown" in result.output


@pytest.mark.parametrize("meaning", ["negative", "unknown"])
def test_empty_cells_of_labels_are_asked_about(study: MicroStudy, runner: FastRunner, meaning: str) -> None:
    rows = edit_ward(
        study, lambda number, row: row | {"words": "" if number % 4 == 0 else row["words"] or "Finding AF"}
    )
    n_empty = sum(not row["words"] for row in rows)
    study.write_study({})
    result = study.make_run(runner)
    assert result.returncode != 0
    assert f"own/ward.csv: {n_empty} of {len(rows)} cells of labels are empty; say in the entry" in result.output
    study.write_study({"own.ward.empty_labels": meaning})
    _, page = told(study, runner)
    assert f"ward: {n_empty} of {len(rows)} recordings have an empty cell of labels" in page
    labels = table_of(study, "labels/ward+ptb-xl.csv").set_index("record_id")
    splits = table_of(study, "splits/ward+ptb-xl.csv")
    empty = [f"ward:{row['ecg']}" for row in rows if not row["words"]]
    cells = set(labels.loc[empty].to_numpy().ravel())
    assert cells <= ({"0", ""} if meaning == "negative" else {""})
    assert splits["record_id"].isin(empty).sum() == (n_empty if meaning == "negative" else 0)
