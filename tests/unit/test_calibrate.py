"""What `make calibrate` writes: the simulation in small, the gates, error rates by study, the page."""

import numpy as np
import pandas as pd
import pytest
from calibration import continuations
from calibration.__main__ import page
from calibration.studies import config_of, error_rates
from calibration.variances import KINDS, Setting, failures, settings, simulated
from scipy import stats

N_STUDIES = 60


def rows_of(kind: str, patients: float = 1.0) -> dict[str, object]:
    return simulated(Setting(kind, 12, 3, patients), N_STUDIES, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_simulated_studies_hold_the_truth_and_are_narrower(kind: str) -> None:
    row = rows_of(kind)
    assert float(row["coverage"]) > 0.9  # type: ignore[arg-type]
    assert float(row["width"]) < 0.97  # type: ignore[arg-type]
    assert (row["worst_group"] == row["worst_group"]) == (kind == "groups")
    assert (row["odd"] == row["odd"]) == (kind == "odd")


def test_the_same_numbers_each_time() -> None:
    assert rows_of("log-normal") == pytest.approx(rows_of("log-normal"), nan_ok=True)


def test_all_settings_are_different() -> None:
    assert len(set(settings())) == 5 * 4 * 2 * 2


def test_the_gates_name_what_does_not_pass() -> None:
    passing = {"variances": "equal", "comparisons": 4, "replicates": 3, "coverage": 0.95, "worst_group": np.nan}
    table = pd.DataFrame(
        [passing | {"helps": 0.02}, passing | {"helps": 0.04}, passing | {"coverage": 0.9, "helps": 0}]
    )
    assert failures(table) == [
        "equal, 4 comparisons, 3 replicates: coverage 0.900",
        "equal, 4 comparisons, 3 replicates: helps 0.040",
    ]


def continued(kind: str, n_studies: int = 12) -> dict[str, object]:
    return continuations.simulated(continuations.Setting(kind, 5, 3), n_studies, seed=1)


def test_intervals_of_continued_curves_hold_what_is_reached_if_these_are_power_laws() -> None:
    row = continued("power law")
    for name in ("2x", "5x", "10x", "withheld"):
        assert float(row[name]) > 0.85  # type: ignore[arg-type]
    assert row == continued("power law")
    # Half way through, nothing shows where a logistic curve ends.
    assert float(continued("logistic")["10x"]) < float(row["10x"])  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", continuations.KINDS)
def test_true_curves_start_where_they_should_and_rise_to_their_asymptotes(kind: str) -> None:
    times = np.array([0.01, 0.1, 0.5, 1, 10, 1e12])
    for seed in range(20):
        scores = continuations.true_scores(kind, times[0], times, np.random.default_rng(seed))
        assert 0.55 <= scores[0] <= 0.8
        assert (np.diff(scores) >= 0).all()
        assert 0.82 < scores[-1] <= 1


def test_the_gate_of_continued_curves_is_for_power_laws_alone_and_for_all_their_settings() -> None:
    def row(kind: str, coverage: float) -> dict[str, object]:
        return {"curve": kind, "2x": coverage, "5x": 0.95, "10x": 0.95}

    table = pd.DataFrame([row("power law", 0.98), row("power law", 0.95), row("logistic", 0.2)])
    assert continuations.failures(table) == []
    table = pd.DataFrame([row("power law", 0.98), row("slow power law", 0.89)])
    assert continuations.failures(table) == ["power law, 2x: 0.980", "slow power law, 2x: 0.890"]


def verdicts(*words: str) -> pd.DataFrame:
    """Return verdicts of macro AUROC, and of another metric, which do not count."""
    ends = {"helps": (0.1, 0.2), "hurts": (-0.2, -0.1), "undecided": (-0.1, 0.1)}
    rows = [
        {"metric": "macro_auroc", "verdict": word, "fraction": 1.0, "model": "gru", "ci_low": low, "ci_high": high}
        for word in words
        for low, high in [ends[word]]
    ]
    return pd.DataFrame([*rows, {**rows[0], "metric": "macro_f1", "verdict": "helps"}])


def test_error_rates_have_students_interval_over_studies() -> None:
    found = error_rates(
        {
            "a": verdicts("helps", "undecided", "undecided", "undecided"),
            "b": verdicts("undecided", "undecided", "undecided", "hurts"),
            "c": verdicts("undecided", "undecided", "undecided", "undecided"),
        }
    ).set_index("comparisons of")
    assert list(found.index) == ["all", "fraction 1", "gru"]
    row = found.loc["all"]
    assert (row["comparisons"], row["studies"]) == (12, 3)
    assert row["helps"] == pytest.approx(1 / 12)
    assert row["covered"] == pytest.approx(10 / 12)
    half = stats.sem([0.25, 0, 0]) * stats.t(2).ppf(0.975)
    assert row["helps_high"] == pytest.approx(1 / 12 + half)
    assert row["helps_low"] == 0


def test_every_study_has_its_own_seeds() -> None:
    seeds = [
        {*(entry["seed"] for entry in config["simulate"].values())}
        | {config[section]["seed"] for section in ("splits", "transfer", "pretrain", "score", "compare")}
        for config in map(config_of, (1, 2, 3))
    ]
    assert not (seeds[0] & seeds[1] or seeds[1] & seeds[2] or seeds[0] & seeds[2])


def test_the_page_holds_all_tables() -> None:
    variances = pd.DataFrame([rows_of("equal")])
    curves = pd.DataFrame([continued("power law", 2)])
    rates = error_rates({"a": verdicts("helps", "undecided"), "b": verdicts("undecided", "undecided")})
    text = page(variances, curves, rates)
    assert "| all | 4 | 2 | 25.0% [0.0%, 100.0%] |" in text
    assert f"| equal | 12 | 3 | 1.0 | {float(variances['coverage'].iloc[0]):.1%} |" in text
    assert f"| power law | 5 | 3 | {float(curves['2x'].iloc[0]):.1%} |" in text
    assert "All of them pass." in text
