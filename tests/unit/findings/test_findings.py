import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import CHALLENGE_SCORE, MACRO_METRICS
from ecgtransfer.compare.verdicts import VERDICT_COLUMNS, verdicts
from ecgtransfer.errors import InputError
from ecgtransfer.findings.curves import CURVE_COLUMNS, learning_curves

N_RESAMPLES, CONFIDENCE, MARGIN, SEED = 400, 0.95, 0.01, 3


def run(arm, values, noise, fraction=0.1, target="ptbxl", model="gru", n_train=None):
    """A run whose macro metrics on the test set are `values` (R,), and `values` plus `noise` (B,) on the resamples."""
    values = np.asarray(values, dtype=float)
    # Rows from scratch are in reverse order, and label rows next to them must not be taken for macro rows.
    rows = [
        {"replicate": replicate, "label": label, "metric": metric, "value": values[replicate] if macro else 0.0}
        for replicate in range(len(values))[:: -1 if arm == "scratch" else 1]
        for label, metric, macro in [("AF", "auroc", False)] + [("macro", metric, True) for metric in MACRO_METRICS]
    ]
    n_train = np.full(len(values), 100) if n_train is None else np.asarray(n_train)
    resamples = {metric: values[:, None] + noise for metric in MACRO_METRICS}
    return Run(target, model, arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train // 2)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(scale=0.02, size=N_RESAMPLES)


def test_a_curve_point_is_the_mean_over_replicates_with_its_interval_around_it(noise):
    values = np.array([0.70, 0.74, 0.75])
    curves = learning_curves([run("scratch", values, noise, n_train=[99, 101, 102])], CONFIDENCE, SEED)
    assert list(curves) == CURVE_COLUMNS
    assert curves["metric"].tolist() == sorted(MACRO_METRICS)
    row = curves.iloc[0]
    assert row["score"] == pytest.approx(0.73)
    assert row["replicate_sd"] == pytest.approx(values.std(ddof=1), abs=1e-6)
    assert (row["n_train"], row["n_train_patients"], row["n_replicates"]) == (101, 50, 3)
    # Half the width: the quantile of Student's t of the replicates plus a normal variable of the patients.
    of_replicates = values.std(ddof=1) / np.sqrt(3) * t.rvs(2, size=400_000, random_state=1)
    half = np.quantile(of_replicates + norm.rvs(scale=0.02, size=400_000, random_state=2), 0.975)
    assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(half, rel=0.1)


def test_an_interval_of_a_score_stays_within_zero_and_one(noise):
    curves = learning_curves([run("scratch", [0.99, 0.999, 0.92], noise)], CONFIDENCE, SEED)
    assert (curves["ci_high"] == 1.0).all()
    assert (curves["ci_low"] > 0.5).all()


def test_a_further_metric_is_reported_where_runs_have_it_and_may_be_negative(noise):
    def scored(arm, value):
        each = run(arm, [0.7, 0.7], noise)
        rows = [{"replicate": r, "label": "macro", "metric": CHALLENGE_SCORE, "value": value} for r in range(2)]
        each.scores.loc[len(each.scores)], each.scores.loc[len(each.scores) + 1] = rows
        each.resamples[CHALLENGE_SCORE] = np.full((2, N_RESAMPLES), value)
        return each

    runs = [scored("scratch", -0.2), scored("finetune-cpsc", 0.1)]
    curves = learning_curves(runs, CONFIDENCE, SEED).set_index(["arm", "metric"])
    assert curves.loc[("scratch", CHALLENGE_SCORE), ["score", "ci_low", "ci_high"]].tolist() == [-0.2] * 3
    found = verdicts(runs, CONFIDENCE, 0.01, SEED).set_index("metric").loc[CHALLENGE_SCORE]
    assert (found["delta"], found["verdict"]) == (pytest.approx(0.3), "helps")
    with pytest.raises(InputError, match="resamples differ in number or metrics"):
        verdicts([runs[0], run("finetune-cpsc", [0.7, 0.7], noise)], CONFIDENCE, 0.01, SEED)


def test_one_replicate_has_no_standard_deviation(noise):
    curves = learning_curves([run("scratch", [0.8], noise)], CONFIDENCE, SEED)
    assert curves["replicate_sd"].isna().all()
    np.testing.assert_allclose(curves["ci_low"], np.quantile(0.8 + noise, 0.025, method="weibull"), atol=1e-6)


@pytest.mark.parametrize(
    ("arm", "source"),
    [
        ("scratch", ""),
        ("finetune-sim-hospital", "sim-hospital"),
        ("probe-sim-hospital-shuffled", "sim-hospital-shuffled"),
        ("partial:2-georgia+ningbo", "georgia+ningbo"),
    ],
)
def test_the_source_is_read_from_the_arm(arm, source, noise):
    assert (learning_curves([run(arm, [0.8], noise)], CONFIDENCE, SEED)["source"] == source).all()


def test_pairs_share_patients_and_replicates(noise):
    # Replicates and resamples vary a lot, the difference of the pair not at all: only pairing makes it certain.
    values = np.array([0.60, 0.70, 0.80])
    scratch, transfer = run("scratch", values, noise), run("finetune-cpsc", values + 0.02, noise)
    table = verdicts([scratch, transfer], CONFIDENCE, MARGIN, SEED)
    assert list(table) == VERDICT_COLUMNS
    assert len(table) == len(MACRO_METRICS)
    row = table.iloc[0]
    assert (row["target"], row["source"], row["model"], row["arm"]) == ("ptbxl", "cpsc", "gru", "finetune-cpsc")
    assert (row["fraction"], row["n_train"], row["metric"]) == (0.1, 100, "macro_auprc")
    assert (row["scratch"], row["transfer"]) == (0.7, 0.72)
    assert (row["delta"], row["ci_low"], row["ci_high"]) == pytest.approx((0.02, 0.02, 0.02))
    assert (table["verdict"] == "helps").all()


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.10, 0.11, 0.12, 0.10, 0.11], "helps"),
        ([-0.10, -0.11, -0.12, -0.10, -0.11], "hurts"),
        ([0.001, -0.001, 0.002, -0.002, 0.0], "equivalent"),
        ([0.10, -0.11, 0.12, -0.10, 0.05], "undecided"),
    ],
)
def test_each_verdict_can_be_reached(differences, expected, noise):
    scratch = run("scratch", np.full(5, 0.7), noise)
    transfer = run("finetune-cpsc", 0.7 + np.array(differences), noise)
    table = verdicts([scratch, transfer], CONFIDENCE, MARGIN, SEED)
    assert table["verdict"].tolist() == [expected] * len(MACRO_METRICS)
    assert ((table["ci_low"] <= table["delta"]) & (table["delta"] <= table["ci_high"])).all()


def test_replicates_without_any_label_to_evaluate_are_undecided_not_an_error(noise):
    scratch, transfer = run("scratch", [np.nan, np.nan], noise), run("finetune-cpsc", [np.nan, np.nan], noise)
    table = verdicts([scratch, transfer], CONFIDENCE, MARGIN, SEED)
    assert (table["verdict"] == "undecided").all()
    assert learning_curves([scratch], CONFIDENCE, SEED)[["score", "ci_low", "ci_high"]].isna().all(axis=None)


def test_each_run_meets_the_scratch_run_of_its_own_cell_and_rows_are_sorted(noise):
    cells = [
        (target, model, fraction) for target in ("b", "a") for model in ("gru", "cnn") for fraction in (1.0, 0.1, 0.02)
    ]
    runs, expected = [], {}
    for number, (target, model, fraction) in enumerate(cells):
        cell = {"target": target, "model": model, "fraction": fraction}
        runs.append(run("finetune-z", [0.7 + number / 1000] * 2, noise, **cell))
        runs.append(run("finetune-y", [0.6] * 2, noise, **cell))
        runs.append(run("scratch", [0.5] * 2, noise, **cell))
        expected[target, "z", model, fraction] = 0.2 + number / 1000
        expected[target, "y", model, fraction] = 0.1
    table = verdicts(runs, CONFIDENCE, MARGIN, SEED)
    table = table[table["metric"] == "macro_auroc"]
    keys = list(table[["target", "source", "model", "fraction"]].itertuples(index=False, name=None))
    assert keys == sorted(expected)
    assert table["delta"].tolist() == pytest.approx([expected[key] for key in sorted(expected)])
    shuffled = verdicts(runs[::-1], CONFIDENCE, MARGIN, SEED)
    pd.testing.assert_frame_equal(shuffled, verdicts(runs, CONFIDENCE, MARGIN, SEED))


def test_a_study_without_transfer_has_an_empty_table_with_its_columns(noise):
    assert list(verdicts([run("scratch", [0.8], noise)], CONFIDENCE, MARGIN, SEED)) == VERDICT_COLUMNS


@pytest.mark.parametrize(
    ("scratch", "message"),
    [
        ({"fraction": 0.2}, "ptbxl/gru/finetune-cpsc/0.1: no run from scratch"),
        ({"n_train": [100, 90, 100]}, "replicates or training subsets differ"),
        ({"values": [0.7, 0.7]}, "replicates or training subsets differ"),
        ({"noise": np.zeros(7)}, "resamples differ in number"),
    ],
)
def test_runs_that_are_no_pair_are_refused_in_one_line(scratch, message, noise):
    partner = run("scratch", **({"values": [0.7, 0.7, 0.7], "noise": noise} | scratch))
    with pytest.raises(InputError, match=message) as caught:
        verdicts([partner, run("finetune-cpsc", [0.8, 0.8, 0.8], noise)], CONFIDENCE, MARGIN, SEED)
    assert "\n" not in str(caught.value)


def test_scores_and_resamples_of_different_runs_are_refused(noise):
    spoiled = run("scratch", [0.7, 0.8], noise)
    spoiled.resamples["macro_auroc"] = spoiled.resamples["macro_auroc"][:1]
    with pytest.raises(InputError, match="2 replicates in the scores, 1 in the resamples"):
        learning_curves([spoiled], CONFIDENCE, SEED)
