"""More labels: what is expected of curves of known shape, and what is said where nothing can be."""

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import CHALLENGE_SCORE
from ecgtransfer.findings.more_labels import (
    CURVES_MEET,
    LABELS_NEEDED_COLUMNS,
    MORE_LABELS_COLUMNS,
    SAME_SCORE,
    WITHHELD_COLUMNS,
    compute,
    draw,
    on_page,
)

CONFIDENCE, SEED, N_RESAMPLES, N_ALL = 0.95, 3, 200, 1000
FRACTIONS = (0.05, 0.1, 0.2, 0.5, 1.0)
METRIC = "macro_auroc"


def runs_of(
    arm: str, scores: np.ndarray, fractions: tuple[float, ...] = FRACTIONS, noise: float = 0.0, metric: str = METRIC
) -> list[Run]:
    """Return the runs of a curve; each of three replicates is off by up to `noise` at each point."""
    off = noise * np.random.default_rng(len(arm)).permuted(np.tile([-1.0, 0.0, 1.0], (len(scores), 1)), axis=1)
    found = []
    for fraction, score, of_point in zip(fractions, scores, off, strict=True):
        table = pd.DataFrame({"replicate": range(3), "value": score + of_point}).assign(label="macro", metric=metric)
        resamples = {metric: np.tile((score + of_point)[:, None], N_RESAMPLES)}
        n_train = np.full(3, round(fraction * N_ALL))
        found.append(Run("clinic", "gru", arm, fraction, table, resamples, n_train, n_train))
    return found


def power_law(asymptote: float, gap: float, exponent: float, times: tuple[float, ...] = FRACTIONS) -> np.ndarray:
    return asymptote - gap * np.array(times) ** -exponent


def found(runs: list[Run]) -> dict[str, pd.DataFrame]:
    return compute(runs, CONFIDENCE, SEED, "own")


def needed(transfer: np.ndarray, goal: str, scratch: tuple[float, float, float] = (0.9, 0.1, 0.5)) -> pd.Series:
    """Return the row of a goal, of a curve of transfer against one from scratch."""
    runs = [*runs_of("scratch", power_law(*scratch)), *runs_of("finetune-a", transfer)]
    table = found(runs)["labels_needed"]
    assert list(table) == LABELS_NEEDED_COLUMNS
    return table.set_index("goal").loc[goal]


def test_curves_that_are_power_laws_go_on_as_these() -> None:
    tables = found([*runs_of("scratch", power_law(0.9, 0.1, 0.5)), *runs_of("probe-a", power_law(0.95, 0.05, 0.3))])
    table = tables["more_labels"]
    assert list(table) == MORE_LABELS_COLUMNS
    assert table["times"].tolist() == [2, 5, 10] * 2
    assert table["n_recordings"].tolist() == [2000, 5000, 10000] * 2
    expected = [*power_law(0.9, 0.1, 0.5, (2, 5, 10)), *power_law(0.95, 0.05, 0.3, (2, 5, 10))]
    for column in ("score", "ci_low", "ci_high"):  # nothing varies
        assert table[column].to_numpy() == pytest.approx(expected, abs=1e-4)
    withheld = tables["withheld"]
    assert list(withheld) == WITHHELD_COLUMNS
    assert withheld["observed"].tolist() == pytest.approx([0.8, 0.9])
    assert withheld["predicted"].tolist() == pytest.approx([0.8, 0.9], abs=1e-4)


def test_the_interval_grows_with_the_distance_and_stays_within_what_a_score_can_be() -> None:
    table = found(runs_of("scratch", power_law(0.99, 0.05, 0.4), noise=0.03))["more_labels"]
    width = table["ci_high"] - table["ci_low"]
    assert (np.diff(width) > 0).all()
    assert ((table["ci_low"] >= 0) & (table["ci_high"] <= 1)).all()
    assert ((table["ci_low"] <= table["score"]) & (table["score"] <= table["ci_high"])).all()


def test_the_challenges_score_may_be_below_zero_and_others_not() -> None:
    for metric, lowest in ((CHALLENGE_SCORE, -0.5), (METRIC, 0.0)):
        table = found(runs_of("scratch", np.full(5, -0.5), metric=metric))["more_labels"]
        assert table["score"].tolist() == pytest.approx([lowest] * 3)


@pytest.mark.parametrize(
    ("fractions", "times"),
    [((0.4, 0.5, 0.7, 0.8, 1.0), [2]), ((0.15, 0.2, 0.3, 0.5, 1.0), [2, 5]), (FRACTIONS, [2, 5, 10])],
)
def test_no_curve_goes_further_than_it_came(fractions: tuple[float, ...], times: list[float]) -> None:
    tables = found(runs_of("scratch", power_law(0.9, 0.1, 0.5, fractions), fractions))
    assert tables["more_labels"]["times"].tolist() == times


def test_how_many_labels_scratch_needs_for_the_score_of_transfer() -> None:
    # 0.9 - 0.1 n^-0.5 is 0.85 at four times the recordings, and 0.8 at as many.
    row = needed(power_law(0.87, 0.02, 0.5), SAME_SCORE)
    assert (row["relation"], row["n_scratch"]) == ("equals", pytest.approx(4000, rel=1e-3))
    assert row["times"] == pytest.approx(4, rel=1e-3)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((4, 4), rel=1e-3)
    assert (row["least"], row["most"]) == (0.05, 10)
    for transfer, relation in ((0.97, "more_than"), (0.88, "more_than"), (0.3, "less_than")):
        row = needed(np.full(5, transfer), SAME_SCORE)
        assert row["relation"] == row["ci_low_relation"] == row["ci_high_relation"] == relation
        assert np.isnan(row["times"]) and np.isnan(row["n_scratch"])


def test_where_the_curves_meet() -> None:
    # Of the same exponent: (0.1 - 0.05) / (0.9 - 0.875), squared.
    row = needed(power_law(0.875, 0.05, 0.5), CURVES_MEET)
    assert (row["relation"], row["times"]) == ("equals", pytest.approx(4, rel=1e-2))
    assert needed(power_law(0.95, 0.05, 0.5), CURVES_MEET)["relation"] == "more_than"
    assert needed(power_law(0.85, 0.2, 0.5), CURVES_MEET)["relation"] == "less_than"


def test_few_fractions_have_no_rows_and_the_page_says_how_many_it_takes() -> None:
    tables = found(runs_of("scratch", power_law(0.9, 0.1, 0.5)[:4], FRACTIONS[:4]))
    assert all(table.empty for table in tables.values())
    assert "5 fractions or more" in on_page(tables).values["few"]
    curves = pd.DataFrame(columns=["metric"])
    (text,) = (each.get_text() for each in draw(curves, tables["more_labels"]).texts)
    assert "5 fractions or more" in " ".join(text.split())
    assert all(table.empty for table in compute([], CONFIDENCE, SEED, "moderated").values())


def test_the_page_says_which_curves_the_others_did_not_predict() -> None:
    usual = power_law(0.9, 0.1, 0.5)
    falls = usual - np.array([0, 0, 0, 0, 0.1])
    tables = found([*runs_of("scratch", usual, noise=0.002), *runs_of("finetune-a", falls, noise=0.002)])
    assert tables["withheld"].set_index("arm")["held"].to_dict() == {"scratch": 1, "finetune-a": 0}
    values = on_page(tables).values
    assert "for 1 of 2 curves. Curves that missed it" in values["checked"]
    assert {(row[2], row[-1]) for row in values["exhibit"].table.rows} == {
        ("from scratch", "as predicted"), ("pre-trained on a", "missed"),
    }  # fmt: skip
    assert len(values["needed"].rows) == 2
