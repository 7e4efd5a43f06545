import numpy as np
import pandas as pd
import pytest
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from ecgtransfer.compare.label_saving import LABEL_SAVING_COLUMNS, label_savings, recordings_needed
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.verdicts import verdicts
from ecgtransfer.errors import InputError

CONFIDENCE, SEED = 0.95, 3
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
N_ALL = 5000
QUIET = np.zeros(400)


def run(arm, values, noise=QUIET, fraction=0.1, model="gru", n_train=None):
    """A run whose macro metrics on the test set are `values` (R,), and `values` plus `noise` (B,) on the resamples."""
    values = np.atleast_1d(np.asarray(values, dtype=float))
    rows = [
        {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
        for replicate, value in enumerate(values)
        for metric in MACRO_METRICS
    ]
    n_train = np.full(len(values), round(fraction * N_ALL) if n_train is None else n_train)
    resamples = {metric: values[:, None] + noise for metric in MACRO_METRICS}
    return Run("ptbxl", model, arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train)


def curve(scores, noise=QUIET, fractions=FRACTIONS):
    return [run("scratch", score, noise, fraction) for fraction, score in zip(fractions, scores, strict=True)]


def only_row(runs, **where):
    table = label_savings(runs, CONFIDENCE, SEED)
    assert list(table) == LABEL_SAVING_COLUMNS
    table = table[table["metric"] == "macro_auroc"]
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


def logistic(n):
    """A learning curve from 0.5 to 0.95, steepest at 400 recordings."""
    return 0.5 + 0.45 * expit(1.2 * np.log(np.asarray(n) / 400))


def recordings_at(score):
    return 400 * np.exp(logit((score - 0.5) / 0.45) / 1.2)


@pytest.mark.parametrize("truth", [1.5, 3.0, 7.0])
def test_the_saving_is_read_off_a_curve_of_known_shape(truth):
    scratch = curve([logistic(fraction * N_ALL) for fraction in FRACTIONS])
    row = only_row([*scratch, run("finetune-cpsc", logistic(truth * 0.1 * N_ALL))])
    assert row["relation"] == row["ci_low_relation"] == row["ci_high_relation"] == "equals"
    assert row["saving"] == pytest.approx(truth, rel=0.02)
    assert row["n_scratch"] == pytest.approx(truth * 500, rel=0.02)
    assert row["ci_low"] == row["ci_high"] == row["saving"]  # nothing varies
    assert (row["least"], row["most"]) == (0.2, 10)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(5)
    truth, held = 3.0, 0
    for _ in range(60):
        test_set, subsets = generator.normal(scale=0.01), generator.normal(scale=0.004, size=(7, 4))
        resampled = generator.normal(scale=0.01, size=300)  # shared by all runs, so it cancels as the test set does

        def noisy(n, number, test_set=test_set, subsets=subsets):
            return logistic(n) + test_set + subsets[number]

        scratch = curve([noisy(f * N_ALL, number) for number, f in enumerate(FRACTIONS)], resampled)
        row = only_row([*scratch, run("finetune-cpsc", noisy(truth * 500, 6), resampled)])
        assert row["ci_low"] < row["saving"] < row["ci_high"]
        held += row["ci_low"] <= truth <= row["ci_high"]
    assert held >= 54  # of 60: at 95 %, fewer come in 1 of 100 such tests


def test_where_a_point_of_the_curve_has_the_same_score_its_recordings_are_the_answer():
    scratch = curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9])
    for score, n_scratch in zip([0.6, 0.65, 0.7, 0.8, 0.85, 0.9], FRACTIONS, strict=True):
        row = only_row([*scratch, run("finetune-cpsc", score)])
        assert (row["relation"], row["n_scratch"]) == ("equals", pytest.approx(n_scratch * N_ALL, abs=1e-5))
        assert row["saving"] == pytest.approx(n_scratch * 10, abs=1e-5)


def test_between_two_points_the_curve_is_straight_in_the_logarithm_of_recordings():
    scratch = curve([0.6, 0.8], fractions=(0.1, 1.0))
    row = only_row([*scratch, run("finetune-cpsc", 0.7)])
    assert row["n_scratch"] == pytest.approx(np.sqrt(500 * 5000), rel=1e-6)


def test_the_interval_is_that_of_the_score_read_off_the_curve():
    noise = np.random.default_rng(4).normal(scale=0.01, size=400)
    row = only_row([*curve([0.6, 0.8], fractions=(0.1, 1.0)), run("finetune-cpsc", 0.7, noise)])
    low, high = np.quantile(0.7 + noise, [0.025, 0.975], method="weibull")
    expected = [10 ** ((score - 0.6) / 0.2) for score in (low, high)]  # ten times the recordings for 0.2 more
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(expected, rel=0.02)


def test_beyond_the_curve_there_is_a_bound_and_no_number():
    scratch = curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9])
    above, below = (only_row([*scratch, run("finetune-cpsc", score)]) for score in (0.91, 0.59))
    assert (above["relation"], above["ci_low_relation"], above["ci_high_relation"]) == ("more_than",) * 3
    assert (below["relation"], below["ci_low_relation"], below["ci_high_relation"]) == ("less_than",) * 3
    for row in (above, below):
        assert all(np.isnan(row[name]) for name in ("saving", "n_scratch", "ci_low", "ci_high"))
        assert (row["least"], row["most"]) == (0.2, 10)


def test_an_end_of_the_interval_alone_can_be_open():
    scratch = curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9])
    noise = np.random.default_rng(0).normal(scale=0.03, size=400)
    row = only_row([*scratch, run("finetune-cpsc", 0.88, noise)])
    assert (row["relation"], row["ci_low_relation"], row["ci_high_relation"]) == ("equals", "equals", "more_than")
    assert 1 < row["ci_low"] < row["saving"]
    assert np.isnan(row["ci_high"])
    row = only_row([*scratch, run("finetune-cpsc", 0.62, noise)])
    assert (row["relation"], row["ci_low_relation"], row["ci_high_relation"]) == ("equals", "less_than", "equals")


def test_that_there_is_a_saving_is_certain_exactly_where_the_verdict_is():
    noise = np.random.default_rng(1).normal(scale=0.005, size=400)
    scratch = curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9])
    for delta in (-0.03, -0.005, 0.005, 0.03):
        runs = [*scratch, run("finetune-cpsc", 0.7 + delta, noise)]
        verdict = verdicts(runs, CONFIDENCE, 0.001, SEED).set_index("metric").loc["macro_auroc", "verdict"]
        row = only_row(runs)
        assert (row["ci_low"] > 1) == (verdict == "helps")
        assert (row["ci_high"] < 1) == (verdict == "hurts")


def test_a_run_as_good_as_scratch_saves_nothing():
    noise = np.random.default_rng(2).normal(scale=0.02, size=400)
    scratch = curve([[0.6, 0.7], [0.65, 0.75], [0.7, 0.8], [0.8, 0.9], [0.85, 0.95], [0.9, 1.0]], noise)
    for fraction, partner in zip(FRACTIONS, scratch, strict=True):
        same = run("finetune-cpsc", partner.macro_scores("macro_auroc"), noise, fraction)
        row = only_row([*scratch, same])
        assert (row["saving"], row["ci_low"], row["ci_high"]) == pytest.approx((1, 1, 1), abs=1e-6)


def test_a_level_curve_is_reached_with_the_fewest_recordings():
    row = only_row([*curve([0.7] * 6), run("finetune-cpsc", 0.7)])
    assert (row["relation"], row["n_scratch"]) == ("equals", 100)


def test_a_curve_of_one_fraction_only_knows_more_less_or_the_same():
    relations = [only_row([run("scratch", 0.7), run("finetune-cpsc", score)])["relation"] for score in (0.6, 0.7, 0.8)]
    assert relations == ["less_than", "equals", "more_than"]


def test_fractions_with_the_same_recordings_are_one_point():
    scratch = [run("scratch", score, fraction=f, n_train=n) for f, score, n in [(0.1, 0.7, 9), (0.2, 0.7, 9)]]
    scratch.append(run("scratch", 0.8, fraction=1.0, n_train=90))
    row = only_row([*scratch, run("finetune-cpsc", 0.75, fraction=0.1, n_train=9)])
    assert row["saving"] == pytest.approx(np.sqrt(10), rel=1e-6)


def test_a_falling_curve_is_made_level_by_least_squares():
    generator = np.random.default_rng(7)
    sizes = np.array([100, 200, 500, 1000, 3000])
    falling = generator.uniform(0.6, 0.9, size=(5, 400))
    fitted = np.stack([isotonic_regression(column).x for column in falling.T], axis=1)
    scores = generator.uniform(0.6, 0.9, size=400)
    found = recordings_needed(sizes, falling, scores)
    np.testing.assert_allclose(found, recordings_needed(sizes, fitted, scores), rtol=1e-9)
    np.testing.assert_array_equal(found == 0, scores < fitted[0])
    np.testing.assert_array_equal(np.isinf(found), scores > fitted[-1])
    inside = np.isfinite(found) & (found > 0)
    assert inside.sum() > 50
    for place, score, column in zip(found[inside], scores[inside], fitted[:, inside].T, strict=True):
        below, above = column[sizes <= place * (1 - 1e-9)], column[sizes >= place * (1 + 1e-9)]
        assert (below <= score + 1e-9).all()
        assert (above >= score - 1e-9).all()


def test_scores_that_are_missing_leave_nothing_to_say():
    row = only_row([*curve([np.nan] * 6), run("finetune-cpsc", np.nan)])
    assert (row["relation"], row["ci_low_relation"], row["ci_high_relation"]) == ("", "", "")
    assert np.isnan(row["saving"])


def test_resamples_without_a_score_are_left_out():
    noise = np.zeros(400)
    noise[::2] = np.nan
    row = only_row([*curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9], noise), run("finetune-cpsc", 0.8, noise)])
    assert (row["saving"], row["ci_low"], row["ci_high"]) == pytest.approx((2, 2, 2))


def test_every_model_has_its_own_curve_and_the_order_of_runs_does_not_matter():
    runs = [*curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9]), run("finetune-cpsc", 0.8)]
    runs += [run("scratch", score, fraction=f, model="cnn") for f, score in [(0.1, 0.7), (1.0, 0.8)]]
    runs += [run("probe-cpsc", 0.8, model="cnn")]
    table = label_savings(runs, CONFIDENCE, SEED)
    assert table["model"].tolist() == ["cnn"] * len(MACRO_METRICS) + ["gru"] * len(MACRO_METRICS)
    assert table["saving"].tolist() == pytest.approx([10] * len(MACRO_METRICS) + [2] * len(MACRO_METRICS))
    pd.testing.assert_frame_equal(label_savings(runs[::-1], CONFIDENCE, SEED), table)


def test_a_study_without_transfer_has_an_empty_table():
    table = label_savings(curve([0.6, 0.65, 0.7, 0.8, 0.85, 0.9]), CONFIDENCE, SEED)
    assert list(table) == LABEL_SAVING_COLUMNS
    assert table.empty


def test_curves_of_unlike_points_are_refused_in_one_line():
    scratch = [run("scratch", 0.7), run("scratch", [0.8, 0.8], fraction=1.0)]
    with pytest.raises(InputError, match="numbers of replicates and resamples differ") as caught:
        label_savings([*scratch, run("finetune-cpsc", 0.75)], CONFIDENCE, SEED)
    assert "\n" not in str(caught.value)
