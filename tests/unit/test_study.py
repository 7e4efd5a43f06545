"""The plan of a study."""

import pytest
import yaml

from ecgtransfer.arms import SCRATCH, Cell, arm_of, method_name_of, source_of
from ecgtransfer.config.splits import Splits
from ecgtransfer.config.study import Study
from ecgtransfer.study import (
    cells_at,
    cells_of,
    corpora_of,
    datasets_of_targets,
    drawn_datasets,
    leaks,
    named_corpora,
    sources_of,
    studied_datasets,
    trained_sources,
    transfers_of,
    zero_shots_of,
)


def study_of(text: str) -> Study:
    return Study.of(yaml.safe_load(text))


def split_with(**splits: object) -> Study:
    return PLAN.model_copy(update={"splits": Splits.model_validate(splits)})


PLAN = study_of("""
transfer:
  sources: [a+b, c, c-shuffled]
  targets: [a, c, d-shuffled]
  methods: [finetune]
  models: [m, n]
  fractions: [1.0, 0.1]
""")

WAYS_AND_OUTSIDE = study_of("""
outside_weights:
  w: {trained_on: [c, z], files: {m: /archive/m.pt}}
transfer:
  sources: [a-age, w, a-masked, a]
  targets: [b, c]
  methods: [probe, "partial:2"]
  models: [m, n]
  fractions: [0.5]
""")


def test_a_source_serves_no_target_with_which_it_shares_a_data_set() -> None:
    assert sources_of(PLAN, "a") == ["c", "c-shuffled"]
    assert sources_of(PLAN, "b+x") == ["c", "c-shuffled"]
    assert sources_of(PLAN, "c") == ["a+b"]  # the shuffled control holds the same recordings
    assert sources_of(PLAN, "x") == ["a+b", "c", "c-shuffled"]
    assert sources_of(PLAN, "a+c") == []


def test_names_that_begin_alike_are_different_data_sets() -> None:
    plan = study_of("transfer: {sources: [cpsc2018-extra], targets: [cpsc2018], models: [m]}")
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
    joined = study_of("transfer: {sources: [x], targets: [a+b, b+c], models: [m]}")
    assert datasets_of_targets(joined, "x") == ["a", "b", "c"]


def test_a_name_stands_for_the_data_sets_that_it_joins() -> None:
    plan = study_of("""
    corpora: {both: a+b, one: c, unused: d}
    outside_weights: {w: {trained_on: [e], files: {m: w.pt}}}
    transfer: {sources: [both, c+both-shuffled, one-age, w], targets: [b, d, e+one], models: [m]}
    report: {recordings: {datasets: [unused, f]}}
    """)
    assert sources_of(plan, "b") == ["one-age", "w"]
    assert sources_of(plan, "d") == plan.transfer.sources
    assert sources_of(plan, "e+one") == ["both"]
    assert corpora_of(plan) == ["both", "c+both-shuffled", "one", "b", "d", "e+one"]
    assert studied_datasets(plan) == ["a", "b", "c", "d", "e"]
    assert drawn_datasets(plan) == ["a", "b", "c", "d", "e", "f"]
    assert datasets_of_targets(plan, "both") == ["d", "e", "c"]
    assert named_corpora(plan) == {"both": "a+b", "one": "c"}


@pytest.mark.parametrize(
    ("method", "source"),
    [("finetune", "sim-hospital-shuffled"), ("partial:2", "georgia+ningbo"), ("svm", "cpsc2018-extra-age")],
)
def test_an_arm_says_method_and_source(method: str, source: str) -> None:
    arm = arm_of(method, source)
    assert arm == f"{method}-{source}"
    assert (method_name_of(arm), source_of(arm)) == (method, source)
    cell = Cell("t", "m", arm, 0.5)
    assert (cell.method, cell.source) == (method, source)


def test_from_scratch_there_is_neither_method_nor_source() -> None:
    cell = Cell("t", "m", SCRATCH, 0.5)
    assert cell.method == cell.source == ""
    assert list(vars(cell)) == ["target", "model", "arm", "fraction"]  # what paths are made of


def test_arms_are_methods_by_sources_in_the_order_of_the_config() -> None:
    def arms(target: str, model: str) -> list[str]:
        return [cell.arm for cell in cells_of(WAYS_AND_OUTSIDE) if (cell.target, cell.model) == (target, model)]

    with_outside, without = ["a-age", "w", "a-masked", "a"], ["a-age", "a-masked", "a"]
    methods = ("probe", "partial:2")
    assert arms("b", "m") == ["scratch", *(f"{method}-{source}" for method in methods for source in with_outside)]
    assert arms("b", "n") == [
        "scratch",
        *(f"{method}-{source}" for method in methods for source in without),
    ]  # no file for n
    assert arms("c", "m") == arms("c", "n") == arms("b", "n")  # w has seen c


def test_cells_at_some_fractions_leave_the_controls_out() -> None:
    assert {cell.fraction for cell in cells_at(PLAN, 0.1, 0.3)} == {0.1}
    arms = [cell.arm for cell in cells_at(PLAN, 0.1) if (cell.target, cell.model) == ("a", "m")]
    assert arms == ["scratch", "finetune-c"]


def test_zero_shot_is_of_sources_trained_here_on_true_labels() -> None:
    assert zero_shots_of(PLAN) == [
        *((target, model, source) for target, source in (("a", "c"), ("c", "a+b")) for model in ("m", "n")),
        *(("d-shuffled", model, source) for model in ("m", "n") for source in ("a+b", "c")),
    ]
    assert zero_shots_of(WAYS_AND_OUTSIDE) == [(target, model, "a") for target in ("b", "c") for model in ("m", "n")]


def test_weights_from_outside_serve_no_target_that_they_have_seen() -> None:
    assert sources_of(WAYS_AND_OUTSIDE, "b") == ["a-age", "w", "a-masked", "a"]
    assert sources_of(WAYS_AND_OUTSIDE, "b", "n") == ["a-age", "a-masked", "a"]
    assert "w" not in sources_of(WAYS_AND_OUTSIDE, "b+z")
    assert sources_of(WAYS_AND_OUTSIDE, "a") == ["w"]  # whatever the task


def test_what_is_prepared_and_audited_knows_neither_tasks_nor_weights_from_outside() -> None:
    assert trained_sources(WAYS_AND_OUTSIDE) == ["a-age", "a-masked", "a"]
    assert corpora_of(WAYS_AND_OUTSIDE) == ["a", "b", "c"]
    assert studied_datasets(WAYS_AND_OUTSIDE) == ["a", "b", "c"]
    assert transfers_of(WAYS_AND_OUTSIDE) == [("a", "b"), ("a", "c")]
    assert datasets_of_targets(WAYS_AND_OUTSIDE, "a") == ["b", "c"]


def test_what_leaks_by_the_config_is_said() -> None:
    assert leaks(split_with()) == []
    assert leaks(split_with(by="site", valid_folds=[], valid_groups=["north"])) == []
    (sentence,) = leaks(split_with(valid_folds=[]))
    assert "test recordings" in sentence
    both = leaks(split_with(by="record", test_share=0.33))
    assert both == [both[0], sentence]
    assert "one patient" in both[0]
