"""What the README of the config says that an edit reruns, held against Snakemake's graph for every key."""

import re
from collections.abc import Iterator

import pytest
from checkout import REPOSITORY
from config_edits import EDITS, KEYS, Planner, planner, reruns_of

from ecgtransfer.config.tables import reruns_in

README = (REPOSITORY / "config" / "README.md").read_text()
RULES = {
    rule for path in (REPOSITORY / "rules").glob("*.smk") for rule in re.findall(r"(?m)^\w+ (\w+):$", path.read_text())
} | {"compute_finding"}
SAID = reruns_in(README)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    with planner(tmp_path_factory.mktemp("column")) as plan:
        yield plan


def test_every_key_has_another_value_here() -> None:
    assert set(EDITS) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_readme_names_the_rules_that_an_edit_reruns_first(planned: Planner, key: str) -> None:
    said = f"`{key.partition('.')[0]}`" if KEYS[key].taken_over else SAID[key]
    assert reruns_of(planned, key).in_words == said


def test_rules_follow_one_another_as_the_readme_draws_it(planned: Planner) -> None:
    makers = {path: job.rule for job in planned({}).jobs for path in job.outputs}
    real = {(makers[path], job.rule) for job in planned({}).jobs for path in job.inputs if path in makers}
    real -= {(rule, rule) for rule in RULES}
    drawn = {
        (before, after)
        for line in next(block for block in README.split("```") if "→" in block).splitlines()
        for left, right in zip(line.split("→"), line.split("→")[1:], strict=False)
        for before in _rules_in(left)
        for after in _rules_in(right)
    }
    assert drawn <= real
    assert with_those_between(drawn) == with_those_between(real)
    assert {rule for edge in real for rule in edge} == RULES


def _rules_in(words: str) -> frozenset[str]:
    return frozenset(RULES.intersection(re.findall(r"\w+", words)))


def with_those_between(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return every pair of rules of which the second follows the first, directly or not."""
    while True:
        more = {(start, end) for start, middle in edges for other, end in edges if middle == other} - edges
        if not more:
            return edges
        edges = edges | more
