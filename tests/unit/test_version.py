"""One version: in run.json and on the page, to cite, and in the list of changes."""

import re
import tomllib
from pathlib import Path

import yaml

from ecgtransfer.report.inputs import software_versions
from ecgtransfer.version import version_of_workflow

REPOSITORY = Path(__file__).parents[2]


def test_version_is_the_same_wherever_it_stands() -> None:
    version = version_of_workflow()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert software_versions()["ecg-transfer"] == version
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == version
    released = re.findall(r"^## (\d\S*)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == version
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    (file,) = project["tool"]["setuptools"]["dynamic"]["version"].values()
    assert (REPOSITORY / file).read_text() == f"{version}\n"


def test_releases_are_listed_from_the_newest_on() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert len(releases) == len(re.findall(r"^## \d", text, re.MULTILINE))
    numbers = [tuple(map(int, release[:3])) for release in releases]
    assert numbers == sorted(numbers, reverse=True)
    dates = [release[3] for release in releases]
    assert dates == sorted(dates, reverse=True)
