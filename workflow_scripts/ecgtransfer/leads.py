"""The twelve leads: their order here, and the names that files give them."""

import re
from functools import lru_cache
from typing import NamedTuple

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Lead order of every array in this project."""

INDEPENDENT = (0, 1, 6, 7, 8, 9, 10, 11)
"""Leads I, II and V1 to V6; the other four are sums of I and II."""

_BY_LOWER_CASE = {lead.lower(): lead for lead in LEADS}
_NAME = re.compile(r"(?:mdc[ _])?(?:ecg[ _])?(?:lead[ _])?(?P<minus>[-\u2212]?)(?P<lead>[a-z0-9]+)", re.IGNORECASE)
_FURTHER_LEAD = re.compile(r"v?[xyz]|v[7-9]|v[1-9]r", re.IGNORECASE)
"""Leads beyond the twelve that recordings carry: Frank's (``vx``), posterior (``V7``) and right-sided (``V4R``)."""


class LeadColumns(NamedTuple):
    """Where the twelve leads are among the names of a file, in standard order."""

    columns: tuple[int, ...]
    """Position among the names, -1 for a lead that is not there."""

    signs: tuple[int, ...]
    """-1 for a lead that the file holds inverted, else 1."""


@lru_cache(maxsize=1024)
def lead_columns(names: tuple[str, ...]) -> LeadColumns:
    """Return where each of the twelve leads is in `names`; a leading minus (``-aVR``) means the inverted lead.

    Case does not matter (``AVR``, ``avr``), nor does a prefix of ``MDC``, ``ECG`` and ``LEAD``, in this order, each
    followed by a blank or an underscore (``MDC_ECG_LEAD_I``, ``Lead I``).
    A name that is no lead (``time``, ``resp``) is passed over where all twelve are there; otherwise it may be a
    misspelt lead and is an error. Leads beyond the twelve (``vx``, ``V7``, ``V4R``) are always passed over.

    Raises
    ------
    ValueError
        If none of the twelve is there, one occurs twice or a name is unknown; the message names it.
    """
    found = [_lead_and_sign(name) for name in names]
    at = {lead: column for column, (lead, _) in enumerate(found) if lead}
    twice = [lead for lead in LEADS if sum(lead == other for other, _ in found) > 1]
    if twice:
        raise ValueError(f"lead {', '.join(twice)} occurs more than once")
    unknown = [
        name
        for name, (lead, _) in zip(names, found, strict=True)
        if lead is None and not _FURTHER_LEAD.fullmatch(name.strip())
    ]
    if not at:
        raise ValueError(f"none of the twelve leads is there, found {_listed(names)}")
    if unknown and len(at) < len(LEADS):
        missing = [lead for lead in LEADS if lead not in at]
        raise ValueError(f"lead {', '.join(missing)} missing and lead name {_listed(unknown)} unknown")
    columns = tuple(at.get(lead, -1) for lead in LEADS)
    return LeadColumns(columns, tuple(1 if column < 0 else found[column][1] for column in columns))


def _lead_and_sign(name: str) -> tuple[str | None, int]:
    found = _NAME.fullmatch(name.strip())
    if found is None:
        return None, 1
    return _BY_LOWER_CASE.get(found["lead"].lower()), -1 if found["minus"] else 1


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(repr(name[:30]) for name in names[:15]) or "no name"
