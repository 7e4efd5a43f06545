"""The findings as rooms: a module each, alone, and what it says of itself is what it does."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from ecgtransfer.compare.tables import TableForm
from ecgtransfer.findings import asked as asked_module
from ecgtransfer.findings.asked import ROOMS, asked
from ecgtransfer.findings.contents import FINDINGS, SECTIONS, drawn_findings, tables_of_findings
from ecgtransfer.findings.given import READ
from ecgtransfer.findings.readme import with_findings

FOLDER = Path(asked_module.__file__).parent
HOUSEKEEPING = {"__init__", "asked", "computing", "contents", "drawing", "given", "readme"}
SETTINGS = {"confidence", "margin", "seed", "method", "families", "joined", "min_positives", "variance"}


def room(finding):
    return import_module(f"{ROOMS}.{finding}")


def test_every_module_is_listed_once():
    assert sorted(FINDINGS) == sorted({path.stem for path in FOLDER.glob("*.py")} - HOUSEKEEPING)
    assert len({section.anchor for section in SECTIONS}) == len(SECTIONS)
    tables = tables_of_findings()
    assert len(set(tables)) == len(tables)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_imports_no_other_one(finding):
    tree = ast.parse((FOLDER / f"{finding}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.startswith(ROOMS)]


@pytest.mark.parametrize("finding", FINDINGS)
def test_what_is_read_from_the_code_is_what_the_module_holds(finding):
    module, read = room(finding), asked(finding)
    assert read.tables == tuple(module.TABLES)
    assert read.computed_from == tuple(inspect.signature(module.compute).parameters)
    assert read.speaks == hasattr(module, "on_page")
    assert bool(read.drawn_from) == hasattr(module, "draw") == (finding in drawn_findings())
    if read.drawn_from:
        assert read.caption == module.CAPTION
        said = re.findall(r"findings/(\w+)\.csv", read.caption.format(percent="95 %", margin=0.01, replicates=3))
        assert set(said) <= set(read.tables)
        assert said


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_asks_for_what_there_is(finding):
    others = set(tables_of_findings()) - set(asked(finding).tables)
    assert set(asked(finding).computed_from) <= set(READ) | SETTINGS | others
    assert set(asked(finding).drawn_from) <= set(tables_of_findings()) | SETTINGS


@pytest.mark.parametrize("table", tables_of_findings())
def test_every_column_is_explained_once(table):
    (form,) = (room(finding).TABLES[table] for finding in FINDINGS if table in asked(finding).tables)
    assert isinstance(form, TableForm)
    assert ", ".join(form.meaning).split(", ") == list(form.columns)


def test_the_readme_of_results_says_what_findings_say():
    readme = (FOLDER.parents[2] / "results" / "README.md").read_text(encoding="utf-8")
    assert with_findings(readme) == readme
    for table in tables_of_findings():
        assert readme.count(f"| `findings/{table}.csv` |") == 1
