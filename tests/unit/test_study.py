"""The plan of a study."""

import yaml

from ecgtransfer.study import (
    Cell,
    cells_of,
    corpora_of,
    datasets_of_targets,
    sources_of,
    studied_datasets,
    transfers_of,
)

PLAN = yaml.safe_load("""
transfer:
  sources: [a+b, c, c-shuffled]
  targets: [a, c, d-shuffled]
  models: [m, n]
  fractions: [1.0, 0.1]
""")


def test_a_source_serves_no_target_with_which_it_shares_a_data_set() -> None:
    assert sources_of(PLAN, "a") == ["c", "c-shuffled"]
    assert sources_of(PLAN, "b+x") == ["c", "c-shuffled"]
    assert sources_of(PLAN, "c") == ["a+b"]  # the shuffled control holds the same recordings
    assert sources_of(PLAN, "x") == ["a+b", "c", "c-shuffled"]
    assert sources_of(PLAN, "a+c") == []


def test_names_that_begin_alike_are_different_data_sets() -> None:
    plan = {"transfer": {"sources": ["cpsc2018-extra"], "targets": ["cpsc2018"]}}
    assert sources_of(plan, "cpsc2018") == ["cpsc2018-extra"]


def test_cells() -> None:
    cells = cells_of(PLAN)
    arms_by_target = {
        "a": ["scratch", "finetune-c", "finetune-c-shuffled"],
        "c": ["scratch", "finetune-a+b"],
        "d-shuffled": ["scratch", "finetune-a+b", "finetune-c", "finetune-c-shuffled"],
    }
    expected = {
        Cell(target, model, arm, fraction)
        for target, arms in arms_by_target.items()
        for model in "mn"
        for arm in arms
        for fraction in (0.1, 1.0)
    }
    assert set(cells) == expected
    assert len(cells) == len(expected) == 2 * 2 * (3 + 2 + 4)


def test_every_cell_has_a_partner_from_scratch_before_it() -> None:
    seen = set()
    for cell in cells_of(PLAN):
        seen.add(cell)
        assert Cell(cell.target, cell.model, "scratch", cell.fraction) in seen


def test_corpora_and_data_sets_come_once() -> None:
    assert corpora_of(PLAN) == ["a+b", "c", "c-shuffled", "a", "d-shuffled"]
    assert studied_datasets(PLAN) == ["a", "b", "c", "d"]


def test_transfers_are_every_source_with_the_targets_that_it_serves() -> None:
    assert transfers_of(PLAN) == [
        ("c", "a"), ("c-shuffled", "a"), ("a+b", "c"), ("a+b", "d-shuffled"), ("c", "d-shuffled"),
        ("c-shuffled", "d-shuffled"),
    ]  # fmt: skip


def test_data_sets_of_the_targets_that_a_source_serves() -> None:
    assert datasets_of_targets(PLAN, "a+b") == ["c", "d"]
    assert datasets_of_targets(PLAN, "c") == ["a", "d"]
    joined = {"transfer": {"sources": ["x"], "targets": ["a+b", "b+c"]}}
    assert datasets_of_targets(joined, "x") == ["a", "b", "c"]
