"""From the statements of a data set to SNOMED CT codes, by a table under config/labels.

A code may carry a refinement, ``164934002:NDT``, where SNOMED CT has no code for what a statement means beyond its
nearest concept. It counts as that concept unless a table names the refined code itself.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.separators import BAR_WITHIN, BETWEEN_LABELS, separator_of
from ecgtransfer.prepare.snomed_ct import CODE, base_code, is_snomed_ct

_WITH_LIKELIHOOD = re.compile(r"(.+)@([0-9]+(?:\.[0-9]+)?)")
_MODIFIED = re.compile(r"[0-9]+(\+[0-9]+)+")
"""An AHA code with modifiers: its primary statement, then they, such as ``50+346``."""
_FOR_READING = ("unit", "leads")
_IF_ANY = ("site", "month")
_MOST_NAMED = 10


@dataclass(frozen=True)
class LabelTable:
    """What a data set's statements mean.

    Attributes
    ----------
    codes_by_statement
        SNOMED CT codes, joined by ``|``, by statement; empty where statements are SNOMED CT codes already.
    not_diagnostic
        Statements that need no likelihood: those of form and rhythm.
    """

    codes_by_statement: Mapping[str, str] = field(default_factory=dict)
    not_diagnostic: frozenset[str] = frozenset()


def index_records(
    described: pd.DataFrame, label_table: LabelTable, min_likelihood: float = 0.0, separator: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the described records with SNOMED CT ``codes``, joined by ``|``, in place of ``statements``.

    A statement is looked up as in `look_up`. What the label table does not have is left out.
    Columns that only reading needs go, and ``site`` and ``month`` where no record has one.

    Parameters
    ----------
    described
        Has a column ``statements``, joined by ``|``. A statement may carry a likelihood in percent, ``NORM@80``.
    label_table
        As from `read_label_table`.
    min_likelihood
        Percent. A diagnostic statement that carries a likelihood needs at least so much of it; statements of form and
        rhythm stay, for PTB-XL gives them none.
    separator
        The `label_separator` of a data set of your own, which can be wrong; None of others.

    Returns
    -------
    records : pandas.DataFrame
    notices : list of str
        What was left out, one sentence each.

    Raises
    ------
    InputError
        If statements of a data set of your own are not separated as the entry states.
    """
    codes_of = {_key(statement): codes for statement, codes in label_table.codes_by_statement.items()}
    not_diagnostic = {_key(statement) for statement in label_table.not_diagnostic}
    unknown: Counter[str] = Counter()
    unlikely, n_with_unknown, n_only_unknown = 0, 0, 0
    meanings: dict[str, tuple[str, float | None, str | None]] = {}
    cells = []
    for cell in described["statements"].fillna("").astype(str):
        codes: list[str] = []
        n_unknown, n_written = unknown.total(), 0
        for written in filter(None, cell.split("|")):
            n_written += 1
            if written not in meanings:
                meanings[written] = _meaning(written, codes_of, not_diagnostic)
            statement, likelihood, found = meanings[written]
            if found is None:
                unknown[statement] += 1
            elif likelihood is not None and likelihood < min_likelihood:
                unlikely += 1
            else:
                codes += found.split("|")
        cells.append("|".join(dict.fromkeys(codes)))
        n_unknown = unknown.total() - n_unknown
        n_with_unknown += n_unknown > 0
        n_only_unknown += n_unknown == n_written > 0
    if separator is not None:
        _require_separated(unknown, codes_of, separator)
    notices = []
    if unknown:
        counts = ", ".join(f"{statement} ({n})" for statement, n in unknown.most_common(_MOST_NAMED))
        more = len(unknown) - _MOST_NAMED
        notices.append(
            f"{unknown.total()} statements of {n_with_unknown} of {len(cells)} recordings are not in the label table"
            f" and left out: {counts}"
            + (f" and {more} rarer ones" if more > 0 else "")
            + (f"; {n_only_unknown} of these recordings have no other statement" if n_only_unknown else "")
        )
    if unlikely:
        notices.append(f"{unlikely} diagnostic statements less likely than {min_likelihood:g} % are left out")
    column = pd.Series(cells, index=described.index, dtype=str)
    empty = [name for name in _IF_ANY if name in described and not described[name].fillna("").astype(bool).any()]
    records = described.assign(statements=column).rename(columns={"statements": "codes"})
    return records.drop(columns=[*_FOR_READING, *empty], errors="ignore"), notices


def _meaning(
    written: str, codes_of: Mapping[str, str], not_diagnostic: set[str]
) -> tuple[str, float | None, str | None]:
    """Return the statement, the likelihood that counts, and its codes or None."""
    match = None if _key(written) in codes_of else _WITH_LIKELIHOOD.fullmatch(written)
    statement, likelihood = (match[1], float(match[2])) if match else (written, None)
    if _key(statement) in not_diagnostic:
        likelihood = None
    return statement, likelihood, look_up(statement, codes_of) if codes_of else statement


def look_up(statement: str, codes_of: Mapping[str, str]) -> str | None:
    """Return the codes of a statement, or None.

    Upper and lower case, the number of blanks and a full stop at the end make no difference. An AHA code with modifiers
    that the table does not have (``50+346``, atrial fibrillation with a rapid ventricular response) means what it means
    without the last one.
    """
    key = _key(statement)
    while key not in codes_of:
        if not _MODIFIED.fullmatch(key):
            return None
        key = key.rpartition("+")[0]
    return codes_of[key]


def _key(statement: str) -> str:
    text = unicodedata.normalize("NFC", statement).replace(BETWEEN_LABELS, BAR_WITHIN)
    return " ".join(text.split()).rstrip(".").rstrip().casefold()


def _require_separated(unknown: Iterable[str], codes_of: Mapping[str, str], separator: str) -> None:
    """Raise an `InputError` if what the table does not have are several statements that it has."""
    for written in unknown:
        between = separator_of(written, lambda statement: look_up(statement, codes_of) is not None)
        if between:
            shown = written[:80].replace(BAR_WITHIN, BETWEEN_LABELS)
            raise InputError(
                f"labels {shown!r} are several, separated by {between!r}, the entry in the section `own` says"
                f" {separator!r}; set `label_separator: {between!r}`"
            )


def read_label_table(path: str | Path | None) -> LabelTable:
    """Return a table under config/labels; an empty one without a path.

    Its columns: ``statement``, ``snomed_ct`` (one code or several joined by ``|``, see the module's docstring) and, if
    statements carry a likelihood, ``kind``, which contains the word diagnostic or not; empty means diagnostic.

    Raises
    ------
    InputError
        If a column is missing, a code is none or a statement occurs twice.
    """
    if not path:
        return LabelTable()
    codes_by_statement: dict[str, str] = {}
    not_diagnostic: set[str] = set()
    keys: set[str] = set()
    for row in read_rows(Path(path), ["statement", "snomed_ct"], ["kind"], remedy="fix the table"):
        if not any(row.values()):
            continue
        statement, codes = row["statement"], row["snomed_ct"]
        for code in codes.split("|"):
            if not CODE.fullmatch(code) or not is_snomed_ct(base_code(code)):
                raise InputError(
                    f"{path}: '{code[:60]}' of '{statement}' is not a SNOMED CT code; several are joined by |"
                )
        if _key(statement) in keys:
            raise InputError(f"{path}: '{statement}' occurs twice; case and a final full stop make no difference")
        keys.add(_key(statement))
        codes_by_statement[statement] = codes
        if row["kind"] and "diagnostic" not in row["kind"].split():
            not_diagnostic.add(statement)
    return LabelTable(codes_by_statement, frozenset(not_diagnostic))
