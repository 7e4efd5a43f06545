"""What is stated for all recordings, by the entry or by the table; the table of labels; who gets which role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ids import SITES
from truth import N_RECORDINGS, RATE_HZ, YEAR, Recording
from ways import Way


@dataclass(frozen=True, kw_only=True)
class RateSaid(Way):
    """What the cells of the rate say; None where the entry says it."""

    cell: str | None = None


RATES_SAID = {
    "by the entry": RateSaid(),
    "in the table": RateSaid(cell=str(RATE_HZ)),
    "in the table, 100.0": RateSaid(cell=f"{RATE_HZ}.0"),
    "in the table, 1e2": RateSaid(cell="1e2"),
    "in the table, 100,0": RateSaid(cell=f"{RATE_HZ},0", refused=r"rate '100,0' is no number", or_taken=True),
    "in the table, 100 Hz": RateSaid(cell=f"{RATE_HZ} Hz", refused=r"rate '100 Hz' is no number", or_taken=True),
    "in the table, in kHz": RateSaid(cell="0.1", refused=r"rate 0.1 is not a sampling rate of an ECG"),
    "in the table, unlike the file": RateSaid(
        cell="500", needs={"format": "wfdb 16"}, refused=r"the table says 500 Hz, the file 100 Hz"
    ),
    "in the table, empty": RateSaid(cell="", refused=r"cell of rate is empty and the entry has no `sampling_rate_hz`"),
}


@dataclass(frozen=True, kw_only=True)
class UnitSaid(Way):
    """Whether the table says the unit, or what it says in its place; else the entry does."""

    in_table: bool = False
    another: str = ""


UNITS_SAID = {
    "by the entry": UnitSaid(),
    "in the table": UnitSaid(in_table=True),
    "in the table, unlike the file": UnitSaid(
        another="uV", needs={"format": "wfdb 16"}, refused=r"the table says the unit uV, the file mV"
    ),
}


@dataclass(frozen=True, kw_only=True)
class RowsSaid(Way):
    """From the row of a recording in its array to what the table says."""

    write: Callable[[int], str] = str


_ROWS = {"format": "npy for all"}
ROWS_SAID = {
    "from 0": RowsSaid(),
    "from 0, 0.0": RowsSaid(write="{}.0".format, needs=_ROWS),
    "from 0, zeros in front": RowsSaid(write="{:03d}".format, needs=_ROWS),
    "from 1": RowsSaid(write=lambda row: str(row + 1), needs=_ROWS, refused=r"rows? .*(count|start|from|with).* 0"),
    "from the end": RowsSaid(
        write=lambda row: str(row - N_RECORDINGS), needs=_ROWS, refused=r"row '-\d+' is no whole number"
    ),
    "with a fraction": RowsSaid(write="{}.5".format, needs=_ROWS, refused=r"row '\d+\.5' is no whole number"),
}


@dataclass(frozen=True, kw_only=True)
class LabelColumns(Way):
    """The columns of the table of labels, and a row of it from statement and codes."""

    header: tuple[str, ...]
    row: Callable[[str, str], tuple[str, ...]]


LABEL_COLUMNS = {
    "statement, snomed_ct": LabelColumns(header=("statement", "snomed_ct"), row=lambda *pair: pair),
    "snomed_ct, statement": LabelColumns(
        header=("snomed_ct", "statement"), row=lambda said, code: (code, said)
    ),
    "more": LabelColumns(
        header=("n", "statement", "name", "snomed_ct", "source"),
        row=lambda said, code: ("7", said, "say \"so\",\nthen", code, "us; them"),

    ),
    "blanks around": LabelColumns(
        header=(" statement", "snomed_ct "), row=lambda said, code: (f" {said} ", f"  {code} ")
    ),
    "Capitals": LabelColumns(
        header=("Statement", "SNOMED_CT"), row=lambda *pair: pair,
        refused=r"column .*missing; did you mean `(Statement|SNOMED_CT)`", or_taken=True,
    ),
    "other names": LabelColumns(
        header=("text", "code"), row=lambda *pair: pair, refused=r"column statement, snomed_ct missing"
    ),
    "codes as numbers": LabelColumns(
        header=("statement", "snomed_ct"), row=lambda said, code: (said, f"{code}.0"),
        refused=r"'\d+\.0' of '.*' is not a SNOMED CT code",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Roles(Way):
    """Who is dealt out to roles.

    Attributes
    ----------
    by
        ``patient``, ``site`` or ``month``.
    unit
        From a recording to the number of its fold, site or month.
    valid, test
        Those numbers that validate and test.
    name
        From such a number to what the config says; None for folds.
    """

    by: str
    unit: Callable[[Recording], int]
    valid: frozenset[int]
    test: frozenset[int]

    def settings(self, choice: Mapping[str, str]) -> dict[str, Any]:
        """Return the config section ``splits``."""
        common = {"by": self.by, "seed": 1, "n_folds": 10, "test_share": None}
        if self.by == "patient":
            return {
                **common, "valid_folds": sorted(self.valid), "test_folds": sorted(self.test), "valid_groups": [],
                "test_groups": [],
            }  # fmt: skip
        return {
            **common, "valid_folds": [3], "test_folds": [4], "valid_groups": self._groups(self.valid, choice),
            "test_groups": self._groups(self.test, choice),
        }  # fmt: skip

    def _groups(self, units: frozenset[int], choice: Mapping[str, str]) -> list[str]:
        if self.by == "month":
            return [f"{YEAR}-{month:02d}" for month in sorted(units)]
        write = SITES[choice.get("site", next(iter(SITES)))].write
        if write is None:
            return ["ward 2"]
        return [write(_at_site(site)).strip() for site in sorted(units)]


def _at_site(site: int) -> Any:
    """Return what represents a recording at a site."""
    return _Site(site)


@dataclass(frozen=True)
class _Site:
    site: int


ROLES = {
    "by patient": Roles(by="patient", unit=lambda r: r.fold, valid=frozenset({3, 4}), test=frozenset(range(5, 10))),
    "by site": Roles(by="site", unit=lambda r: r.site, valid=frozenset({1}), test=frozenset({2})),
    "by month": Roles(by="month", unit=lambda r: r.month, valid=frozenset({2}), test=frozenset({3})),
}
