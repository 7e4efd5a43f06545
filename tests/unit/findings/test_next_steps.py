"""What would decide: whether it does so when it is there, and what is said of what cannot be decided."""

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.verdicts import verdicts
from ecgtransfer.findings.next_steps import NEXT_STEPS_COLUMNS, next_steps, on_page

CONFIDENCE, MARGIN, SEED, N_RESAMPLES = 0.95, 0.01, 1, 400
PATIENTS, SECONDS = {"clinic": 200}, 60.0


def runs_of(gains: np.ndarray, of_patients: float, source: str = "a") -> list[Run]:
    """Return a run from scratch, and one that gains so much in each replicate; patients move the gains alike."""
    moved = of_patients * np.random.default_rng(0).normal(size=N_RESAMPLES)

    def run(arm: str, values: np.ndarray, resampled: np.ndarray) -> Run:
        rows = [
            {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
            for replicate, value in enumerate(values)
            for metric in MACRO_METRICS
        ]
        n_train = np.full(len(values), 100)
        return Run(
            "clinic", "gru", arm, 0.1, pd.DataFrame(rows), dict.fromkeys(MACRO_METRICS, resampled), n_train, n_train
        )

    scratch = np.full(len(gains), 0.6)
    plain = np.full((len(gains), N_RESAMPLES), 0.6)
    return [
        run("scratch", scratch, plain),
        run(f"finetune-{source}", scratch + gains, plain + gains[:, None] + moved),
    ]


def found(gains: np.ndarray, of_patients: float, source: str = "a") -> pd.DataFrame:
    return next_steps(runs_of(gains, of_patients, source), PATIENTS, SECONDS, CONFIDENCE, MARGIN, SEED)


def spread_about(mean: float, deviation: float, n: int) -> np.ndarray:
    """Return n gains with exactly this mean and standard deviation."""
    gains = np.random.default_rng(3).normal(size=n)
    return mean + deviation * (gains - gains.mean()) / gains.std(ddof=1)


@pytest.mark.parametrize(
    ("mean", "deviation", "outcome"), [(0.05, 0.06, "helps"), (-0.05, 0.06, "hurts"), (0.001, 0.02, "equivalent")]
)
def test_so_many_replicates_do_decide(mean: float, deviation: float, outcome: str) -> None:
    (row,) = found(spread_about(mean, deviation, 3), 0.001).itertuples()
    assert row.outcome == outcome
    assert row.n_replicates_needed > 3
    assert row.seconds == (row.n_replicates_needed - row.n_replicates) * SECONDS
    words = {
        n: verdicts(runs_of(spread_about(mean, deviation, n), 0.001), CONFIDENCE, MARGIN, SEED).set_index("metric")
        for n in (row.n_replicates_needed - 3, row.n_replicates_needed + 2)  # as good as draws let it be known
    }
    said = [table.loc["macro_auroc", "verdict"] for table in words.values()]
    assert said == ["undecided", outcome]


def test_where_patients_leave_too_much_it_says_how_many_would_do() -> None:
    (row,) = found(spread_about(0.05, 0.02, 5), 0.05).itertuples()
    assert pd.isna(row.n_replicates_needed) and pd.isna(row.seconds)
    assert row.outcome == "helps"
    # 1.96 standard deviations of 0.05 must come down to 0.05, and a little is left to replicates: some 4 times as many.
    assert 1.96**2 * 200 < row.n_test_patients_needed < 1.5 * 1.96**2 * 200
    part = on_page({"next_steps": found(spread_about(0.05, 0.02, 5), 0.05)})
    assert part is not None
    assert "no number of replicates would decide" in part.values["patients"]


def test_what_is_decided_and_what_is_a_control_needs_nothing() -> None:
    for table in (found(spread_about(0.3, 0.02, 5), 0.01), found(spread_about(0.05, 0.1, 5), 0.01, "a-untrained")):
        assert table.empty
        assert list(table) == NEXT_STEPS_COLUMNS
        assert on_page({"next_steps": table}) is None


def test_one_replicate_tells_nothing_of_more() -> None:
    (row,) = found(np.array([0.05]), 0.05).itertuples()
    assert row.outcome == ""
    assert pd.isna(row.n_replicates_needed) and pd.isna(row.n_test_patients_needed)


def test_the_page_names_the_line_to_write() -> None:
    part = on_page({"next_steps": found(spread_about(0.05, 0.06, 3), 0.001)})
    assert part is not None
    assert part.values["config"] > 3
    assert part.values["sentence"].startswith(
        f"{part.values['config']} replicates in place of 3 would decide 1 of the 1"
    )
