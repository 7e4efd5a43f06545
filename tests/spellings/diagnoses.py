"""Labels: as SNOMED CT codes, or as words that a table of labels translates; joined, spelt and lost in many ways."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truth import Recording
from ways import Way

from ecgtransfer.acquire.simulate import SNOMED_CODES

_NAME = {code: name for name, code in SNOMED_CODES.items()}
_GERMAN = {
    "AF": "Vorhofflimmern", "SB": "Sinusbradykardie", "STach": "Sinustachykardie", "IAVB": "AV-Block I\u00b0",
    "CLBBB": "Linksschenkelblock, vollst\u00e4ndig", "CRBBB": "Rechtsschenkelblock, vollst\u00e4ndig",
    "PVC": "ventrikul\u00e4re Extrasystolen", "PAC": "supraventrikul\u00e4re Extrasystolen", "STD": "ST-Senkung",
    "STE": "ST-Hebung", "LVH": "Linksherzvergr\u00f6\u00dferung", "TInv": "T-Negativierung; unspezifisch",
}  # fmt: skip
_PUNCTUATED = {
    "AF": "atrial fibrillation (AF)", "SB": "rhythm: sinus, < 60/min", "IAVB": "PR > 200 ms; 1st degree AV block",
    "CLBBB": "LBBB = complete", "CRBBB": "RBBB, \"complete\"", "PVC": "PVC's", "PAC": "PAC/SVES",
}  # fmt: skip
_NOTHING = {"AF": "NA", "SB": "null", "LVH": "None", "TInv": "nan", "PVC": "-"}
_NOBODYS = "164889088"
"""A number that can be a code of SNOMED CT and is none."""

Words = Callable[[str], str]
"""From a SNOMED CT code to what the hospital calls it."""


@dataclass(frozen=True, kw_only=True)
class Diagnoses(Way):
    """One way to write the labels of a recording.

    Attributes
    ----------
    cell
        From the codes of a recording, and its number, to the cell.
    table
        Statement and codes, the rows of the table of labels; None without one.
    """

    cell: Callable[[Sequence[str], int], str]
    table: Sequence[tuple[str, str]] | None = None


def _short(code: str) -> str:
    return f"Finding {_NAME[code]}"


def _german(code: str) -> str:
    return _GERMAN[_NAME[code]] if _NAME[code] in _GERMAN else _NAME[code]


def _punctuated(code: str) -> str:
    return _PUNCTUATED.get(_NAME[code], _NAME[code])


def _as_is(text: str) -> str:
    return text


def _translated(
    words: Words = _short,
    joined_by: str = "|",
    key: str | None = None,
    in_cell: Callable[[str], str] = _as_is,
    in_table: Callable[[str], str] = _as_is,
    more: Callable[[int], Sequence[str]] = lambda _: (),
    whole: Callable[[str], str] = _as_is,
    **how: Any,
) -> Diagnoses:
    """Return labels as words: `in_cell` and `in_table` spell a word there, `more` adds some, `whole` ends the cell."""

    def cell(codes: Sequence[str], number: int) -> str:
        said = [in_cell(words(code)) for code in codes]
        return whole(joined_by.join([*said, *more(number)])) if said else ""

    keys: Mapping[str, Any] = {} if key is None else {"label_separator": key}
    table = [(in_table(words(code)), code) for code in SNOMED_CODES.values()]
    return Diagnoses(cell=cell, table=table, keys=keys, **how)


def _coded(joined_by: str = "|", key: str | None = None, **how: Any) -> Diagnoses:
    keys: Mapping[str, Any] = {} if key is None else {"label_separator": key}
    return Diagnoses(cell=lambda codes, _: joined_by.join(codes), keys=keys, **how)


def _listed(codes: Sequence[str], _: int) -> str:
    return str(list(codes)) if codes else ""


def _as_numbers(codes: Sequence[str], _: int) -> str:
    return "|".join(f"{code}.0" for code in codes)


def _as_excel(codes: Sequence[str], _: int) -> str:
    return "|".join(f"{float(code):.5E}" for code in codes)


def _unknown_now_and_then(number: int) -> Sequence[str]:
    return ("artefact",) if number % 3 == 0 else ()


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


_UNKNOWN_STATEMENTS = r"statements? .*not in the label table.*artefact|artefact.*not in the label table"


def _separator(mark: str) -> str:
    """Return the advice that must be given, as a regular expression."""
    return rf"set `label_separator: '{re.escape(mark)}'`"


DIAGNOSES = {
    "codes": _coded(),
    "codes by semicolons": _coded(";", ";"),
    "codes by commas": _coded(",", ","),
    "codes by commas and blanks": _coded(", ", ","),
    "codes by blanks": _coded(" ", " "),
    "codes by slashes": _coded(" / ", "/"),
    "codes by plus signs": _coded("+", "+"),
    "codes by line breaks": _coded("\n", "\n"),
    "codes by tabs": _coded("\t", "\t"),
    "codes, blanks around bars": _coded(" | "),
    "codes, a bar behind": Diagnoses(cell=lambda codes, _: "".join(f"{code}|" for code in codes)),
    "codes, two bars": _coded("||"),
    "codes, one twice": Diagnoses(cell=lambda codes, _: "|".join([*codes, *codes[:1]])),
    "codes by semicolons, unsaid": _coded(";", refused=_separator(";")),
    "codes by commas, unsaid": _coded(",", refused=_separator(",")),
    "codes by blanks, unsaid": _coded(" ", refused=_separator(" ")),
    "codes by plus signs, unsaid": _coded("+", refused=_separator("+")),
    "codes by bars, said otherwise": _coded("|", ";", refused=_separator("|")),
    "codes as numbers": Diagnoses(cell=_as_numbers),
    "codes as Excel shows them": Diagnoses(cell=_as_excel, refused=r"not a SNOMED CT code"),
    "codes as a list of Python": Diagnoses(cell=_listed, refused=r"not a SNOMED CT code|label_separator"),
    "codes, words among them": Diagnoses(
        cell=lambda codes, number: "|".join([*codes, *["AF"][: number % 11 == 3]]),
        leaves_out=lambda recording: bool(recording.codes) and recording.number % 11 == 3,
        refused=r"label 'AF' is not a SNOMED CT code",
    ),
    "codes with a wrong digit among them": Diagnoses(
        cell=lambda codes, number: "|".join([*codes, *["164889004"][: number % 11 == 3]]),
        leaves_out=lambda recording: bool(recording.codes) and recording.number % 11 == 3,
        refused=r"label '164889004' is not a SNOMED CT code, its check digit is wrong",
    ),
    "codes of nobody among them": Diagnoses(
        cell=lambda codes, number: "|".join([*codes, *[_NOBODYS][: number % 30 == 3]]), told=(_NOBODYS,)
    ),
    "words, no table": Diagnoses(
        cell=lambda codes, _: "|".join(map(_short, codes)), refused=r"not a SNOMED CT code .*has no `label_table`"
    ),
    "words": _translated(),
    "words in capitals": _translated(in_cell=str.upper),
    "words in small letters": _translated(in_cell=str.lower),
    "words in capitals in the table": _translated(in_table=str.upper),
    "words with a full stop": _translated(in_cell="{}.".format),
    "words with a full stop in the table": _translated(in_table="{}.".format),
    "words with blanks around": _translated(in_cell=" {}  ".format),
    "words with two blanks inside": _translated(in_cell=lambda word: word.replace(" ", "  ")),
    "words by semicolons": _translated(joined_by=";", key=";"),
    "words by semicolons and blanks": _translated(joined_by="; ", key=";"),
    "words by commas": _translated(joined_by=",", key=","),
    "words by commas and blanks": _translated(joined_by=", ", key=", "),
    "words by slashes": _translated(joined_by=" / ", key=" / "),
    "words by slashes, said without blanks": _translated(joined_by=" / ", key="/"),
    "words by line breaks": _translated(joined_by="\n", key="\n"),
    "words by line breaks of Windows": _translated(joined_by="\r\n", key="\n"),
    "words by and": _translated(joined_by=" and ", key=" and "),
    "words by plus signs": _translated(joined_by="+", key="+"),
    "words by semicolons, unsaid": _translated(joined_by=";", refused=_separator(";")),
    "words by commas, unsaid": _translated(joined_by=", ", refused=_separator(",")),
    "words by slashes, unsaid": _translated(joined_by=" / ", refused=_separator("/")),
    "words by plus signs, unsaid": _translated(joined_by="+", refused=_separator("+")),
    "words by bars, said otherwise": _translated(joined_by="|", key=";", refused=_separator("|")),
    "words as a list of Python": _translated(
        joined_by="', '", whole=lambda cell: f"['{cell}']", refused=r"label_separator|not in the label table"
    ),
    "German words": _translated(_german),
    "German words in capitals": _translated(_german, in_cell=str.upper),
    "German words, decomposed": _translated(_german, in_cell=_nfd),
    "German words, decomposed in the table": _translated(_german, in_table=_nfd),
    "punctuation": _translated(_punctuated),
    "bars in words": _translated(lambda code: f"{_NAME[code]}|found", joined_by=";", key=";"),
    "numbers for words": _translated(lambda code: f"{len(_NAME[code])}.{list(_NAME).index(code)}0"),
    "unknown ones": _translated(more=_unknown_now_and_then, told=(_UNKNOWN_STATEMENTS,)),
    "words for nothing": _translated(lambda code: _NOTHING.get(_NAME[code], _NAME[code])),
    "words with @ and a number": _translated(lambda code: f"{_NAME[code]}@80"),
    "words with + in them": _translated(lambda code: f"{_NAME[code]}+x"),
    "another table": Diagnoses(
        cell=lambda codes, _: "|".join(map(_short, codes)), table=[("normal ECG", "426783006")],
        refused=r"not in the label table|no label is in and out",
    ),
    "two codes in a row of the table": Diagnoses(
        cell=lambda codes, _: "|".join(codes if len(codes) < 2 else ["_".join(codes[:2]), *codes[2:]]),
        table=[
            *((code, code) for code in SNOMED_CODES.values()),
            *((f"{a}_{b}", f"{a}|{b}") for a in SNOMED_CODES.values() for b in SNOMED_CODES.values() if a != b),
        ],
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Empty(Way):
    """What the cell of a recording without label says, and whether that means that it has none."""

    cell: str = ""
    means_none: bool = True


_NEGATIVE = {"empty_labels": "negative"}
_COUNTED = (r"recordings have an empty cell of labels and count as negative for every label",)

EMPTY = {
    "negative": Empty(keys=_NEGATIVE, told=_COUNTED),
    "unknown": Empty(
        keys={"empty_labels": "unknown"},
        means_none=False,
        told=(r"recordings have an empty cell of labels, so their labels are unknown",),
    ),
    "unsaid": Empty(refused=r"empty_labels.*negative.*unknown"),
    "a blank": Empty(keys=_NEGATIVE, cell="  ", told=_COUNTED),
    "NA": Empty(
        keys=_NEGATIVE,
        cell="NA",
        needs={"labels": "codes"},
        refused=r"label 'NA' is not a SNOMED CT code",
        leaves_out=lambda recording: not recording.codes,
    ),
    "separators alone": Empty(keys=_NEGATIVE, cell="|", needs={"labels": "codes"}),
}


def words_of(way: Diagnoses, recording: Recording, empty: Empty) -> str:
    """Return the cell of a recording."""
    return way.cell(recording.codes, recording.number) if recording.codes else empty.cell
