"""Ages and sexes in the words of many tables; what is not understood is empty and reported."""

import pytest

from ecgtransfer.prepare.people import person


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        ("56", 56), ("56.0", 56), ("61,5", 61.5), (" 061 ", 61), ("0", 0), ("120", 120),
        ("056Y", 56), ("018M", 1.5), ("026W", 26 / 52.18), ("073D", 73 / 365.25), ("672M", 56),
        ("56 years", 56), ("56 yrs.", 56), ("56 Jahre", 56), ("56 ans", 56), ("56 años", 56), ("6 months", 0.5),
    ],
)  # fmt: skip
def test_ages(cell: str, years: float) -> None:
    found = person(cell, "")
    assert found["age_years"] == pytest.approx(years)
    assert found["unread"] == ()


@pytest.mark.parametrize("cell", [">89", "90+", "300", "121", "-1", "56 cm", "5 6", "1e1", "fifty", "56/60"])
def test_what_is_no_age_is_empty_and_said(cell: str) -> None:
    assert person(cell, "") == {"age_years": None, "sex": "", "unread": (("age", cell),)}


@pytest.mark.parametrize(
    ("words", "letter"),
    [
        (
            "F f Female FEMALE woman W weiblich Frau Mujer femme féminin Feminino donna vrouw kvinna женский 女",
            "F",
        ),
        ("M m Male MALE man männlich Mann Hombre masculino homme masculin Masculino uomo мужской 男 H", "M"),
    ],
)
def test_sexes(words: str, letter: str) -> None:
    for word in words.split():
        assert person("", word) == {"age_years": None, "sex": letter, "unread": ()}, word


@pytest.mark.parametrize("word", ["0", "1", "FALSE", "True", "Frauenklinik", "Missouri", "Medium", "V", "other", "2"])
def test_first_letter_of_an_unknown_word_means_nothing(word: str) -> None:
    assert person("", word) == {"age_years": None, "sex": "", "unread": (("sex", word),)}


@pytest.mark.parametrize("word", ["", " ", "NA", "n/a", "NaN", "unknown", "Missing", "null", "?", "-", "U"])
def test_who_says_that_it_is_not_known_has_said_nothing(word: str) -> None:
    assert person(word, word) == {"age_years": None, "sex": "", "unread": ()}


@pytest.mark.parametrize("other", ["H", "h", "V", "v "])
def test_letter_for_a_woman_in_one_language_and_a_man_in_another(other: str) -> None:
    """Hombre and mujer, varón and mujer: M along with H or V is not known to be a man."""
    assert person("", "M", frozenset({"M", other}))["unread"] == (("sex", "M"),)
    assert person("", "M", frozenset({"M", "F", ""}))["sex"] == "M"
    assert person("", "Male", frozenset({"Male", other}))["sex"] == "M"
