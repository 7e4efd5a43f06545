"""What recordings, patients and sites are called: texts that other programs take for numbers, dates or nothing."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal

from truth import Recording
from ways import Cells

_NOTHING = (
    "NA", "null", "NaN", "None", "N/A", "nan", "<NA>", "NULL", "n/a", "#N/A", "-nan", "none", "1.#QNAN", "-", ".", "?",
    "NIL", "undefined", "missing", "unknown", "#VALUE!",
)  # fmt: skip
_TRUTH = ("TRUE", "False", "yes", "NO", "on", "Off", "y", "n", "inf", "-inf", "Infinity")


def _one_of(words: tuple[str, ...]) -> Callable[[int], str]:
    return lambda number: words[number] if number < len(words) else f"x{number}"


def _halves(first: str, second: str) -> Callable[[int], str]:
    """Return texts by twos, which differ in what would be lost if they were read as numbers."""
    return lambda number: (first, second)[number % 2].format(number // 2 + 1)


def _day(number: int) -> date:
    return date(2019, 12, 1) + timedelta(days=number)


TEXTS: dict[str, Callable[[int], str]] = {
    "numbers": lambda number: str(number + 1),
    "numbers from 0": str,
    "zeros in front": lambda number: f"{number + 1:05d}",
    "01 and 1": _halves("0{}", "{}"),
    "1.10 and 1.1": lambda number: f"1.{number + 1}",
    "1.0 and 1": _halves("{}.0", "{}"),
    "1.": _halves("{}.", "{}.00"),
    "1e5 and 100000": _halves("{}e5", "{}00000"),
    "1E5 and 1e5": _halves("{}E5", "{}e5"),
    "+1, -1": _halves("+{}", "-{}"),
    "1_0 and 10": _halves("1_{}", "1{}"),
    "0x1": lambda number: f"0x{number + 1:X}",
    "1,000": lambda number: f"{number + 1},000",
    "decimal commas": lambda number: f"1,{number + 1}",
    "of 20 digits": lambda number: str(10**19 + number),
    "other digits": _halves("\u0661{}", "1{}"),
    "words for nothing": _one_of(_NOTHING),
    "words for truth": _one_of(_TRUTH),
    "dates": lambda number: _day(number).isoformat(),
    "German dates": lambda number: f"{_day(number):%d.%m.%Y}",
    "American dates": lambda number: f"{_day(number):%m/%d/%Y}",
    "times of day": lambda number: f"{number // 60 + 12:02d}:{number % 60:02d}",
    "umlauts": lambda number: f"M\u00fcller-{number + 1} \u00df",
    "other scripts": lambda number: f"\u60a3\u8005{number + 1}",
    "pictures": lambda number: f"\U0001fac0{number + 1}",
    "capitals matter": lambda number: f"{'aA'[number % 2]}{number // 2}",
    "blanks inside": _halves("{} a", "{}  a"),
    "hard blanks inside": lambda number: f"a\u00a0{number + 1}",
    "long": lambda number: f"{number + 1}-" + "x" * 200,
    "dollars": lambda number: f"$x_{number + 1}$",
    "TeX": lambda number: rf"$\frac{{{number + 1}}}{{2",
    "HTML": lambda number: f"<b id='{number + 1}'>&amp;</b>",
    "commas": lambda number: f"a,{number + 1}",
    "semicolons": lambda number: f"a;{number + 1}",
    "bars": lambda number: f"a|{number + 1}",
    "tabs": lambda number: f"a\t{number + 1}",
    "line breaks": lambda number: f"a\n{number + 1}",
    "carriage returns": lambda number: f"a\r{number + 1}",
    "double quotes": lambda number: f'5"{number + 1}"',
    "single quotes": lambda number: f"O'{number + 1}'",
    "slashes": lambda number: f"2020/{number + 1}",
    "backslashes": lambda number: f"a\\{number + 1}",
    "points first": lambda number: f"../{number + 1}",
    "number signs": lambda number: f"#{number + 1}",
    "colons": lambda number: f"ward:{number + 1}",
    "formulas": lambda number: f"=A{number + 1}",
    "braces": lambda number: f"{{{number + 1}}}",
    "per cent": lambda number: f"%d{number + 1}",
}


def _cells(
    field: Literal["number", "patient", "site"], text: Callable[[int], str], told: tuple[str, ...] = ()
) -> Cells:
    return Cells(write=lambda recording: text(getattr(recording, field)), told=told)


_ALIKE = r"\d+ patients differ in capitals, blanks or leading zeros alone, such as .* count as different people"
_TOLD_OF_PATIENTS = {
    **dict.fromkeys(("01 and 1", "1E5 and 1e5", "capitals matter", "blanks inside"), (_ALIKE,)),
    "words for nothing": (_ALIKE, r"of \d+ recordings have the patient '.*' and count as one person"),
    "words for truth": (r"of \d+ recordings have the patient 'n' and count as one person",),
}
"""Notices on patients who may be one, or nobody."""


def _in_patients(recording: Recording) -> bool:
    """Return whether the patient of a recording is known where every third one is not."""
    return recording.number % 3 != 0


RECORDS = {
    "plain": Cells(write=lambda recording: f"r{recording.number + 1}"),
    **{name: _cells("number", text) for name, text in TEXTS.items()},
    "blanks around": Cells(write=lambda recording: f"  r{recording.number + 1} "),
    "some empty": Cells(
        write=lambda recording: f"r{recording.number + 1}" if recording.number != 40 else "",
        refused=r"column of records is empty",
        leaves_out=lambda recording: recording.number == 40,
    ),
}
PATIENTS = {
    "plain": Cells(write=lambda recording: f"p{recording.patient + 1}"),
    **{name: _cells("patient", text, _TOLD_OF_PATIENTS.get(name, ())) for name, text in TEXTS.items()},
    "blanks around": Cells(write=lambda recording: f" p{recording.patient + 1}  "),
    "some unknown": Cells(
        write=lambda recording: f"p{recording.patient + 1}" if _in_patients(recording) else "",
        read=lambda recording: f"p{recording.patient + 1}" if _in_patients(recording) else None,
        told=(r"\d+ of \d+ .*patient",),
    ),
    "no column": Cells(write=None, read=lambda _: None, told=(r"no column 'patient'",)),
}
SITES = {
    "plain": Cells(write=lambda recording: f"ward {recording.site + 1}"),
    **{name: _cells("site", text) for name, text in TEXTS.items()},
    "no column": Cells(write=None, read=lambda _: ""),
}
