import numpy as np
import pytest
from few_patients import widening
from sklearn.metrics import roc_auc_score
from tiny_tested import column_of, source_predictions, target, truth_of

from ecgtransfer.compare.draws import Draws
from ecgtransfer.compare.predictions import load_source_predictions
from ecgtransfer.errors import InputError
from ecgtransfer.findings.zero_shot import ZERO_SHOT_COLUMNS, zero_shot, zero_shot_table
from ecgtransfer.statistics.resampling import patient_resamples

DRAWS = Draws(n_resamples=60, patient_seed=4, replicate_seed=7, confidence=0.95)
NAMES = ("clinic", "hospital", "gru")


def areas(truth, probability, rows):
    """AUROC of every column on rows, which may repeat."""
    found = []
    for column in range(truth.shape[1]):
        known = rows[~np.isnan(truth[rows, column])]
        found.append(roc_auc_score(truth[known, column], probability[known, column]))
    return np.array(found)


@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_the_labels_that_both_have_are_scored_as_scikit_learn_does(unknown):
    _, labels, splits, _ = target(n_patients=80, unknown=unknown)
    said = source_predictions(splits, ["PAC", "SB", "AF"])
    table = zero_shot_table([zero_shot(*NAMES, said, labels, splits, DRAWS, 1)])
    assert list(table) == ZERO_SHOT_COLUMNS
    (row,) = table.to_dict("records")
    assert (row["target"], row["source"], row["model"], row["metric"]) == (*NAMES, "macro_auroc")
    assert (row["labels"], row["n_labels"]) == ("PAC|AF", 2)
    test = splits.loc[splits["role"] == "test", "record_id"]
    place = {record: number for number, record in enumerate(said["record_id"])}
    probability = said["probability"][[place[record] for record in test]][:, [0, 2]]
    truth = labels.set_index("record_id").loc[test, ["PAC", "AF"]].to_numpy()
    assert row["score"] == pytest.approx(areas(truth, probability, np.arange(len(test))).mean(), abs=1e-6)
    patients = splits.loc[splits["role"] == "test", "patient_id"].to_numpy()
    whole = areas(truth, probability, np.arange(len(test)))
    apart = np.array([widening(of_label, patients) for of_label in truth.T])
    draws = [
        (whole + apart * (areas(truth, probability, np.repeat(np.arange(len(test)), counts)) - whole)).mean()
        for counts in patient_resamples(patients, DRAWS.n_resamples, DRAWS.patient_seed)
    ]
    low, high = np.quantile(draws, [0.025, 0.975], method="weibull")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1e-6)
    assert np.isnan([row["scratch"], row["finetune"]]).all()


def test_models_trained_on_the_target_are_scored_on_the_same_labels():
    predictions, labels, splits, _ = target(n_patients=80)
    better = predictions | {"test_probability": truth_of(predictions, labels)[None].repeat(2, axis=0)}
    said = source_predictions(splits, ["SB", "LBBB"])
    row = zero_shot(*NAMES, said, labels, splits, DRAWS, 1, predictions, better)
    truth = truth_of(predictions, labels)[:, 1]
    expected = [roc_auc_score(truth, each[:, 1]) for each in predictions["test_probability"]]
    assert row["scratch"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert row["finetune"] == 1
    assert column_of(predictions, splits, "role").tolist() == ["test"] * len(truth)


def test_a_label_that_no_test_record_has_or_all_have_is_left_out():
    _, labels, splits, _ = target()
    labels["AF"], labels["PAC"] = 0, 1
    row = zero_shot(*NAMES, source_predictions(splits, ["AF", "LBBB", "PAC"]), labels, splits, DRAWS, 1)
    assert (row["labels"], row["n_labels"]) == ("LBBB", 1)


def test_a_label_of_too_few_test_patients_is_left_out():
    _, labels, splits, _ = target()
    test = splits[splits["role"] == "test"]
    chosen = test.drop_duplicates("patient_id")["record_id"].iloc[:4]
    labels["AF"] = labels["record_id"].isin(chosen).astype(float)
    said = source_predictions(splits, ["AF", "LBBB"])
    for least, expected in ((4, "AF|LBBB"), (5, "LBBB")):
        assert zero_shot(*NAMES, said, labels, splits, DRAWS, least)["labels"] == expected


def test_without_a_shared_label_there_is_no_score():
    predictions, labels, splits, _ = target()
    found = zero_shot(*NAMES, source_predictions(splits, ["SB"]), labels, splits, DRAWS, 1, predictions)
    table = zero_shot_table([found])
    (row,) = table.to_dict("records")
    assert (row["labels"], row["n_labels"]) == ("", 0)
    assert table[["score", "ci_low", "ci_high", "scratch", "finetune"]].isna().all(axis=None)


def test_a_test_record_without_prediction_is_named():
    _, labels, splits, _ = target()
    said = source_predictions(splits, ["AF"])
    first = splits.loc[splits["role"] == "test", "record_id"].iloc[0]
    kept = said["record_id"] != first
    fewer = said | {"record_id": said["record_id"][kept], "probability": said["probability"][kept]}
    with pytest.raises(InputError, match=f"predictions of the source: test record {first} missing"):
        zero_shot(*NAMES, fewer, labels, splits, DRAWS, 1)


def test_what_a_source_says_is_read_from_its_file_and_a_missing_array_is_named(tmp_path):
    _, _, splits, _ = target()
    said = source_predictions(splits, ["AF"])
    np.savez(tmp_path / "whole.npz", **said)
    read = load_source_predictions(tmp_path / "whole.npz")
    assert all((read[name] == values).all() for name, values in said.items())
    np.savez(tmp_path / "part.npz", record_id=said["record_id"], labels=said["labels"])
    with pytest.raises(InputError, match="array probability missing"):
        load_source_predictions(tmp_path / "part.npz")


def test_rows_are_sorted_and_a_study_without_sources_has_an_empty_table():
    _, labels, splits, _ = target()
    said = source_predictions(splits, ["AF"])
    rows = [zero_shot("clinic", source, "gru", said, labels, splits, DRAWS, 1) for source in ("b", "a")]
    assert zero_shot_table(rows)["source"].tolist() == ["a", "b"]
    assert list(zero_shot_table([])) == ZERO_SHOT_COLUMNS
