"""What a gain is owed to: differences of runs, in closed form, and which runs they are of."""

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.errors import InputError
from ecgtransfer.findings.controls import CONTROL_COLUMNS, GENERAL, LABEL_SPECIFIC, control_gains, draw, on_page

CONFIDENCE, SEED, N_RESAMPLES = 0.95, 1, 500
PATIENTS = np.random.default_rng(0).normal(scale=0.01, size=N_RESAMPLES)


def run(arm: str, scores: list[float], fraction: float = 0.1, target: str = "clinic", of_patients: float = 1) -> Run:
    """Return a run with these scores of its replicates; test patients move all of them alike."""
    values = np.array(scores)
    rows = [
        {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
        for replicate, value in enumerate(values)
        for metric in MACRO_METRICS
    ]
    resamples = dict.fromkeys(MACRO_METRICS, values[:, None] + of_patients * PATIENTS)
    n_train = np.full(len(values), 100)
    return Run(target, "gru", arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train)


def of_arms(**scores: list[float]) -> list[Run]:
    return [run(arm.replace("_", "-"), values) for arm, values in scores.items()]


def test_the_gain_is_parted_in_what_labels_and_signals_bring() -> None:
    runs = of_arms(
        scratch=[0.5, 0.5, 0.5],
        finetune_a=[0.80, 0.82, 0.81],
        finetune_a_shuffled=[0.71, 0.72, 0.70],
        finetune_a_untrained=[0.52, 0.51, 0.50],
    )
    table = control_gains(runs, CONFIDENCE, SEED)
    assert list(table) == CONTROL_COLUMNS
    of_auroc = table[table["metric"] == "macro_auroc"].set_index("gain")
    assert set(table["arm"]) == {"finetune-a"}
    assert of_auroc.loc[LABEL_SPECIFIC, "control"] == "a-shuffled"
    assert of_auroc.loc[LABEL_SPECIFIC, "delta"] == pytest.approx(0.1)
    assert of_auroc.loc[GENERAL, "control"] == "a-untrained"
    assert of_auroc.loc[GENERAL, "delta"] == pytest.approx(0.2)


def test_the_interval_is_students_over_paired_replicates_where_patients_do_not_matter() -> None:
    # 0.09, 0.10, 0.11: standard error 0.01 / sqrt(3), and t is 4.303 with 2 degrees of freedom. Test patients move both
    # runs of a pair alike, so they cancel.
    runs = of_arms(finetune_a=[0.80, 0.82, 0.81], finetune_a_shuffled=[0.71, 0.72, 0.70])
    row = control_gains(runs, CONFIDENCE, SEED).iloc[0]
    half = 4.303 * 0.01 / np.sqrt(3)
    assert row["ci_low"] == pytest.approx(0.1 - half, abs=0.003)
    assert row["ci_high"] == pytest.approx(0.1 + half, abs=0.003)


def test_each_gain_needs_both_of_its_runs() -> None:
    without_shuffled = of_arms(scratch=[0.5, 0.5], finetune_a=[0.6, 0.7], finetune_a_untrained=[0.5, 0.6])
    assert control_gains(without_shuffled, CONFIDENCE, SEED).empty
    assert list(control_gains([], CONFIDENCE, SEED)) == CONTROL_COLUMNS
    other_method = of_arms(**{"partial:2_a": [0.6, 0.7], "finetune_a_shuffled": [0.5, 0.6]})
    assert control_gains(other_method, CONFIDENCE, SEED).empty


def test_controls_of_what_is_not_learnt_by_labels_are_not_looked_for() -> None:
    runs = of_arms(finetune_a_age=[0.6, 0.7], finetune_a_shuffled=[0.5, 0.6], finetune_a_untrained=[0.5, 0.5])
    assert control_gains(runs, CONFIDENCE, SEED).empty


def test_runs_of_other_replicates_are_no_pair() -> None:
    runs = of_arms(finetune_a=[0.6, 0.7, 0.8], finetune_a_shuffled=[0.5, 0.6])
    with pytest.raises(InputError, match="replicates or training subsets differ"):
        control_gains(runs, CONFIDENCE, SEED)


def test_nothing_is_drawn_or_shown_where_a_study_has_no_controls() -> None:
    table = control_gains(of_arms(scratch=[0.5, 0.5]), CONFIDENCE, SEED)
    assert on_page({"controls": table}) is None
    (text,) = (each.get_text() for each in draw(table).texts)
    assert "-untrained" in text
