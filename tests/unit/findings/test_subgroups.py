import numpy as np
import pytest
from few_patients import widening
from sklearn.metrics import roc_auc_score
from tiny_tested import LABELS, column_of, target, truth_of

from ecgtransfer.arms import Cell
from ecgtransfer.compare.draws import Draws
from ecgtransfer.errors import InputError
from ecgtransfer.findings.subgroups import SUBGROUP_COLUMNS, subgroups
from ecgtransfer.statistics.resampling import patient_resamples

CELL = Cell("clinic", "gru", "finetune-hospital", 0.1)
DRAWS = Draws(n_resamples=80, patient_seed=4, replicate_seed=7, confidence=0.95)
GROUPS = {
    ("sex", "F"): lambda sex, age: sex == "F",
    ("sex", "M"): lambda sex, age: sex == "M",
    ("age", "under 40"): lambda sex, age: age < 40,
    ("age", "40 to 64"): lambda sex, age: (age >= 40) & (age < 65),
    ("age", "65 and over"): lambda sex, age: age >= 65,
}


def sides(predictions, records, attribute, group):
    """Which test records are in a group, and which are known to be in another."""
    sex, age = (column_of(predictions, records, name) for name in ("sex", "age_years"))
    inside = np.array([bool(GROUPS[attribute, group](*each)) for each in zip(sex, age, strict=True)])
    known = np.array([each in ("F", "M") for each in sex]) if attribute == "sex" else ~np.isnan(age.astype(float))
    return inside, known & ~inside


def naive_columns(truth, patients, inside, outside, least):
    return [
        column
        for column in range(truth.shape[1])
        if all(
            len(set(patients[side & (truth[:, column] == value)])) >= least
            for side in (inside, outside)
            for value in (0, 1)
        )
    ]


def naive_macro(truth, probability, columns, records):
    """Mean AUROC over labels on records, which may repeat; a label without both classes is NaN."""
    areas = []
    for column in columns:
        rows = records[~np.isnan(truth[records, column])]
        both = len(set(truth[rows, column])) == 2
        areas.append(roc_auc_score(truth[rows, column], probability[rows, column]) if both else np.nan)
    return np.array(areas)


@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_scores_and_gaps_equal_scikit_learn(unknown):
    predictions, labels, splits, records = target(n_patients=120, unknown=unknown)
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS)
    assert list(table) == SUBGROUP_COLUMNS
    assert set(zip(table["attribute"], table["group"], strict=True)) == set(GROUPS)
    assert (table["metric"] == "macro_auroc").all()
    assert (table["source"] == "hospital").all()
    assert (table["n_train"] == 32).all()
    truth, patients = truth_of(predictions, labels), column_of(predictions, splits, "patient_id")
    for row in table.itertuples():
        inside, outside = sides(predictions, records, row.attribute, row.group)
        columns = naive_columns(truth, patients, inside, outside, 5)
        assert (row.n_records, row.n_patients, row.n_labels) == (
            *(inside.sum(), len(set(patients[inside])), len(columns)),
        )
        assert len(columns) == len(LABELS)
        scores, gaps = [], []
        for probability in predictions["test_probability"]:
            within = naive_macro(truth, probability, columns, np.flatnonzero(inside)).mean()
            scores.append(within)
            gaps.append(within - naive_macro(truth, probability, columns, np.flatnonzero(outside)).mean())
        assert row.score == pytest.approx(np.mean(scores), abs=1e-6)
        assert row.gap == pytest.approx(np.mean(gaps), abs=1e-6)
        assert row.ci_low <= row.score <= row.ci_high
        assert row.gap_low <= row.gap <= row.gap_high


@pytest.mark.parametrize("least", [5, 1])
def test_intervals_of_one_replicate_are_percentiles_over_patients_drawn_again(least):
    predictions, labels, splits, records = target(n_patients=90, n_replicates=1)
    if least == 1:  # a label that often vanishes from resamples of one side or the other
        sex = labels["record_id"].map(records.set_index("record_id")["sex"])
        tested = labels["record_id"].isin(predictions["test_record_id"])
        labels["PAC"] = 0.0
        for each in ("F", "M"):
            labels.loc[labels.index[tested & (sex == each)][:2], "PAC"] = 1.0
    row = subgroups(CELL, predictions, labels, splits, records, DRAWS, least).set_index("group").loc["F"]
    truth, patients = truth_of(predictions, labels), column_of(predictions, splits, "patient_id")
    inside, outside = sides(predictions, records, "sex", "F")
    columns = naive_columns(truth, patients, inside, outside, least)
    assert len(columns) == len(LABELS)
    (probability,) = predictions["test_probability"]
    scores, gaps = [], []

    def areas(side, counts):
        """AUROC of labels on a resample of one side."""
        drawn, whole = (
            naive_macro(truth, probability, columns, np.repeat(np.flatnonzero(side), times))
            for times in (counts[side], 1)
        )
        apart = [widening(truth[side, column], patients[side]) for column in columns]
        return whole + apart * (drawn - whole)

    for counts in patient_resamples(patients, DRAWS.n_resamples, DRAWS.patient_seed):
        within, beside = areas(inside, counts), areas(outside, counts)
        scores.append(np.nanmean(within))
        gaps.append(np.nanmean(within - beside))
    for draws, low, high in ((scores, "ci_low", "ci_high"), (gaps, "gap_low", "gap_high")):
        expected = np.quantile(draws, [0.025, 0.975], method="weibull")
        assert [row[low], row[high]] == pytest.approx(expected, abs=1e-6)


def test_a_label_that_too_few_patients_of_a_group_do_not_have_does_not_count_either():
    predictions, labels, splits, records = target(n_patients=90)
    labels.loc[labels["record_id"].isin(records.loc[records["sex"] == "F", "record_id"]), "AF"] = 1
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS).set_index("group")
    assert table.loc[["F", "M"], "n_labels"].tolist() == [2, 2]


def test_a_label_with_too_few_positive_patients_in_a_group_does_not_count():
    predictions, labels, splits, records = target(n_patients=90)
    men = set(records.loc[records["sex"] == "M", "record_id"])
    patient_of = splits.set_index("record_id")["patient_id"]
    test_men = [record for record in predictions["test_record_id"] if record in men]
    of_men = labels["record_id"].isin(men)
    labels.loc[of_men, "PAC"] = 0
    four = list(dict.fromkeys(patient_of[test_men]))[:4]
    labels.loc[labels["record_id"].map(patient_of).isin(four), "PAC"] = 1  # many records, but of four patients
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS).set_index("group")
    assert table.loc[["F", "M"], "n_labels"].tolist() == [2, 2]
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS, min_positives=4).set_index("group")
    assert table.loc[["F", "M"], "n_labels"].tolist() == [3, 3]


def test_a_group_without_labels_to_compare_has_counts_and_no_score():
    predictions, labels, splits, records = target()
    records["sex"] = "F"
    records["age_years"] = np.nan
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS).set_index("group")
    assert table.loc["F", "n_records"] == len(predictions["test_record_id"])
    assert (table["n_labels"] == 0).all()
    assert (table.loc[["M", "under 40", "40 to 64", "65 and over"], "n_records"] == 0).all()
    assert table[["score", "ci_low", "ci_high", "gap", "gap_low", "gap_high"]].isna().all(axis=None)


def test_two_groups_have_opposite_gaps_and_the_order_of_tables_does_not_matter():
    predictions, labels, splits, records = target(n_patients=100)
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS)
    women, men = table[table["attribute"] == "sex"].set_index("group").loc[["F", "M"]].to_dict("records")
    assert women["gap"] == pytest.approx(-men["gap"], abs=2e-6)
    assert (women["gap_low"], women["gap_high"]) == pytest.approx((-men["gap_high"], -men["gap_low"]), abs=2e-3)
    again = subgroups(CELL, predictions, labels[::-1], splits[::-1], records[::-1], DRAWS)
    assert again.equals(table)


def test_a_gap_that_is_there_is_found():
    predictions, labels, splits, records = target(n_patients=400, n_replicates=4)
    women = column_of(predictions, records, "sex") == "F"
    truth = truth_of(predictions, labels)
    predictions["test_probability"][:, women] = (0.5 * truth[women] + 0.25).astype(np.float32)
    table = subgroups(CELL, predictions, labels, splits, records, DRAWS).set_index("group")
    assert table.loc["F", "score"] == 1
    assert table.loc["F", "gap_low"] > 0.1
    assert table.loc["M", "gap_high"] < -0.1


def test_ids_of_joined_data_sets_are_taken_as_they_are_and_a_missing_record_is_named():
    predictions, labels, splits, records = target(prefix="clinic:")
    joined = Cell("clinic+ward", "gru", "scratch", 1.0)
    assert (subgroups(joined, predictions, labels, splits, records, DRAWS)["source"] == "").all()
    first = predictions["test_record_id"][0]
    with pytest.raises(InputError, match=f"records table: record {first} missing") as caught:
        subgroups(joined, predictions, labels, splits, records[records["record_id"] != first], DRAWS)
    assert "\n" not in str(caught.value)
