"""Which recordings are drawn, and the line above them."""

import pandas as pd
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.report.recordings import choose_recordings, diagnoses_in_words, recording_title

ABBREVIATIONS = {"1": "NSR", "2": "AF"}


def records(*codes: str | None) -> pd.DataFrame:
    return pd.DataFrame({"record_id": [f"r{i}" for i in range(len(codes))], "codes": codes})


def chosen_ids(table: pd.DataFrame, n_recordings: int) -> list[str]:
    return [record["record_id"] for record in choose_recordings(table, n_recordings)]


def test_most_frequent_sets_of_diagnoses_come_first_one_recording_each() -> None:
    table = records("2", "1", "1", "2|1", "1", "1|2", "3")
    assert chosen_ids(table, 3) == ["r1", "r3", "r0"]


def test_other_recordings_fill_up_where_sets_are_few() -> None:
    assert chosen_ids(records("1", "1", None, "1"), 4) == ["r0", "r2", "r1", "r3"]


def test_choice_depends_on_nothing_but_the_table() -> None:
    table = records(*(str(i % 7) for i in range(100)))
    assert chosen_ids(table, 20) == chosen_ids(table.copy(), 20)
    assert len(set(chosen_ids(table, 20))) == 20


def test_too_few_recordings_are_a_clear_error() -> None:
    with pytest.raises(InputError, match=r"per_dataset is 3, but there are only 2"):
        choose_recordings(records("1", "2"), 3)


def test_title() -> None:
    record = {"record_id": "17", "age_years": 63.4, "sex": "F", "codes": "1|2|99"}
    assert recording_title("clinic", record, ABBREVIATIONS) == "clinic, record 17: 63 years, female, NSR AF 99"


def test_title_leaves_out_what_is_unknown() -> None:
    record = {"record_id": "17", "age_years": float("nan"), "sex": None, "codes": float("nan")}
    assert recording_title("clinic", record, ABBREVIATIONS) == "clinic, record 17: no diagnosis"


def test_long_title_is_cut_to_the_page() -> None:
    record = {"record_id": "17", "age_years": 63, "sex": "M", "codes": "|".join(["99"] * 60)}
    title = recording_title("clinic", record, ABBREVIATIONS)
    assert len(title) <= 96
    assert title.endswith("…")


def test_diagnoses_in_words() -> None:
    names = {"1": "sinus rhythm", "2": "atrial fibrillation"}
    assert diagnoses_in_words("2|1|99", names) == "atrial fibrillation, sinus rhythm, 99"
    assert diagnoses_in_words(None, names) == "no diagnosis"
