import numpy as np
import pytest
from tiny_scored import LABELS, N_RESAMPLES, SEED, run_to_score

from ecgtransfer.compare.scores import (
    load_predictions,
    score_run,
)
from ecgtransfer.errors import InputError


@pytest.fixture
def study():
    return run_to_score()


def test_a_file_without_an_array_is_named(tmp_path):
    np.savez(tmp_path / "predictions.npz", labels=np.array(LABELS))
    with pytest.raises(InputError, match=r"predictions\.npz: array test_record_id"):
        load_predictions(tmp_path / "predictions.npz")


def without_last_test_record(predictions, labels, splits):
    predictions["test_record_id"] = predictions["test_record_id"][:-1]


def with_a_test_record_twice(predictions, labels, splits):
    predictions["test_record_id"][0] = predictions["test_record_id"][1]


def with_a_training_record_as_test_record(predictions, labels, splits):
    predictions["test_record_id"][0] = splits.loc[splits["role"] == "train", "record_id"].iloc[0]


def with_thresholds_from_the_test_set(predictions, labels, splits):
    predictions["valid_record_id"][0] = predictions["test_record_id"][0]


def with_a_nan(predictions, labels, splits):
    predictions["test_probability"][1, 3, 0] = np.nan


def with_a_replicate_less(predictions, labels, splits):
    predictions["valid_probability"] = predictions["valid_probability"][:1]


def with_another_validation_mask(predictions, labels, splits):
    predictions["valid_used"] = predictions["valid_used"][:, 1:]


def with_an_unknown_label(predictions, labels, splits):
    predictions["labels"][0] = "VT"


def with_a_record_unlabelled(predictions, labels, splits):
    labels.loc[labels["record_id"] == predictions["test_record_id"][0], "record_id"] = "another"


def with_a_label_of_two(predictions, labels, splits):
    labels["AF"] = 2


def with_a_label_in_words(predictions, labels, splits):
    labels["AF"] = "yes"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_last_test_record, "test_record_id must be the 60 test records"),
        (with_a_test_record_twice, "test_record_id must be the 60 test records"),
        (with_a_training_record_as_test_record, "test_record_id must be the 60 test records"),
        (with_thresholds_from_the_test_set, "no validation record"),
        (with_a_nan, "test_probability of replicate 1, record .*, label AF is not a number"),
        (with_a_replicate_less, "valid_probability has shape"),
        (with_another_validation_mask, "valid_used has shape"),
        (with_an_unknown_label, "no column VT"),
        (with_a_record_unlabelled, "record r.* missing"),
        (with_a_label_of_two, "only 0 and 1"),
        (with_a_label_in_words, "only 0 and 1"),
    ],
)
def test_predictions_that_do_not_fit_the_tables_are_refused_in_one_line(study, spoil, message):
    spoil(*study)
    with pytest.raises(InputError, match=message) as caught:
        score_run(*study, N_RESAMPLES, SEED)
    assert "\n" not in str(caught.value)


def test_a_test_set_in_which_every_label_is_too_rare_is_refused_with_what_it_has(study):
    with pytest.raises(InputError, match=r"no label has 50 patients with it and as many without, but \d\d? at most"):
        score_run(*study, N_RESAMPLES, SEED, min_positives=50)
