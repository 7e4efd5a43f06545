"""Age, sex, month and fold: known ways to write them, ways to say that they are unknown, and ways that mislead."""

from collections.abc import Callable

from truth import YEAR, Recording, corpus
from ways import Cells

AGE_LEFT_EMPTY = r"age of (\d+) of \d+ recordings is not understood"
SEX_LEFT_EMPTY = r"sex of (\d+) of \d+ recordings is not understood"
_UNKNOWN = ("", "NaN", "nan", "unknown", "Unknown", "NA", "N/A", "null", "None", "-", "?")
_MONTHS = ("January", "February", "March", "April", "May")


def _unknown_now_and_then(recording: Recording) -> bool:
    return recording.number % 4 == 1


def _age(text: Callable[[int], str], **more: object) -> Cells:
    return Cells(write=lambda recording: text(recording.age), read=lambda recording: float(recording.age), **more)  # type: ignore[arg-type]


def _no_age(text: Callable[[Recording], str]) -> Cells:
    """Return a way that says of every third recording what is no age."""
    return Cells(
        write=lambda recording: str(recording.age) if recording.number % 3 else text(recording),
        read=lambda recording: float(recording.age) if recording.number % 3 else None,
        told=(AGE_LEFT_EMPTY,),
    )


def _months(age: int) -> str:
    """Return an age as DICOM writes it: three digits and a letter, in months where that is enough."""
    return f"{12 * age:03d}M" if 12 * age < 1000 else f"{age:03d}Y"


def _unknown(word: str, text: Callable[[Recording], str], read: Callable[[Recording], object]) -> Cells:
    return Cells(
        write=lambda recording: word if _unknown_now_and_then(recording) else text(recording),
        read=lambda recording: None if _unknown_now_and_then(recording) else read(recording),
    )


AGES = {
    "plain": _age(str),
    "56.0": _age("{}.0".format),
    "56.00": _age("{}.00".format),
    "056": _age("{:03d}".format),
    "+56": _age("+{}".format, or_unread=True),
    "5.6e1": _age(lambda age: f"{age / 10:.1f}e1", or_unread=True),
    "56,0": _age("{},0".format),
    "056Y": _age("{:03d}Y".format),
    "56y": _age("{}y".format),
    "672M": _age(_months),
    "56 years": _age("{} years".format),
    "56 Years": _age("{} Years".format),
    "56 yrs": _age("{} yrs".format, or_unread=True),
    "56 Jahre": _age("{} Jahre".format, or_unread=True),
    "56 a\u00f1os": _age("{} a\u00f1os".format, or_unread=True),
    "blanks around": _age(" {}  ".format),
    **{
        f"unknown as {word or 'nothing'}": _unknown(word, lambda r: str(r.age), lambda r: float(r.age))
        for word in _UNKNOWN
    },
    "no column": Cells(write=None, read=lambda _: None),
    ">89": _no_age(lambda _: ">89"),
    "90+": _no_age(lambda _: "90+"),
    "300": _no_age(lambda _: "300"),
    "-1": _no_age(lambda _: "-1"),
    "999": _no_age(lambda _: "999"),
    "year of birth": _no_age(lambda recording: str(YEAR - recording.age)),
    "date of birth": _no_age(lambda recording: f"{YEAR - recording.age}-03-01"),
    "a range": _no_age(lambda recording: f"{recording.age - 5}-{recording.age + 5}"),
    "a word": _no_age(lambda _: "adult"),
    "half a word": _no_age(lambda recording: f"{recording.age} or so"),
    "another unit": _no_age(lambda recording: f"{recording.age}X"),
    "another number": _no_age(lambda recording: f"1_{recording.age % 10}"),
}


def _sexes(female: str, male: str, **more: object) -> Cells:
    words = {"female": female, "male": male}
    letters = {"female": "F", "male": "M"}
    return Cells(write=lambda recording: words[recording.sex], read=lambda recording: letters[recording.sex], **more)  # type: ignore[arg-type]


def _no_sex(female: str, male: str) -> Cells:
    words = {"female": female, "male": male}
    return Cells(write=lambda recording: words[recording.sex], read=lambda _: None, told=(SEX_LEFT_EMPTY,))


def _unknown_sex(word: str) -> Cells:
    return _unknown(word, lambda r: r.sex, lambda r: {"female": "F", "male": "M"}[r.sex])


def _strange_sex(word: str) -> Cells:
    """Return a way that says of some recordings a word that may mean unknown, and may be worth a notice."""
    return Cells(write=_unknown_sex(word).write, read=_unknown_sex(word).read, or_unread=True)


SEXES = {
    "plain": _sexes("female", "male"),
    "F, M": _sexes("F", "M"),
    "f, m": _sexes("f", "m"),
    "Female, Male": _sexes("Female", "Male"),
    "FEMALE, MALE": _sexes("FEMALE", "MALE"),
    "woman, man": _sexes("woman", "man"),
    "Women, Men": _sexes("Women", "Men", or_unread=True),
    "girl, boy": _sexes("girl", "boy", or_unread=True),
    "F., M.": _sexes("F.", "M.", or_unread=True),
    "blanks around": _sexes(" female ", "  male"),
    "weiblich, m\u00e4nnlich": _sexes("weiblich", "m\u00e4nnlich"),
    "Weiblich, M\u00e4nnlich": _sexes("Weiblich", "M\u00e4nnlich"),
    "WEIBLICH, M\u00c4NNLICH": _sexes("WEIBLICH", "M\u00c4NNLICH"),
    "m\u00e4nnlich, decomposed": _sexes("weiblich", "ma\u0308nnlich", or_unread=True),
    "Frau, Mann": _sexes("Frau", "Mann", or_unread=True),
    "w, m": _sexes("w", "m"),
    "Mujer, Hombre": _sexes("Mujer", "Hombre"),
    "mujer, hombre": _sexes("mujer", "hombre"),
    "Femenino, Masculino": _sexes("Femenino", "Masculino", or_unread=True),
    "femme, homme": _sexes("femme", "homme"),
    "F\u00e9minin, Masculin": _sexes("F\u00e9minin", "Masculin", or_unread=True),
    "femmina, maschio": _sexes("femmina", "maschio", or_unread=True),
    "donna, uomo": _sexes("donna", "uomo", or_unread=True),
    "mulher, homem": _sexes("mulher", "homem", or_unread=True),
    "vrouw, man": _sexes("vrouw", "man", or_unread=True),
    "kvinna, man": _sexes("kvinna", "man", or_unread=True),
    "kobieta, m\u0119\u017cczyzna": _sexes("kobieta", "m\u0119\u017cczyzna", or_unread=True),
    "\u5973, \u7537": _sexes("\u5973", "\u7537", or_unread=True),
    "F, H": _sexes("F", "H", or_unread=True),
    "M, H": _sexes("M", "H", or_unread=True),
    "V, M": _sexes("V", "M", or_unread=True),
    "K, M": _sexes("K", "M", or_unread=True),
    "0, 1": _no_sex("0", "1"),
    "1, 2": _no_sex("1", "2"),
    "2, 1": _no_sex("2", "1"),
    "TRUE, FALSE": _no_sex("TRUE", "FALSE"),
    "Mystery, Foo": _no_sex("Mystery", "Foo"),
    **{f"unknown as {word or 'nothing'}": _unknown_sex(word) for word in (*_UNKNOWN, "U", "u", "Missing", "unbekannt")},
    **{f"strange {word}": _strange_sex(word) for word in ("X", "O", "other", "divers", "not specified", "0", ".")},
    "no column": Cells(write=None, read=lambda _: None),
}


def _month(text: Callable[[Recording], str], **more: object) -> Cells:
    return Cells(write=text, read=lambda r: f"{YEAR}-{r.month:02d}", **more)  # type: ignore[arg-type]


_NO_MONTH = r"month .* does not start with year and month"

MONTHS = {
    "plain": _month(lambda r: f"{YEAR}-{r.month:02d}"),
    "2020-3": _month(lambda r: f"{YEAR}-{r.month}"),
    "2020-03-31": _month(lambda r: f"{YEAR}-{r.month:02d}-{r.day:02d}"),
    "2020/3/31": _month(lambda r: f"{YEAR}/{r.month}/{r.day}"),
    "2020/03": _month(lambda r: f"{YEAR}/{r.month:02d}"),
    "2020.03.31": _month(lambda r: f"{YEAR}.{r.month:02d}.{r.day:02d}"),
    "2020-03-31 08:15:00": _month(lambda r: f"{YEAR}-{r.month:02d}-{r.day:02d} 08:15:00"),
    "2020-03-31T08:15Z": _month(lambda r: f"{YEAR}-{r.month:02d}-{r.day:02d}T08:15Z"),
    "blanks around": _month(lambda r: f" {YEAR}-{r.month:02d}  "),
    "no column": Cells(write=None, read=lambda _: ""),
    "202003": _month(lambda r: f"{YEAR}{r.month:02d}", refused=_NO_MONTH),
    "31.03.2020": _month(lambda r: f"{r.day:02d}.{r.month:02d}.{YEAR}", refused=_NO_MONTH),
    "03/31/2020": _month(lambda r: f"{r.month:02d}/{r.day:02d}/{YEAR}", refused=_NO_MONTH),
    "March 2020": _month(lambda r: f"{_MONTHS[r.month - 1]} {YEAR}", refused=_NO_MONTH),
    "days of Excel": _month(lambda r: str(43830 + 30 * r.month), refused=_NO_MONTH),
    "some unknown": Cells(
        write=lambda r: "" if r.number % 8 == 5 else f"{YEAR}-{r.month:02d}",
        read=lambda r: "" if r.number % 8 == 5 else f"{YEAR}-{r.month:02d}",
        needs={"roles": "by patient"},
    ),
    "some NA": _month(
        lambda r: "NA" if r.number % 8 == 5 else f"{YEAR}-{r.month:02d}",
        refused=_NO_MONTH,
        leaves_out=lambda r: r.number % 8 == 5,
    ),
    "some dates of another kind": _month(
        lambda r: f"{r.day}.{r.month}.{YEAR}" if r.number % 8 == 5 else f"{YEAR}-{r.month:02d}",
        refused=_NO_MONTH,
        leaves_out=lambda r: r.number % 8 == 5,
    ),
    "month 13": _month(lambda r: f"{YEAR}-{r.month + 12}", refused=_NO_MONTH),
}


def _fold(text: Callable[[Recording], str], **more: object) -> Cells:
    return Cells(write=text, read=lambda r: str(r.fold), **more)  # type: ignore[arg-type]


def _is_last_of_patient(recording: Recording) -> bool:
    following = corpus()[recording.number + 1 :]
    return all(other.patient != recording.patient for other in following)


FOLDS = {
    "plain": _fold(lambda r: str(r.fold)),
    "3.0": _fold(lambda r: f"{r.fold}.0"),
    "03": _fold(lambda r: f"{r.fold:02d}"),
    "blanks around": _fold(lambda r: f" {r.fold} "),
    "some unknown": Cells(
        write=lambda r: "" if r.patient % 5 == 0 else str(r.fold),
        read=lambda r: "" if r.patient % 5 == 0 else str(r.fold),
    ),
    "no column": Cells(write=None, read=lambda _: ""),
    "some NA": _fold(
        lambda r: "NA" if r.number % 8 == 5 else str(r.fold),
        refused=r"fold 'NA' is no whole number",
        leaves_out=lambda r: r.number % 8 == 5,
    ),
    "once for a patient": Cells(
        write=lambda r: str(r.fold) if _is_last_of_patient(r) else "",
        read=lambda r: str(r.fold) if _is_last_of_patient(r) else "",
        needs={"patient": "plain"},
    ),
    "from 0": _fold(lambda r: str(r.fold - 1), refused=r"folds? .*(from|with) 1|fold 0"),
    "words": _fold(lambda r: f"fold {r.fold}", refused=r"fold 'fold \d+' is no whole number"),
    "below 0": _fold(lambda r: str(-r.fold), refused=r"fold '-\d+' is no whole number"),
    "with a fraction": _fold(lambda r: f"{r.fold}.5", refused=r"fold '\d+\.5' is no whole number"),
}
