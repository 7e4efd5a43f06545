"""Ages and sexes as tables and headers write them, in several languages; what is not understood is left empty.

A word counts whole: the first letter of one that is not known means nothing, and 0 and 1 mean now this sex, now that.
"""

import re
import unicodedata
from functools import lru_cache
from typing import TypedDict

OLDEST_AGE = 120

_FEMALE = """
    f female fem woman girl w weiblich frau femme féminin feminin mujer femenino femenina hembra mulher feminino
    feminina donna femmina femminile vrouw vrouwelijk kvinna kvinde kvinne kobieta żeńska nainen žena zena kadın
    kadin nő женский женщина жен ж γυναίκα 女 女性 여 여성 여자
"""
_MALE = """
    m male masc man boy h männlich maennlich mann homme masculin hombre masculino varón varon macho homem uomo maschio
    maschile mannelijk mand mężczyzna mezczyzna męska mies muž muz erkek férfi
    мужской мужчина муж м άνδρας 男 男性 남 남성 남자
"""
_UNKNOWN = "u unk unknown unbekannt desconocido inconnu x n na n/a nan nat none null nil missing not_available - -- ? ."
_SEX = {word: "F" for word in _FEMALE.split()} | {word: "M" for word in _MALE.split()}
_NOT_KNOWN = {"", *(word.replace("_", " ") for word in _UNKNOWN.split())}
_MAN_OR_NOT = {"h", "v"}
"""Letters for men in languages in which ``M`` can be a woman: hombre, varón, mujer."""

_AGE = re.compile(r"(?P<number>\d{1,5}(?:[.,]\d*)?) ?(?P<unit>[^\W\d]*)\.?")
_UNITS = {
    1.0: "y yr yrs year years yo j jahr jahre a an ans año años ano anos anni anno jaar år г лет 岁 歳",
    12.0: "m mo mon mos month months monat monate mois mes meses mesi maand maanden",
    52.18: "w wk wks week weeks woche wochen semaine semaines",
    365.25: "d day days tag tage jour jours",
}
_PER_YEAR = {"": 1.0} | {word: per_year for per_year, words in _UNITS.items() for word in words.split()}


class Person(TypedDict):
    """What is known of the patient of a recording; the fields of a `Description` of the same names."""

    age_years: float | None
    sex: str
    unread: tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def person(age: str, sex: str, sexes: frozenset[str] = frozenset()) -> Person:
    """Return age in years, sex as ``F`` or ``M``, and which cells are not understood; unknown is None or empty.

    Parameters
    ----------
    age
        A number of years, with a decimal point or comma, or with a unit: ``61,5``, ``056Y`` and ``018M`` as in DICOM,
        ``61 years``. Beyond `OLDEST_AGE` it is not understood; nor is ``>89``, which is no age.
    sex
        A letter or a word.
    sexes
        Everything in the column, if it is known: along with ``H`` or ``V``, ``M`` is as likely mujer as man and not
        understood.
    """
    years, letter = _age(age), _sex(sex, sexes)
    unread = {"age": (years, age), "sex": (letter, sex)}
    return Person(
        age_years=years,
        sex=letter or "",
        unread=tuple(
            (what, cell) for what, (found, cell) in unread.items() if found is None and not says_unknown(cell)
        ),
    )


def says_unknown(cell: str) -> bool:
    """Return whether a cell means that something is not known: ``unknown``, ``NA``, or nothing."""
    return _word(cell) in _NOT_KNOWN


def _age(cell: str) -> float | None:
    found = _AGE.fullmatch(_word(cell))
    if found is None or found["unit"] not in _PER_YEAR:
        return None
    years = float(found["number"].replace(",", ".")) / _PER_YEAR[found["unit"]]
    return years if years <= OLDEST_AGE else None


def _sex(cell: str, sexes: frozenset[str]) -> str | None:
    word = _word(cell)
    if word == "m" and not _MAN_OR_NOT.isdisjoint(map(_word, sexes)):
        return None
    return _SEX.get(word)


def _word(cell: str) -> str:
    return unicodedata.normalize("NFC", cell.strip()).casefold()
