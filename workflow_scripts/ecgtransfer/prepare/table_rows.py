"""The rows of a table of your own, one per recording, whatever program wrote the table."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field, rows_of

Row = dict[str, str]

_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")
"""How a spreadsheet shows a long number, whose last digits it has lost."""
_IN_A_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
"""How tables keep a spreadsheet from taking an id for a number."""


def rows_by_recording(entry: Mapping[str, Any], separator: str) -> tuple[list[Row], int]:
    """Return a row per recording, and how many rows were joined to another one.

    A row that differs from one above in its label alone adds that label: long tables have a row per label. Rows of one
    record that differ in more stay apart.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``.
    separator
        What stands between labels.

    Raises
    ------
    InputError
        If the table is broken, or ids in it were rounded by a spreadsheet.
    """
    rows: dict[tuple[str, ...], Row] = {}
    n_rows = 0
    for row in _as_meant(entry):
        n_rows += 1
        whose = tuple(cell for field, cell in row.items() if field != "labels")
        known = rows.get(whose)
        if known is None:
            rows[whose] = row
        elif row["labels"]:
            known["labels"] = separator.join(filter(None, (known["labels"], row["labels"])))
    return list(rows.values()), n_rows - len(rows)


def _as_meant(entry: Mapping[str, Any]) -> Iterator[Row]:
    columns = columns_by_field(entry)
    for row in rows_of(entry):
        for field in ("record", "patient"):
            if _ROUNDED.fullmatch(row[field]):
                raise WrongEntry(
                    f"{entry['table']}: {row[field]!r} in column '{columns[field]}' is a number that a spreadsheet has"
                    " rounded, so that different ids become one; export the column as text"
                )
        yield {
            field: found[1].strip() if cell.startswith("=") and (found := _IN_A_FORMULA.fullmatch(cell)) else cell
            for field, cell in row.items()
        }
