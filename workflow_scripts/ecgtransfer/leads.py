"""The twelve leads: their order here, and the names that files give them."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Lead order of every array in this project."""

_BY_LOWER_CASE = {lead.lower(): lead for lead in LEADS}


def standard_lead_name(name: str) -> str | None:
    """Return the standard spelling of a lead name (``AVR``, ``avr`` -> ``aVR``); None if it is none of the twelve."""
    return _BY_LOWER_CASE.get(name.strip().lower())


def rows_in_standard_order(names: list[str]) -> list[int]:
    """Return where each of the twelve leads stands in `names`, in standard order.

    Raises
    ------
    ValueError
        If a lead is missing or occurs twice; the message names it.
    """
    standard = [standard_lead_name(name) for name in names]
    missing = [lead for lead in LEADS if lead not in standard]
    if missing:
        raise ValueError(f"lead {', '.join(missing)} missing, found {', '.join(names) or 'none'}")
    twice = [lead for lead in LEADS if standard.count(lead) > 1]
    if twice:
        raise ValueError(f"lead {', '.join(twice)} occurs more than once")
    return [standard.index(lead) for lead in LEADS]
