import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ecgtransfer.compare.convergence import REPLICATE_CONVERGENCE_COLUMNS
from ecgtransfer.compare.gains import Gain, mean_over_targets
from ecgtransfer.compare.runs import Run, mean_with_interval
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.verdicts import verdicts
from ecgtransfer.errors import InputError
from ecgtransfer.findings.claims import CLAIM_COLUMNS, CLAIMS, claims

N_RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 3
FAMILIES = {"resnet": "convolutional", "inception": "convolutional", "gru": "recurrent", "s4d": "state space"}
NO_EPOCHS = pd.DataFrame(columns=REPLICATE_CONVERGENCE_COLUMNS)


def noise_of(seed, scale=0.01):
    return np.random.default_rng(seed).normal(scale=scale, size=N_RESAMPLES)


def pair(gains, noise=0.0, target="clinic", model="resnet", arm="finetune-hospital", fraction=0.1, partner=True):
    """Runs from scratch and with transferred weights, which gain so much in each replicate, and on the resamples."""
    gains = np.asarray(gains, dtype=float)

    def run(name, values, resampled):
        rows = [
            {"replicate": replicate, "label": "macro", "metric": metric, "value": value}
            for replicate, value in enumerate(values)
            for metric in MACRO_METRICS
        ]
        resamples = {metric: resampled if metric == "macro_auroc" else 0 * resampled for metric in MACRO_METRICS}
        n_train = np.full(len(values), round(1000 * fraction))
        return Run(target, model, name, fraction, pd.DataFrame(rows), resamples, n_train, n_train)

    scratch, whole = np.full(len(gains), 0.7), np.zeros((len(gains), N_RESAMPLES))
    transfer = run(arm, scratch + gains, 0.7 + gains[:, None] + whole + noise)
    return [run("scratch", scratch, 0.7 + whole), transfer] if partner else [transfer]


def found(runs, by_replicate=NO_EPOCHS, joined=("a+b",)):
    table = claims(runs, by_replicate, FAMILIES, joined, CONFIDENCE, SEED)
    assert list(table) == CLAIM_COLUMNS
    assert table["claim"].tolist() == list(CLAIMS)
    return table.set_index("claim")


def test_one_cell_has_the_interval_of_its_verdict():
    runs = pair([0.04, 0.05, 0.06], noise_of(0))
    row = found(runs).loc["small sets"]
    said = verdicts(runs, CONFIDENCE, 0.01, SEED).set_index("metric").loc["macro_auroc"]
    assert row[["estimate", "ci_low", "ci_high"]].tolist() == said[["delta", "ci_low", "ci_high"]].tolist()
    assert (row["n_cells"], row["finding"]) == (1, "agrees")


@pytest.mark.parametrize(
    ("gains", "finding"), [([0.05, 0.051], "agrees"), ([-0.05, -0.051], "contradicts"), ([0.05, -0.04], "undecided")]
)
def test_each_finding_can_be_reached(gains, finding):
    runs = pair(gains, noise_of(0, 0.001))
    runs += pair(gains, noise_of(0, 0.001), arm="finetune-a+b", partner=False)
    runs += pair([0.0, 0.0], noise_of(0, 0.001), model="gru") + pair(
        [0.0, 0.0], noise_of(0, 0.001), model="gru", arm="finetune-a+b", partner=False
    )
    runs += pair([0.0, 0.0], fraction=1.0) + pair([0.0, 0.0], fraction=1.0, arm="finetune-a+b", partner=False)
    table = found(runs)
    assert table.loc[["small sets", "declines", "CNN over RNN"], "finding"].tolist() == [finding] * 3
    assert table.loc["several sources", "finding"] == "undecided"
    assert found(pair(gains, arm="finetune-a+b")).loc["several sources", "finding"] == finding
    named = pair(gains, arm="finetune-hospitals")
    assert found(named, joined=["hospitals"]).loc["several sources", "finding"] == finding
    assert found(named).loc["several sources", "finding"] == "not examined"
    assert found(pair(gains, arm="finetune-a+b")).loc["several sources", "study"] == "Avetisyan et al. 2024"


def test_what_the_study_has_no_cells_for_is_not_examined():
    table = found(pair([0.05, 0.06]))
    others = table.drop("small sets")
    assert (others["finding"] == "not examined").all()
    assert others[["estimate", "ci_low", "ci_high", "n_cells"]].isna().all(axis=None)
    assert (found([])["finding"] == "not examined").all()


def test_controls_other_ways_and_other_tasks_do_not_count():
    runs = pair([0.02, 0.02], noise_of(0))
    for arm in (
        "finetune-a+b-shuffled",
        "probe-hospital",
        "partial:2-hospital",
        "finetune-hospital-age",
        "svm-hospital",
    ):
        runs += pair([0.5, 0.5], arm=arm, partner=False)
    pd.testing.assert_frame_equal(found(runs), found(runs[:2]))


def test_gains_are_those_at_the_ends_of_each_targets_fractions():
    runs = [
        run
        for target, fractions in {"clinic": (0.1, 0.3, 1.0), "ward": (0.3, 1.0)}.items()
        for fraction, gain in zip(fractions, (0.08, 0.05, 0.01), strict=False)
        for run in pair([gain, gain], target=target, fraction=fraction)
    ]
    table = found(runs)
    assert table.loc["small sets", ["estimate", "n_cells"]].tolist() == pytest.approx([0.08, 2])
    assert table.loc["declines", ["estimate", "n_cells"]].tolist() == pytest.approx([(0.07 + 0.03) / 2, 4])


def test_families_are_compared_within_each_source_of_each_target():
    runs = pair([0.06, 0.08]) + pair([0.02, 0.02], model="inception") + pair([0.01, 0.01], model="gru")
    runs += pair([0.9, 0.9], model="s4d")
    runs += pair([0.9, 0.9], arm="finetune-ward", partner=False)  # no recurrent model from there
    row = found(runs).loc["CNN over RNN"]
    assert row["estimate"] == pytest.approx((0.04 + 0.05) / 2 - 0.01)
    assert row["n_cells"] == 3


def test_patients_of_one_target_are_shared_and_of_two_independent():
    noise = noise_of(1)
    widths = {}
    for name, cell in {"one": {"model": "gru"}, "two": {"target": "ward"}}.items():
        row = found(pair([0.05], noise) + pair([0.05], noise, **cell)).loc["small sets"]
        widths[name] = row["ci_high"] - row["ci_low"]
    assert widths["one"] / 2 == pytest.approx(1.96 * 0.01, rel=0.1)
    assert widths["two"] / widths["one"] == pytest.approx(np.sqrt(1 / 2), rel=0.05)


def test_the_interval_over_targets_covers_replicates_and_patients_as_often_as_it_says():
    generator, n_resamples, covered = np.random.default_rng(2), 300, []
    for _ in range(300):
        gains = []
        for target in ("a", "b", "c"):
            values = generator.normal(0.03, 0.01, size=4) + generator.normal(scale=0.01)
            resampled = values[:, None] + generator.normal(scale=0.01, size=n_resamples)
            gains.append(Gain(target, "gru", "finetune-x", 0.1, values, resampled))
        mean = mean_over_targets(gains, SEED)
        _, low, high = mean_with_interval(mean.values, mean.resampled, CONFIDENCE, SEED)
        covered.append(low <= 0.03 <= high)
    assert 0.925 <= np.mean(covered) <= 0.985


def convergence_rows(scratch, transfer, epochs_run=(20, 20), **cell):
    key = {"target": "clinic", "source": "hospital", "model": "gru", "arm": "finetune-hospital", "fraction": 0.1} | cell
    rows = [
        {
            **{**key, "replicate": number, "goal": 0.8, "epochs_scratch": of_scratch, "epochs_transfer": of_transfer},
            **{"epochs_run_scratch": epochs_run[0], "epochs_run_transfer": epochs_run[1]},
        }
        for number, (of_scratch, of_transfer) in enumerate(zip(scratch, transfer, strict=True))
    ]
    return pd.DataFrame(rows).astype({"epochs_scratch": "Int64", "epochs_transfer": "Int64"})


def test_epochs_are_compared_by_their_ratio_with_students_interval_over_replicates():
    table = pd.concat(
        [convergence_rows([10, 8, 10], [5, 2, 4]), convergence_rows([10, 9, 3], [2, 3, 3], model="resnet")]
    )
    row = found([], table.iloc[::-1]).loc["converges faster"]
    logs = np.log([[5 / 10, 2 / 8, 4 / 10], [2 / 10, 3 / 9, 3 / 3]]).mean(axis=0)
    interval = stats.ttest_1samp(logs, 0).confidence_interval(CONFIDENCE)
    expected = np.exp([logs.mean(), *interval])
    assert row[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(expected, abs=1e-6)
    assert row["n_cells"] == 2


@pytest.mark.parametrize(
    ("transfer", "finding"),
    [([4, 5, 4], "agrees"), ([15, 16, 15], "contradicts"), ([5, 20, 10], "undecided")],
)
def test_a_ratio_is_compared_with_one(transfer, finding):
    assert found([], convergence_rows([10, 10, 10], transfer)).loc["converges faster", "finding"] == finding


def test_who_never_gets_there_counts_as_the_slowest_that_could_be():
    # Whatever epoch it had needed instead, transfer would look faster.
    never = found([], convergence_rows([10, 10], [5, None], epochs_run=(20, 6))).loc["converges faster"]
    assert never["estimate"] == pytest.approx(np.sqrt(0.5 * 21))
    for epoch in range(1, 21):
        reached = found([], convergence_rows([10, 10], [5, epoch], epochs_run=(20, 20))).loc["converges faster"]
        assert reached["estimate"] < never["estimate"]
    assert found([], convergence_rows([10] * 3, [None] * 3)).loc["converges faster", "finding"] != "agrees"


def test_replicates_without_spread_decide_nothing_about_epochs_and_controls_do_not_count():
    row = found([], convergence_rows([10], [1])).loc["converges faster"]
    assert row["estimate"] == pytest.approx(0.1)
    assert np.isnan(row["ci_low"])
    assert row["finding"] == "undecided"
    assert found([], convergence_rows([10, 10], [2, 2])).loc["converges faster", "finding"] == "undecided"
    control = convergence_rows([10, 10], [1, 1], source="hospital-shuffled", arm="finetune-hospital-shuffled")
    assert found([], control).loc["converges faster", "finding"] == "not examined"
    without_goal = convergence_rows([10, 10], [1, 1]).assign(goal=[0.8, np.nan])
    assert found([], without_goal).loc["converges faster", "finding"] == "not examined"


def test_a_cell_without_scores_is_left_out():
    runs = pair([0.05, 0.06], noise_of(0)) + pair([np.nan, np.nan], model="gru")
    assert found(runs).loc["small sets", "n_cells"] == 1


def test_runs_of_other_replicates_are_refused_in_one_line():
    runs = pair([0.05, 0.06]) + pair([0.05], target="ward")
    with pytest.raises(InputError, match="numbers of replicates and resamples differ") as caught:
        found(runs)
    assert "\n" not in str(caught.value)


def test_what_was_said_is_one_short_sentence_and_only_ratios_are_called_so():
    for name, claim in CLAIMS.items():
        assert claim.said.endswith(".")
        assert len(claim.said.split()) < 20
        assert ("ratio" in claim.measure) == (name == "converges faster")  # figures put it on another scale
