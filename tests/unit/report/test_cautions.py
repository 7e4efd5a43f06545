"""What the numbers of a study cannot say is on the page where it must be, and nowhere else."""

from dataclasses import replace

import pytest
from tiny_page import TEMPLATE, Reader, make_results, said_of, text_of

from ecgtransfer.config.study import Study
from ecgtransfer.report.page import render_page


@pytest.fixture(scope="module")
def results():
    return make_results()


ONE_REPLICATE = "Every cell was trained once (transfer.replicates: 1)"
FEW_REPLICATES = "So few replicates say little"
FEW_PATIENTS = "ptb-xl has only 90 test patients. Its numbers mean little."
FEW_POSITIVES = "ptb-xl: fewer than 10 test patients have, or lack, AF (9)."
LEFT_OUT = "ptb-xl: macro scores leave out AF (4). They include labels that at least 5 test patients have"
SIMULATED = "no evidence about real patients"
PRETRAINED_ON_SIMULATED = (
    "sim-hospital is simulated: what is pre-trained on it has learnt from simulated recordings. The numbers of ptb-xl"
    " are of real patients."
)
NEAR_CHANCE = "gru hardly learns on ptb-xl"
NO_PATIENTS = "Georgia: no patients are published"


@pytest.mark.parametrize(
    ("warning", "warned", "sound"),
    [
        (ONE_REPLICATE, {"replicates": 1}, {"replicates": 2}),
        (FEW_REPLICATES, {"replicates": 4}, {"replicates": 5}),
        (FEW_PATIENTS, {"n_patients": 150}, {"n_patients": 168}),
        (FEW_POSITIVES, {"n_test_positives": 9}, {"n_test_positives": 10}),
        (LEFT_OUT, {"n_test_positives": 4}, {"n_test_positives": 5}),
        (LEFT_OUT, {"n_test_positives": 240 - 4}, {"n_test_positives": 240 - 5}),
        (SIMULATED, {"target": "sim-clinic"}, {"source": "sim-hospital"}),
        (SIMULATED, {"target": "sim-clinic", "source": "sim-hospital"}, {}),
        (PRETRAINED_ON_SIMULATED, {"source": "sim-hospital"}, {"target": "sim-clinic"}),
        (NEAR_CHANCE, {"score": 0.59}, {"score": 0.61}),
        (NO_PATIENTS, {}, {"source": "ludb"}),
    ],
)
def test_warnings_appear_where_they_must_and_nowhere_else(warning, warned, sound):
    assert warning in text_of(**warned)
    assert warning not in text_of(**sound)


def test_a_simulated_source_alone_is_no_severe_warning():
    assert "Before you use this" not in text_of(source="sim-hospital")
    assert text_of(target="sim-clinic").count("sim-clinic is simulated: what comes out on it") == 2


def test_of_simulated_and_real_targets_each_is_said_what_it_is(results):
    config = results.study.as_config()
    config["transfer"] |= {"sources": ["georgia+sim-hospital"], "targets": ["ptb-xl", "sim-clinic"]}
    both = {
        "labels": results.labels | {"sim-clinic": results.labels["ptb-xl"]},
        "splits": results.splits | {"sim-clinic": results.splits["ptb-xl"]},
    }
    text = Reader(render_page(TEMPLATE, replace(results, study=Study.of(config), **both))).text
    assert "sim-clinic is simulated: what comes out on it shows that the workflow works" in text
    assert PRETRAINED_ON_SIMULATED in text


def test_severe_warnings_stand_beside_the_answer():
    text = text_of(replicates=1)
    assert text.index(ONE_REPLICATE) < text.index("The figure shows")
    assert text.count(ONE_REPLICATE) == 2
    assert "intervals do not contain it" in text


def test_sound_study_has_no_severe_warning():
    text = text_of()
    assert "Before you use this" not in text
    assert "The intervals do not contain the variance of pre-training" in text


def test_trainings_that_differ_in_more_than_the_start_are_said(results):
    differs = "Trainings from scratch and with transfer differ in more than the start"
    assert differs not in text_of()
    text = said_of(results, scratch={"epochs": 20}, finetune={"crop_s": 2.5})
    assert (
        f"{differs}: epochs (20 from scratch, 8 with transfer) and crop_s (null from scratch, 2.5 with transfer)."
        in text
    )
    assert differs not in said_of(results, pretrain={"epochs": 3})


def test_with_a_pretraining_for_every_replicate_intervals_hold_its_variance(results):
    config = results.study.as_config()
    config["transfer"]["pretrainings"] = config["transfer"]["replicates"]
    text = Reader(render_page(TEMPLATE, replace(results, study=Study.of(config)))).text
    assert "The intervals do not contain the variance of pre-training" not in text
    assert "Every replicate starts from a pre-training of its own" in text
    assert "pre-training of its own" not in text_of()


def test_own_recordings_without_patients_are_said_to_be_so(results):
    own = {"georgia": {"folder": "ours", "table": "ours.csv"}}
    alone = "georgia: each recording counts as its own patient, as its table names no others."
    assert alone in said_of(results, own=own)
    records = results.records["georgia"].copy()
    records.loc[1, "patient_id"] = records.loc[0, "patient_id"]
    assert alone not in said_of(replace(results, records=results.records | {"georgia": records}), own=own)
    assert alone not in said_of(results)
