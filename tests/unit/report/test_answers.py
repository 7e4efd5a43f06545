"""The sentences of the page follow from the verdicts."""

import pandas as pd
import pytest
from tiny_verdicts import HELPS, HURTS, MARGIN, OPEN, SAME, saving_rows, verdict_rows

from ecgtransfer.report.answers import answers, controls


def answer(*intervals, **saving):
    table = verdict_rows(*intervals)
    (only,) = answers(table, saving_rows(table, **saving), MARGIN)
    return only


def test_answer_says_gain_and_where_it_ends():
    found = answer(HELPS, OPEN, OPEN)
    assert found.verdict == "helps"
    assert found.text == (
        "With 30 labelled recordings of clinic, gru pre-trained on hospital gains 0.096 [0.017, 0.188] macro AUROC over"
        " training from scratch (helps). From scratch that takes 3.1 [2.2, 4.4] times the labels. From 90 on no"
        " difference is shown (undecided)."
    )


def test_answer_that_helps_everywhere():
    assert answer(HELPS, HELPS, HELPS).text.endswith("times the labels. The same holds up to 1,296.")


@pytest.mark.parametrize(
    ("saving", "said"),
    [
        ({"high": "more_than"}, "takes 3.1 [2.2, more than 5.0] times"),
        ({"saving": "more_than", "high": "more_than"}, "takes more than 5.0 [2.2, more than 5.0] times"),
        ({"low": "less_than"}, "takes 3.1 [less than 1.0, 4.4] times"),
    ],
)
def test_labels_beyond_the_curve_are_no_number(saving, said):
    assert said in answer(HELPS, OPEN, **saving).text


@pytest.mark.parametrize("interval", [HURTS, SAME, OPEN])
def test_only_a_gain_is_told_in_labels(interval):
    assert "times the labels" not in answer(interval).text


def test_a_curve_of_one_point_says_nothing_of_labels():
    table = verdict_rows(HELPS)
    (only,) = answers(table, saving_rows(table).assign(least=1.0, most=1.0), MARGIN)
    assert only.text.endswith("(helps).")


def test_answer_that_hurts():
    text = answer(HURTS).text
    assert "changes macro AUROC by -0.050 [-0.080, -0.020] against training from scratch (hurts)." in text
    assert " gains " not in text


def test_answer_that_is_equivalent():
    assert "the difference of 0.002 [-0.004, 0.008] macro AUROC lies within ±0.01 (equivalent)." in answer(SAME).text


def test_answer_that_is_undecided():
    assert (
        "differs by 0.008 [-0.020, 0.027] macro AUROC: the interval does not decide (undecided)." in answer(OPEN).text
    )


def test_answer_without_a_score():
    nothing = (float("nan"),) * 3
    assert "has no macro AUROC" in answer(nothing).text
    assert "nan" not in answer(nothing).text


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ((HELPS, OPEN), "The same holds up to 90. At 1,296 no difference is shown (undecided)."),
        ((OPEN, HURTS), "At 90 no difference is shown (undecided). At 1,296 it hurts, -0.050 [-0.080, -0.020]."),
        ((SAME, SAME), "From 90 on the two are equivalent (within ±0.01)."),
        ((OPEN, HELPS), "At 1,296 it helps, 0.096 [0.017, 0.188]."),
    ],
)
def test_answer_says_what_more_labels_bring(later, said):
    assert answer(HELPS, *later).text.endswith(said)


def test_answers_leave_out_controls_and_keep_the_smallest_fraction_first():
    table = pd.concat([verdict_rows(OPEN, HELPS)[::-1], verdict_rows(OPEN, source="hospital-shuffled")])
    (only,) = answers(table, saving_rows(table), MARGIN)
    assert only.verdict == "undecided"
    assert "With 30 labelled" in only.text


@pytest.mark.parametrize("intervals", [(OPEN, OPEN), (OPEN, SAME)])
def test_untrained_weights_that_do_as_well_as_others(intervals):
    (control,) = controls(verdict_rows(*intervals, source="hospital-untrained"))
    assert control.passed
    assert control.text == (
        "Control: gru from untrained weights is as good on clinic as from scratch, at any number of recordings, as"
        " expected."
    )


@pytest.mark.parametrize(("found", "said"), [(HELPS, "helps, 0.096 [0.017, 0.188]"), (HURTS, "hurts, -0.050")])
def test_untrained_weights_that_differ_anywhere_are_a_warning(found, said):
    (control,) = controls(verdict_rows(OPEN, found, source="hospital-untrained"))
    assert not control.passed
    assert control.text.startswith("WARNING, control: gru")
    assert f"at 90 ({said}" in control.text


@pytest.mark.parametrize(
    ("control", "owed"),
    [
        (("hospital-shuffled", "finetune"), "what the signals of a source bring without its labels."),
        (("hospital-untrained", "partial:2"), "what this method reaches alone."),
    ],
)
def test_what_can_help_by_itself_is_no_warning(control, owed):
    source, method = control
    (found,) = controls(verdict_rows(HELPS, OPEN, source=source, method=method))
    assert found.passed
    assert "differs from scratch on clinic by 0.096 [0.017, 0.188] macro AUROC with 30 recordings (helps)" in found.text
    assert found.text.endswith(owed)


def test_sentences_say_the_method_where_not_all_layers_are_fine_tuned():
    table = pd.concat(
        verdict_rows(OPEN, source=source, method=method)
        for source in ("hospital", "hospital-shuffled")
        for method in ("finetune", "partial:2")
    )
    assert [
        found.text.split(" differs")[0].partition("gru ")[2] for found in answers(table, saving_rows(table), MARGIN)
    ] == [
        "pre-trained on hospital",
        "pre-trained on hospital, lowest 2 layer groups frozen (partial)",
    ]
    assert [
        found.text.partition("labels of ")[2].split(" differs")[0].partition("gru ")[0] or found.text
        for found in controls(table)
    ] == [
        "hospital",
        "hospital, lowest 2 layer groups frozen (partial)",
    ]
