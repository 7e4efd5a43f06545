"""The sections of the page that findings fill, each with a question and what its findings show on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import pandas as pd

from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.findings.asked import ROOMS, asked
from ecgtransfer.findings.contents import GAINS, NEEDS, Section


@dataclass(frozen=True)
class FilledSection:
    """A section with what its findings show."""

    section: Section
    parts: Sequence[Part]


@dataclass(frozen=True)
class Chapter:
    """Sections under one heading."""

    anchor: str
    title: str
    filled: Sequence[FilledSection]


def chapters(findings: Mapping[str, pd.DataFrame]) -> list[Chapter]:
    """Return what findings show: first what is gained, then what it takes. What there is stands before both."""
    return [
        Chapter("gain", "What you gain", sections(GAINS, findings)),
        Chapter("need", "What you would need", sections(NEEDS, findings)),
    ]


def sections(of_page: Sequence[Section], findings: Mapping[str, pd.DataFrame]) -> list[FilledSection]:
    """Return those of some sections whose findings have something to show, in the order of the page.

    Parameters
    ----------
    of_page
        Of `ecgtransfer.findings.contents`.
    findings
        The tables of the findings that the study asks for, by name.
    """
    filled = [FilledSection(section, [*_parts(section, findings)]) for section in of_page]
    return [each for each in filled if each.parts]


def _parts(section: Section, findings: Mapping[str, pd.DataFrame]) -> list[Part]:
    parts = []
    for finding in section.findings:
        room = import_module(f"{ROOMS}.{finding}")
        tables = {name: findings[name] for name in asked(finding).tables if name in findings}
        if tables and hasattr(room, "on_page"):
            parts.append(room.on_page(tables))
    return [part for part in parts if part is not None]
