"""One truth, many spellings: each way to write one thing alone, all else plain."""

from dataclasses import replace

import pytest
from array_files import ARRAY_FORMATS, ROWS
from recordings import FORMATS, GAINS, SHAPES
from spelling import Choice, as_text, values_alone
from tables import SEPARATORS
from trial import Trials
from ways import NotWritable


def test_plain(trials: Trials) -> None:
    _assert_none(trials, {})


@pytest.mark.parametrize(("axis", "way"), [pytest.param(*value, id=": ".join(value)) for value in values_alone()])
def test_alone(trials: Trials, axis: str, way: str) -> None:
    _assert_none(trials, {axis: way})


@pytest.mark.parametrize(
    ("format_", "shape"),
    [
        (format_, shape)
        for format_, way in ARRAY_FORMATS.items()
        for shape, axes in SHAPES.items()
        if not way.refused and (way.fortran or not axes.fortran) and (way.holds == ROWS or not axes.records_axis)
    ],
)
def test_every_shape_in_every_format(trials: Trials, format_: str, shape: str) -> None:
    _assert_none(trials, {"format": format_, "shape": shape})


@pytest.mark.parametrize(
    "choice",
    [
        {"shape": "recordings last, samples first", "rows said": "from 1"},
        {"month": "no column", "columns": "swapped names"},
        *(
            {"columns": "line breaks in names", "separator": separator}
            for separator, way in SEPARATORS.items()
            if not way.refused
        ),
    ],
    ids=as_text,
)
def test_pair_that_once_was_wrong(trials: Trials, choice: Choice) -> None:
    _assert_none(trials, choice)


@pytest.mark.parametrize("format_", [name for name, way in FORMATS.items() if not way.refused])
def test_inverted_leads_in_every_format(trials: Trials, format_: str) -> None:
    _assert_none(trials, {"format": format_, "leads": "some inverted"})


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("format_", ["wfdb 32", "wfdb 212", "wfdb 8", "wfdb 524", "wfdb of the Challenge"])
def test_every_gain_in_formats_of_every_kind(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, format_: str, gain: str
) -> None:
    needs = {axis: way for axis, way in GAINS[gain].needs.items() if axis != "format"}  # which is given here
    monkeypatch.setitem(GAINS, gain, replace(GAINS[gain], needs=needs))
    _assert_none(trials, {"format": format_, "gain": gain})


def _assert_none(trials: Trials, choice: Choice) -> None:
    try:
        faults = trials.faults(choice)
    except NotWritable as error:
        pytest.skip(str(error))
    assert not faults, "\n".join(faults)
