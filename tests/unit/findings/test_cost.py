import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ecgtransfer.arms import Cell
from ecgtransfer.compare.convergence import replicate_convergence
from ecgtransfer.findings.costs import BREAK_EVEN_COLUMNS, COST_COLUMNS, break_even, costs

SCRATCH, FINETUNE = Cell("ptbxl", "gru", "scratch", 0.1), Cell("ptbxl", "gru", "finetune-cpsc", 0.1)


def metadata(wall=10.0, device=19.0, joules=50.0, n_replicates=None):
    found = {
        "wall_seconds": wall,
        "device_seconds": device,
        "energy_joules": joules,
        **{"device": "a processor", "threads": 2, "processes": 1},
    }
    return found if n_replicates is None else {**found, "replicates": [{}] * n_replicates}


def seconds_to_the_goal(*cells, goal=0.8):
    """The rows of a table of convergence by replicate: a cell is a list of pairs of scratch and transfer."""
    rows = [
        {"target": "ptbxl", "source": "cpsc", "model": "gru", "arm": "finetune-cpsc", "fraction": number / 10}
        | {"replicate": replicate, "goal": goal, "seconds_scratch": scratch, "seconds_transfer": transfer}
        for number, replicates in enumerate(cells, start=1)
        for replicate, (scratch, transfer) in enumerate(replicates)
    ]
    return pd.DataFrame(rows)


def test_cells_and_pretrainings_stand_apart_with_what_they_cost():
    cells = {SCRATCH: metadata(n_replicates=3), FINETUNE: metadata(wall=4.5, n_replicates=3)}
    table = costs(cells, {("cpsc", "gru"): [metadata(wall=100.0)]})
    assert list(table) == COST_COLUMNS
    assert table["stage"].tolist() == ["pretraining", "training", "training"]
    assert table["arm"].tolist() == ["", "scratch", "finetune-cpsc"]
    assert table["source"].tolist() == ["cpsc", "", "cpsc"]
    assert table["fraction"].isna().tolist() == [True, False, False]
    assert table["n_trainings"].tolist() == [1, 3, 3]
    assert table["wall_seconds"].tolist() == [100.0, 10.0, 4.5]
    assert table["device_seconds"].tolist() == [19.0] * 3


def test_replicates_of_a_pretraining_add_up():
    table = costs({}, {("cpsc", "gru"): [metadata(wall=100.0, joules=1.0), metadata(wall=60.0, joules=2.0)]})
    (row,) = table.to_dict("records")
    assert (row["n_trainings"], row["wall_seconds"], row["device_seconds"], row["joules"]) == (2, 160, 38, 3)


def test_energy_that_is_not_known_is_empty_and_makes_the_sum_so():
    table = costs(
        {SCRATCH: metadata(joules=None, n_replicates=1)}, {("cpsc", "gru"): [metadata(), metadata(joules=None)]}
    )
    assert table["joules"].isna().all()


@pytest.mark.parametrize(
    ("scratch", "transfer", "expected"),
    [
        (30.0, 10.0, ("after", 5)),  # 100 s at 20 s per target
        (30.0, 0.0, ("after", 4)),  # 3.33 targets are 4
        (0.3, 0.2, ("after", 1000)),  # and not 1001 by rounding
        (200.0, 50.0, ("after", 1)),
        (10.0, 10.0, ("never", None)),
        (10.0, 30.0, ("never", None)),
        (10.0, math.nan, ("never", None)),  # the goal was not reached
    ],
)
def test_a_pretraining_has_paid_for_itself_after_so_many_targets(scratch, transfer, expected):
    table = break_even(seconds_to_the_goal([(scratch, transfer)]), {("cpsc", "gru"): [metadata(wall=100.0)]}, 0.95)
    assert list(table) == BREAK_EVEN_COLUMNS
    (row,) = table.to_dict("records")
    assert row["pretraining_seconds"] == 100
    assert row["saved_seconds"] == pytest.approx(scratch - transfer, nan_ok=True)
    assert (row["break_even"], None if pd.isna(row["n_targets"]) else row["n_targets"]) == expected
    assert all(pd.isna(row[name]) for name in ("ci_low", "ci_high", "n_targets_low", "n_targets_high"))


def test_the_interval_of_what_is_saved_bounds_the_number_of_targets():
    saved = [18.0, 20.0, 25.0, 17.0]
    low, high = stats.ttest_1samp(saved, 0).confidence_interval(0.9)
    table = break_even(
        seconds_to_the_goal([(30, 30 - each) for each in saved]), {("cpsc", "gru"): [metadata(100.0)]}, 0.9
    )
    (row,) = table.to_dict("records")
    assert (row["saved_seconds"], row["ci_low"], row["ci_high"]) == pytest.approx((20, low, high), abs=1e-6)
    assert (row["n_targets"], row["n_targets_low"], row["n_targets_high"]) == (5, *np.ceil([100 / high, 100 / low]))


def test_a_saving_that_is_not_certain_has_no_upper_number_of_targets():
    table = break_even(seconds_to_the_goal([(30, 10), (10, 12)]), {("cpsc", "gru"): [metadata(wall=100.0)]}, 0.95)
    (row,) = table.to_dict("records")
    assert row["ci_low"] < 0
    assert (row["break_even"], row["n_targets"]) == ("after", 12)
    assert row["n_targets_low"] < 12
    assert pd.isna(row["n_targets_high"])


def test_one_replicate_that_does_not_get_there_makes_the_saving_unknown_and_the_answer_never():
    cell = [(30.0, 10.0), (30.0, math.nan)]
    (row,) = break_even(seconds_to_the_goal(cell), {("cpsc", "gru"): [metadata()]}, 0.95).to_dict("records")
    assert row["break_even"] == "never"
    assert math.isnan(row["saved_seconds"])


def test_without_a_goal_nothing_is_known():
    rows = seconds_to_the_goal([(math.nan, math.nan)], goal=math.nan)
    assert break_even(rows, {("cpsc", "gru"): [metadata()]}, 0.95)["break_even"].tolist() == ["unknown"]


def test_of_several_pretrainings_one_is_needed():
    price = {("cpsc", "gru"): [metadata(wall=100.0), metadata(wall=60.0)]}
    assert break_even(seconds_to_the_goal([(30, 10)]), price, 0.95)["n_targets"].tolist() == [4]


def test_weights_from_outside_have_an_unknown_price_unless_they_save_nothing():
    table = break_even(seconds_to_the_goal([(30, 10)], [(10, 30)]), {}, 0.95)
    assert table["break_even"].tolist() == ["unknown", "never"]
    assert table["pretraining_seconds"].isna().all()
    assert table["n_targets"].isna().all()


def test_cells_are_in_a_fixed_order():
    rows = seconds_to_the_goal([(30, 10)], [(20, 10)], [(15, 10)])
    price = {("cpsc", "gru"): [metadata()]}
    pd.testing.assert_frame_equal(break_even(rows.iloc[::-1], price, 0.95), break_even(rows, price, 0.95))
    assert break_even(rows, price, 0.95)["fraction"].tolist() == [0.1, 0.2, 0.3]


def test_a_study_without_transfer_has_an_empty_table():
    table = break_even(replicate_convergence([]), {}, 0.95)
    assert list(table) == BREAK_EVEN_COLUMNS
    assert table.empty
