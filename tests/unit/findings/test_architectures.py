import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from ecgtransfer.arms import Cell
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.errors import InputError
from ecgtransfer.findings.architectures import ARCHITECTURE_COLUMNS, SHARE_COLUMNS, architectures, transferred_shares

N_RESAMPLES, CONFIDENCE, SEED = 400, 0.95, 3
FAMILIES = {"resnet": "convolutional", "inception": "convolutional", "gru": "recurrent", "lstm": "recurrent"}
FAMILIES |= {"gru-pooled": "recurrent", "s4d": "state space"}
HEADS = {"gru": {"head": "flatten"}, "gru-pooled": {"of": "gru", "head": "pool"}}  # lstm is not listed
SHARES = {
    "resnet": 0.99,
    "inception": 0.97,
    "gru": 0.07,
    "lstm": 0.09,
    "gru-pooled": 0.9,
    "s4d": 0.9,
    "patch_transformer": 0.5,
}


def run(model, arm, values, noise=None, fraction=0.1, n_train=100):
    values = np.asarray(values, dtype=float)
    rows = [
        {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
        for replicate, value in enumerate(values)
        for metric in MACRO_METRICS
    ]
    resampled = values[:, None] + (np.zeros(N_RESAMPLES) if noise is None else noise)
    n_train = np.full(len(values), n_train)
    resamples = dict.fromkeys(MACRO_METRICS, resampled)
    return Run("ptbxl", model, arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train)


def pair(model, scratch, gains, scratch_noise=None, noise=None, **cell):
    """A model's runs from scratch and with transferred weights, which gain so much in each replicate."""
    scratch, gains = np.asarray(scratch), np.asarray(gains)
    return [
        run(model, "scratch", scratch, scratch_noise, **cell),
        run(model, "finetune-cpsc", scratch + gains, noise, **cell),
    ]


def shares_of(runs):
    metadata = {
        Cell(each.target, each.model, each.arm, each.fraction): {
            "options": HEADS.get(each.model, {}),
            "replicates": [
                {
                    "transferred_weights": round(1000 * SHARES[each.model]),
                    "new_weights": round(1000 - 1000 * SHARES[each.model]),
                }
            ],
        }
        for each in runs
    }
    return transferred_shares(metadata, FAMILIES)


def compared(runs):
    table = architectures(runs, FAMILIES, shares_of(runs), CONFIDENCE, SEED)
    assert list(table) == ARCHITECTURE_COLUMNS
    return table


def test_what_varies_with_the_replicate_alone_cancels():
    # Gains vary a lot between replicates, their difference between families does not.
    luck = np.array([0.00, 0.05, 0.10])
    noise = np.random.default_rng(0).normal(scale=0.03, size=N_RESAMPLES)
    runs = pair("resnet", [0.7, 0.6, 0.8], luck + 0.06, noise, 2 * noise)
    runs += pair("gru", [0.5, 0.9, 0.6], luck + 0.02, noise, 2 * noise)
    table = compared(runs)
    assert table["metric"].tolist() == sorted(MACRO_METRICS)
    row = table.iloc[0]
    assert (row["target"], row["source"], row["arm"], row["fraction"], row["n_train"]) == (
        *("ptbxl", "cpsc", "finetune-cpsc", 0.1, 100),
    )
    assert (row["convolutional_delta"], row["recurrent_delta"]) == pytest.approx((0.11, 0.07))
    assert (row["difference"], row["ci_low"], row["ci_high"]) == pytest.approx((0.04, 0.04, 0.04))


def test_a_family_gains_the_mean_over_its_models_and_others_are_left_out():
    runs = pair("resnet", [0.7], [0.06]) + pair("inception", [0.7], [0.02])
    runs += pair("lstm", [0.7], [0.01]) + pair("gru", [0.7], [-0.03]) + pair("s4d", [0.7], [0.2])
    row = compared(runs).iloc[0]
    assert (row["convolutional_models"], row["recurrent_models"]) == ("inception|resnet", "gru|lstm")
    assert (row["convolutional_delta"], row["recurrent_delta"]) == pytest.approx((0.04, -0.01))
    assert row["difference"] == pytest.approx(0.05)
    assert (row["convolutional_share"], row["recurrent_share"]) == pytest.approx((0.98, 0.08))


def test_the_interval_has_the_width_of_independent_noise():
    generator = np.random.default_rng(1)
    noises = generator.normal(scale=0.01, size=(4, N_RESAMPLES))
    gains, others = np.array([0.05, 0.03, 0.07]), np.array([0.02, 0.03, 0.01])
    runs = pair("resnet", [0.7] * 3, gains, *noises[:2]) + pair("gru", [0.7] * 3, others, *noises[2:])
    row = compared(runs).iloc[0]
    of_replicates = (gains - others).std(ddof=1) / np.sqrt(3) * t.rvs(2, size=400_000, random_state=1)
    half = np.quantile(of_replicates + norm.rvs(scale=2 * 0.01, size=400_000, random_state=2), 0.975)
    assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(half, rel=0.15)
    assert row["ci_low"] < row["difference"] < row["ci_high"]


def test_every_fraction_is_compared_for_itself_where_both_families_are():
    runs = pair("resnet", [0.7], [0.06]) + pair("gru", [0.7], [0.02])
    runs += pair("resnet", [0.8], [0.01], fraction=1.0, n_train=1000) + pair(
        "gru", [0.8], [0.03], fraction=1.0, n_train=1000
    )
    runs += pair("resnet", [0.8], [0.01], fraction=0.5, n_train=500)
    table = compared(runs)
    table = table[table["metric"] == "macro_auroc"]
    assert table["fraction"].tolist() == [0.1, 1.0]
    assert table["difference"].tolist() == pytest.approx([0.04, -0.02])
    pd.testing.assert_frame_equal(compared(runs[::-1]), compared(runs))


def test_one_family_alone_gives_an_empty_table():
    table = compared(pair("resnet", [0.7], [0.06]) + pair("s4d", [0.7], [0.06]))
    assert table.empty


def test_a_model_without_a_family_is_left_out():
    runs = pair("resnet", [0.7], [0.06]) + pair("gru", [0.7], [0.02])
    with_another = runs + pair("patch_transformer", [0.7], [0.2])
    pd.testing.assert_frame_equal(compared(with_another), compared(runs))
    assert shares_of(with_another).set_index("model").loc["patch_transformer", "family"] == ""


def test_heads_of_recurrent_models_are_compared_apart():
    runs = pair("resnet", [0.7], [0.06]) + pair("gru", [0.7], [0.01]) + pair("gru-pooled", [0.7], [0.05])
    runs += pair("lstm", [0.7], [0.03])
    table = compared(runs)
    table = table[table["metric"] == "macro_auroc"]
    assert table["recurrent_head"].tolist() == ["flatten", "pool"]
    assert table["recurrent_models"].tolist() == ["gru|lstm", "gru-pooled"]
    assert table["difference"].tolist() == pytest.approx([0.04, 0.01])
    assert table["recurrent_share"].tolist() == pytest.approx([0.08, 0.9])


def test_the_share_of_transferred_weights_is_told_with_family_and_head():
    runs = pair("gru", [0.7], [0.02]) + pair("s4d", [0.7], [0.02])
    table = shares_of(runs)
    assert list(table) == SHARE_COLUMNS
    assert table["arm"].tolist() == ["finetune-cpsc"] * 2
    assert table["family"].tolist() == ["recurrent", "state space"]
    assert table["head"].tolist() == ["flatten", ""]
    assert table["transferred_weights"].tolist() == [70, 900]
    assert table["transferred_share"].tolist() == [0.07, 0.9]


@pytest.mark.parametrize(
    ("other", "message"),
    [({"n_train": 90}, "training subsets differ"), ({"scratch": [0.7, 0.7], "gains": [0.1, 0.1]}, "replicates")],
)
def test_models_trained_on_other_subsets_are_refused_in_one_line(other, message):
    gru = pair("gru", **({"scratch": [0.7], "gains": [0.1]} | other))
    runs = pair("resnet", [0.7], [0.06]) + gru
    with pytest.raises(InputError, match=message) as caught:
        compared(runs)
    assert "\n" not in str(caught.value)


def test_a_share_that_is_missing_is_named():
    runs = pair("resnet", [0.7], [0.06]) + pair("gru", [0.7], [0.02])
    shares = shares_of(runs)
    with pytest.raises(InputError, match=r"ptbxl/gru/finetune-cpsc/0\.1: no share"):
        architectures(runs, FAMILIES, shares[shares["model"] != "gru"], CONFIDENCE, SEED)
