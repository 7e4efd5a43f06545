"""How files order and name the leads: the axis `leads`, and where this is stated, the axis `leads said`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ways import Way

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_ARCHIVE = ("I", "II", "III", "aVL", "aVR", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6")
_MIXED = ("V6", "V5", "aVF", "I", "II", "III", "V1", "V2", "V3", "aVR", "aVL", "V4")


@dataclass(frozen=True, kw_only=True)
class Leads(Way):
    """Leads in the order of the files.

    Attributes
    ----------
    names
        What they are called.
    held
        What they are: a standard lead, with a minus in front where the file holds it inverted; empty for a further one.
    """

    names: tuple[str, ...]
    held: tuple[str, ...]


def _leads(held: Sequence[str], called: Callable[[str], str] = str, refused: str = "") -> Leads:
    """Return leads whose names are made from what they are; a name in brackets is a further lead's."""
    names = tuple(called(lead.strip("()")) for lead in held)
    return Leads(names=names, held=tuple("" if lead.startswith("(") else lead for lead in held), refused=refused)


def _mdc(lead: str) -> str:
    return f"MDC_ECG_LEAD_{lead.upper()}"


LEADS = {
    "standard": _leads(STANDARD),
    "of the archive": _leads(_ARCHIVE, str.upper),
    "reversed": _leads(STANDARD[::-1]),
    "mixed": _leads(_MIXED),
    "upper case": _leads(STANDARD, str.upper),
    "lower case": _leads(STANDARD, str.lower),
    "Lead I": _leads(STANDARD, lambda lead: f"Lead {lead}"),
    "LEAD_I": _leads(_MIXED, lambda lead: f"LEAD_{lead}"),
    "ECG I": _leads(STANDARD, lambda lead: f"ECG {lead}"),
    "MDC_ECG_LEAD_I": _leads(_ARCHIVE, _mdc),
    "-aVR": _leads([*STANDARD[:3], "-aVR", *STANDARD[4:]]),
    "Cabrera": _leads(_CABRERA),
    "Cabrera with a minus sign": _leads(_CABRERA, lambda lead: lead.replace("-", "\u2212")),
    "Cabrera in capitals": _leads(_CABRERA, str.upper),
    "all inverted": _leads([f"-{lead}" for lead in STANDARD]),
    "some inverted": _leads(["-V1", "II", "-I", "aVF", "V2", "-aVL", "V6", "V3", "-V4", "aVR", "III", "V5"]),
    "vx, vy, vz behind": _leads([*STANDARD, "(vx)", "(vy)", "(vz)"]),
    "further leads in between": _leads(["(V7)", *STANDARD[:6], "(V3R)", "(V4R)", *STANDARD[6:], "(X)"]),
    "a channel of breath": _leads([*_ARCHIVE[:5], "(resp)", *_ARCHIVE[5:]]),
    "eight": _leads(["I", "II", *STANDARD[6:]]),
    "eight others": _leads([*STANDARD[6:], "III", "-aVR"]),
    "without aVR": _leads([lead for lead in STANDARD if lead != "aVR"]),
    "called D1": _leads(STANDARD, lambda lead: {"I": "D1", "II": "D2", "III": "D3"}.get(lead, lead), r"unknown.*|D1"),
    "one twice": _leads([*STANDARD[:11], "V5"], refused=r"lead V5 occurs more than once"),
    "misspelt": _leads([*STANDARD[:11], "(Q6)"], refused=r"lead V6 missing and lead name 'Q6' unknown"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LeadsSaid(Way):
    """Who says the leads: the entry, or the table, whose cells join them by something."""

    joined_by: str | None = None


LEADS_SAID = {
    "by the entry": LeadsSaid(),
    "in the table, by bars": LeadsSaid(joined_by="|"),
    "in the table, by blanks": LeadsSaid(joined_by=" "),
    "in the table, by commas": LeadsSaid(joined_by=", "),
    "in the table, by semicolons": LeadsSaid(joined_by=";"),
    "in the table, by line breaks": LeadsSaid(joined_by="\n"),
}
