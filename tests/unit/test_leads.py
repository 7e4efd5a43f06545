"""What names of leads mean, and which of them are refused."""

import pytest

from ecgtransfer.leads import LEADS, lead_columns


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aVR", "aVR"),
        ("AVR", "aVR"),
        ("avr", "aVR"),
        (" v1 ", "V1"),
        ("iii", "III"),
        ("MDC_ECG_LEAD_I", "I"),
        ("MDC_ECG_LEAD_aVL", "aVL"),
        ("lead_ii", "II"),
        ("Lead V4", "V4"),
        ("ECG I", "I"),
        ("ecg_v6", "V6"),
        ("", None),
        ("vx", None),
        ("V7", None),
        ("I II", None),
        ("leadI", None),
        ("ECG-I", None),
        ("V1V", None),
        ("I\u0131I", None),
        ("V\u00b2", None),
    ],
)
def test_spellings(name: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="none of the twelve leads is there"):
            lead_columns((name,))
    else:
        assert lead_columns((name,)).columns == tuple(0 if lead == expected else -1 for lead in LEADS)


def test_columns_and_signs() -> None:
    names = ("time", "v6", "V5", "V4", "V3", "V2", "V1", "II", "I", "III", "lead_-avr", "-avl", "avf", "pleth")
    assert lead_columns(names) == ((8, 7, 9, 10, 11, 12, 6, 5, 4, 3, 2, 1), (1, 1, 1, -1, -1, 1, 1, 1, 1, 1, 1, 1))


def test_minus_sign_of_typesetters() -> None:
    assert lead_columns(("I", "\u2212aVR")) == ((0, -1, -1, 1, *(-1,) * 8), (1, 1, 1, -1, *(1,) * 8))


def test_leads_that_are_not_there() -> None:
    columns = lead_columns(("V2", "I", "vx", "vy", "vz", "V4R", "V8", "x")).columns
    assert columns == tuple({"I": 1, "V2": 0}.get(lead, -1) for lead in LEADS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("I", "II", "i"), "lead I occurs more than once"),
        ((*LEADS, "-avf", "v3"), "lead aVF, V3 occurs more than once"),
        (("I", "II", "aRV"), "lead III, aVR, .* missing and lead name 'aRV' unknown"),
        (("I", ""), "lead name '' unknown"),
        (("vx", "vy"), "none of the twelve leads is there, found 'vx', 'vy'"),
        ((), "none of the twelve leads is there, found no name"),
        (("a\nb\x85",), r"found 'a\\nb\\x85'"),
    ],
)
def test_names_that_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lead_columns(names)
