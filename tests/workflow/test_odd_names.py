"""Names that mean something elsewhere, of records, files, data sets and models: from table and config to the page."""

import csv
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from fast_runner import FastRunner
from micro_study import MicroStudy
from tiny_page import Reader

from ecgtransfer.compare.tables import read_findings

ODD = (
    *("$\\frac{$", "a$b$c", "_x", "100%", "<b>&amp;", "it's", '"quoted"', "a, b; c|d", "=SUM(A1)", "-1", "{dataset}"),
    *("*.npy", "😀 心电图", "\u202eabc", "\x1b[31m", "two\nlines"),
)
SHOWN = str.maketrans({"\u202e": "\\u202e", "\x1b": "\\x1b", "\n": "\\n"})
"""What readers see of what would turn the text around it, colour a terminal, or begin a line."""


def rename(own: Path) -> list[str]:
    """Give the recordings of the ward odd ids, and their files the same names but for a new line; return the ids."""
    with (own / "ward.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    for row, odd in zip(rows, ODD, strict=True):
        name = f"{odd}.npy".replace("\n", " ")
        (own / "ward" / row[head.index("name")]).rename(own / "ward" / name)
        row[head.index("ecg")], row[head.index("name")] = odd, name
    with (own / "ward.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    return [row[head.index("ecg")] for row in rows]


def test_odd_ids_and_file_names_go_from_the_table_to_the_page(tmp_path: Path, runner: FastRunner) -> None:
    study = MicroStudy(tmp_path / "odd", drawn=True)
    ids = rename(study.folder / "own")
    study.write_study({"report.recordings": {"per_dataset": 3}})
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    assert "Traceback" not in result.output
    assert "Glyph" not in result.output
    results = study.folder / "results" / "micro"
    for table in ("records/ward.csv", "signals/ward.csv"):
        stored = pd.read_csv(results / table, dtype=str, keep_default_na=False)["record_id"].tolist()
        assert stored == ids
    page = unescape((results / "report/index.html").read_text(encoding="utf-8"))
    drawn = [record_id for record_id in ids if f"Record {record_id.translate(SHOWN)}: " in page]
    assert len(drawn) == 3
    assert (results / "figures/quality/ward.png").is_file()


@pytest.mark.parametrize(("source", "target", "model"), [("NA", "2022", "7"), ("1e5", "null", "nan")])
def test_names_that_tables_take_for_numbers_or_nothing_stay_text(
    tmp_path: Path, runner: FastRunner, new_micro: MicroStudy, source: str, target: str, model: str
) -> None:
    study = MicroStudy.copied(new_micro.folder, tmp_path / "named")
    given = study.study()
    simulated = {target: given["simulate"]["clinic"], "hospital": given["simulate"]["hospital"]}
    names = {"own": {source: given["own"]["ward"]}, "simulate": simulated, "models": {model: {"of": "gru"}}}
    sources = [source, f"{source}-shuffled", f"{source}+hospital"]
    study.write_study({**names, "transfer": {"sources": sources, "targets": [target], "models": [model]}})
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    page = Reader((study.folder / "results/micro/report/index.html").read_text(encoding="utf-8"))
    assert set(sources) <= {row[2] for row in page.rows if row[:2] == [target, model]}
    verdicts = read_findings(study.folder / "results/micro/findings/verdicts.csv")
    measured = read_findings(study.folder / "results/micro/findings/transferability.csv")
    for table in (verdicts, measured):
        assert set(table["target"]) == {target}
        assert set(table["model"]) == {model}
    assert set(verdicts["source"]) == set(sources)
