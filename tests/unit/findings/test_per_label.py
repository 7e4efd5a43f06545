import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import LABEL_METRICS, MACRO_METRICS
from ecgtransfer.errors import InputError
from ecgtransfer.findings.per_label import (
    PER_LABEL_COLUMNS,
    PREVALENCE_COLUMNS,
    TRAINING_POSITIVES_COLUMNS,
    per_label_gains,
    prevalence_correlations,
    training_positives,
)

LABELS = ["AF", "LBBB", "SB"]
N_TEST_POSITIVE = {"AF": 40, "LBBB": 5, "SB": 12}


def run(arm, values, labels=LABELS, fraction=0.1):
    """A run with `values` (R, L) of every metric; rows from scratch in reverse order, macro rows among them."""
    values = np.asarray(values, dtype=float)
    rows = [
        {"replicate": replicate, "label": label, "metric": metric, "value": value}
        | {"n_positive": N_TEST_POSITIVE.get(label, 9)}
        for replicate in range(len(values))[:: -1 if arm == "scratch" else 1]
        for label, value in zip(labels, values[replicate], strict=True)
        for metric in LABEL_METRICS
    ]
    rows += [{"replicate": 0, "label": "macro", "metric": metric, "value": 0.0} for metric in MACRO_METRICS]
    n_train = np.full(len(values), 100)
    resamples = {metric: np.zeros((len(values), 7)) for metric in MACRO_METRICS}
    return Run("ptbxl", "gru", arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train)


def positives(counts, labels=LABELS, fraction=0.1, n_known=100):
    return pd.DataFrame(
        {"target": "ptbxl", "fraction": fraction, "label": labels, "n_positive": counts, "n_known": n_known}
    )


def test_every_label_has_its_gain_paired_by_replicate_and_its_positives():
    scratch = run("scratch", [[0.6, 0.7, 0.8], [0.7, 0.7, 0.9]])
    transfer = run("finetune-cpsc", [[0.7, 0.8, 0.8], [0.8, 0.6, 1.0]])
    table = per_label_gains([transfer, scratch], positives([30, 2.5, 8]))
    assert list(table) == PER_LABEL_COLUMNS
    assert len(table) == len(LABELS) * len(LABEL_METRICS)
    table = table[table["metric"] == "auroc"].set_index("label")
    assert (table["source"] == "cpsc").all()
    assert table["scratch"].tolist() == pytest.approx([0.65, 0.7, 0.85])
    assert table["transfer"].tolist() == pytest.approx([0.75, 0.7, 0.9])
    assert table["delta"].tolist() == pytest.approx([0.1, 0.0, 0.05])
    assert table["delta_sd"].tolist() == pytest.approx([0.0, 0.2 / np.sqrt(2), 0.1 / np.sqrt(2)], abs=1e-6)
    assert table["n_positive_train"].tolist() == [30, 2.5, 8]
    assert table["prevalence_train"].tolist() == [0.3, 0.025, 0.08]
    assert table["n_positive_test"].tolist() == [40, 5, 12]
    assert (table["n_replicates"] == 2).all()


def test_one_replicate_has_no_standard_deviation_and_a_label_without_test_positives_no_gain():
    runs = [run("scratch", [[0.6, np.nan, 0.8]]), run("finetune-cpsc", [[0.7, np.nan, 0.8]])]
    table = per_label_gains(runs, positives([30, 2, 8]))
    assert table["delta_sd"].isna().all()
    assert table.groupby("label")["delta"].apply(lambda deltas: deltas.isna().all()).tolist() == [False, True, False]
    assert prevalence_correlations(table)["n_labels"].tolist() == [2] * len(LABEL_METRICS)
    assert prevalence_correlations(table)["spearman"].isna().all()  # of two labels


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_of_gain_with_prevalence_is_spearmans(seed):
    generator = np.random.default_rng(seed)
    labels = [f"L{number}" for number in range(12)]
    gains = generator.integers(-3, 4, size=12) / 50  # with ties
    counts = generator.integers(1, 9, size=12)
    runs = [run("scratch", [[0.6] * 12], labels), run("finetune-cpsc", [0.6 + gains], labels)]
    table = prevalence_correlations(per_label_gains(runs, positives(counts, labels)))
    assert list(table) == PREVALENCE_COLUMNS
    assert table["metric"].tolist() == sorted(LABEL_METRICS)
    expected = [stats.spearmanr(gains, counts).statistic] * len(LABEL_METRICS)
    assert table["spearman"].tolist() == pytest.approx(expected, abs=1e-6)
    assert (table["n_labels"] == 12).all()


def test_prevalence_counts_those_of_whom_the_label_is_known():
    # By the number of positives the order would be the other way round.
    runs = [run("scratch", [[0.6] * 3]), run("finetune-cpsc", [[0.7, 0.8, 0.9]])]
    table = prevalence_correlations(per_label_gains(runs, positives([30, 20, 10], n_known=[300, 100, 20])))
    assert table["spearman"].tolist() == [1.0] * len(LABEL_METRICS)


@pytest.mark.parametrize(("gains", "counts"), [([0.1, 0.1, 0.1], [1, 2, 3]), ([0.1, 0.2, 0.3], [5, 5, 5])])
def test_without_any_difference_there_is_no_correlation(gains, counts):
    runs = [run("scratch", [[0.5] * 3]), run("finetune-cpsc", [0.5 + np.array(gains)])]
    assert prevalence_correlations(per_label_gains(runs, positives(counts)))["spearman"].isna().all()


def test_training_positives_are_those_of_each_fraction_as_a_mean_over_replicates():
    labels = pd.DataFrame({"record_id": [1, 2, 3, 4, 5], "AF": [1, 1, 0, 1, 1], "SB": [0, 1, np.nan, np.nan, 1]})
    splits = pd.DataFrame(
        {
            "record_id": ["5", "4", "3", "2", "1"],
            "patient_id": ["e", "d", "c", "b", "a"],
            "role": ["test", "train", "train", "train", "train"],
            "rank_0": [0.0, 0.9, 0.4, 0.2, 0.0],
            "rank_1": [0.0, 0.1, 0.9, 0.3, 0.5],
        }
    )
    table = training_positives("ptbxl", labels, splits, [1.0, 0.5])
    assert list(table) == TRAINING_POSITIVES_COLUMNS
    # Below 0.5 are records 1, 2, 3 in replicate 0 and 2, 4 in replicate 1; record 5 is tested.
    assert table[["fraction", "label", "n_positive", "n_known"]].to_records(index=False).tolist() == [
        (0.5, "AF", 2.0, 2.5),
        (0.5, "SB", 1.0, 1.5),
        (1.0, "AF", 3.0, 4.0),
        (1.0, "SB", 1.0, 2.0),
    ]


def test_cells_are_in_a_fixed_order_and_keep_their_own_counts():
    runs = [
        run(arm, [[score] * 3], fraction=fraction)
        for fraction in (1.0, 0.1)
        for arm, score in (("scratch", 0.6), ("probe-cpsc", 0.7), ("finetune-cpsc", 0.8))
    ]
    counted = pd.concat([positives([1, 2, 3]), positives([10, 20, 30], fraction=1.0)])
    table = per_label_gains(runs, counted)
    pd.testing.assert_frame_equal(per_label_gains(runs[::-1], counted.iloc[::-1]), table)
    auroc = table[(table["metric"] == "auroc") & (table["label"] == "SB")]
    assert auroc["arm"].tolist() == ["finetune-cpsc"] * 2 + ["probe-cpsc"] * 2
    assert auroc["n_positive_train"].tolist() == [3, 30, 3, 30]


def test_a_study_without_transfer_has_empty_tables():
    table = per_label_gains([run("scratch", [[0.6] * 3])], positives([1, 2, 3]))
    assert list(table) == PER_LABEL_COLUMNS
    assert list(prevalence_correlations(table)) == PREVALENCE_COLUMNS
    assert prevalence_correlations(table).empty


def test_labels_that_differ_or_were_not_counted_are_refused_in_one_line():
    transfer = run("finetune-cpsc", [[0.6] * 3])
    with pytest.raises(InputError, match="labels or replicates differ") as caught:
        per_label_gains([run("scratch", [[0.6] * 2], LABELS[:2]), transfer], positives([1, 2, 3]))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="label SB is not among the counted training labels"):
        per_label_gains([run("scratch", [[0.6] * 3]), transfer], positives([1, 2], LABELS[:2]))
