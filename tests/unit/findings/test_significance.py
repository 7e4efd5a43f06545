import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.verdicts import verdicts
from ecgtransfer.errors import InputError
from ecgtransfer.findings.verdicts import SIGNIFICANCE_COLUMNS, significance
from ecgtransfer.statistics.inference import resampled_mean, two_sided_p
from ecgtransfer.statistics.resampling import replicate_draws

CONFIDENCE, MARGIN, SEED = 0.95, 0.01, 3


def p_of(values, resampled):
    draws = resampled_mean(values, resampled, replicate_draws(*resampled.shape, SEED))
    return two_sided_p(draws, values.mean())


def run(arm, values, noise, model="gru"):
    """A run whose macro metrics on the test set are `values` (R,), and `values` plus `noise` (B,) on the resamples."""
    values = np.asarray(values, dtype=float)
    rows = [
        {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
        for replicate, value in enumerate(values)
        for metric in MACRO_METRICS
    ]
    n_train = np.full(len(values), 100)
    resamples = {metric: values[:, None] + noise for metric in MACRO_METRICS}
    return Run("ptbxl", model, arm, 0.1, pd.DataFrame(rows), resamples, n_train, n_train)


def studies(n, n_replicates, n_resamples, seed=0):
    """Runs of many models, from scratch and fine-tuned, with gains from none to plain ones."""
    generator = np.random.default_rng(seed)
    runs = []
    for number in range(n):
        gains = generator.normal(number * 0.03 / n, 0.008, size=n_replicates)
        noise = generator.normal(scale=0.006, size=n_resamples)
        runs += [
            run("scratch", np.full(n_replicates, 0.7), 0.0 * noise, model=f"m{number:02d}"),
            run("finetune-cpsc", 0.7 + gains, noise, model=f"m{number:02d}"),
        ]
    return runs


@pytest.mark.parametrize("n_replicates", [1, 2, 5])
def test_p_is_below_the_level_exactly_where_the_verdict_is_certain(n_replicates):
    runs = studies(16, n_replicates, 400)
    table = significance(runs, CONFIDENCE, MARGIN, SEED)
    said = verdicts(runs, CONFIDENCE, MARGIN, SEED)
    assert list(table) == SIGNIFICANCE_COLUMNS
    shared = [*SIGNIFICANCE_COLUMNS[: SIGNIFICANCE_COLUMNS.index("metric") + 1], "delta", "ci_low", "ci_high"]
    pd.testing.assert_frame_equal(table[shared], said[shared])
    certain = said["verdict"].isin(["helps", "hurts"])
    assert 0 < certain.sum() < len(said)
    assert ((table["p_value"] < 1 - CONFIDENCE) == certain).all()


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_p_tells_whether_the_interval_of_any_higher_confidence_excludes_no_difference(confidence):
    for seed in range(8):
        generator = np.random.default_rng(seed)
        gains = generator.normal(0.02, 0.01, size=4)
        resampled = gains[:, None] + generator.normal(scale=0.004, size=1000)
        p = p_of(gains, resampled)
        runs = [run("scratch", np.zeros(4), np.zeros(1000)), run("finetune-x", gains, resampled - gains[:, None])]
        said = verdicts(runs, confidence, MARGIN, SEED).iloc[0]
        assert (p < 1 - confidence) == (said["ci_low"] > 0 or said["ci_high"] < 0)


def test_where_patients_do_not_vary_p_is_that_of_students_test_in_its_tails_too():
    # At 1 % with four replicates, t is 2.3 times as far out as a normal quantile.
    for gains in np.random.default_rng(1).normal(0.02, 0.01, size=(50, 4)):
        expected = stats.ttest_1samp(gains, 0).pvalue
        assert p_of(gains, np.tile(gains[:, None], 20_000)) == pytest.approx(expected, rel=0.05, abs=0.001)


def test_of_test_patients_alone_p_is_the_share_of_draws_beyond_no_difference():
    draws = np.random.default_rng(2).normal(0.01, 0.005, size=4000)
    p = p_of(np.array([0.01]), draws[None])
    assert p == pytest.approx(2 * np.mean(draws < 0), rel=0.02)
    assert p == pytest.approx(2 * stats.norm.sf(2), rel=0.15)


def test_no_p_is_smaller_than_the_draws_can_show():
    p = p_of(np.full(3, 0.05), np.full((3, 999), 0.05))
    assert p == pytest.approx(2 / 1000, abs=2e-6)


def test_p_is_adjusted_for_all_rows_of_its_metric():
    table = significance(studies(12, 3, 1000), CONFIDENCE, MARGIN, SEED)
    for _, rows in table.groupby("metric"):
        p = rows["p_value"].to_numpy()
        order = np.argsort(p, kind="stable")
        expected, reached = {}, 0.0
        for place, row in enumerate(order):
            reached = max(reached, min(1.0, (len(p) - place) * p[row]))
            expected[row] = reached
        np.testing.assert_allclose(rows["p_holm"], [expected[row] for row in range(len(p))], atol=2e-5)
    assert (table["p_holm"] >= table["p_value"]).all()


def test_equivalence_is_two_one_sided_tests_at_5_percent():
    # One replicate and normal patients: shown exactly where delta +- 1.645 sd lies within the margin.
    noise = stats.norm.ppf((np.arange(2000) + 0.5) / 2000, scale=0.004)
    for delta, expected in {0.0: 1, 0.003: 1, 0.0038: 0, -0.003: 1, -0.0038: 0}.items():
        runs = [run("scratch", [0.7], 0 * noise), run("finetune-cpsc", [0.7 + delta], noise)]
        assert significance(runs, CONFIDENCE, MARGIN, SEED)["equivalent"].tolist() == [expected] * len(MACRO_METRICS)


def test_resamples_without_any_label_are_not_counted():
    noise = np.random.default_rng(4).normal(scale=0.01, size=200)
    runs = [run("scratch", [0.7, 0.7], noise), run("finetune-cpsc", [0.72, 0.74], noise)]
    runs[0].resamples["macro_auroc"][0, :3] = np.nan
    runs[1].resamples["macro_auroc"][1, 2:5] = np.nan
    table = significance(runs, CONFIDENCE, MARGIN, SEED).set_index("metric")
    assert table.loc["macro_auroc", "n_resamples_valid"] == 195
    assert table.loc["macro_f1", "n_resamples_valid"] == 200


def test_without_scores_nothing_is_tested():
    runs = [run("scratch", [np.nan] * 2, np.zeros(50)), run("finetune-cpsc", [np.nan] * 2, np.zeros(50))]
    table = significance(runs, CONFIDENCE, MARGIN, SEED)
    assert table[["p_value", "p_holm", "delta"]].isna().all(axis=None)
    assert (table["equivalent"] == 0).all()
    assert (table["n_resamples_valid"] == 0).all()


def test_a_missing_partner_is_refused_and_a_study_without_transfer_is_empty():
    scratch, transfer = run("scratch", [0.7], np.zeros(9)), run("finetune-cpsc", [0.7], np.zeros(9))
    with pytest.raises(InputError, match="no run from scratch"):
        significance([transfer], CONFIDENCE, MARGIN, SEED)
    assert list(significance([scratch], CONFIDENCE, MARGIN, SEED)) == SIGNIFICANCE_COLUMNS
