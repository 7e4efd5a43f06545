"""The rows of a table of your own, one per recording, whatever program wrote the table."""

import re
from collections.abc import Mapping
from typing import Any

from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field, rows_of

Row = dict[str, str]

_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")
"""How a spreadsheet shows a long number, whose last digits it has lost."""


def rows_by_recording(entry: Mapping[str, Any], separator: str) -> tuple[list[Row], int]:
    """Return a row per recording, and how many rows were joined to another one.

    A row that differs from one above in its label alone adds that label: long tables have a row per label. Rows of one
    record that differ in more stay apart.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``.
    separator
        The separator of labels.

    Raises
    ------
    InputError
        If the table is broken, or ids in it were rounded by a spreadsheet.
    """
    rows: dict[tuple[str, ...], Row] = {}
    n_rows, columns = 0, columns_by_field(entry)
    for row in rows_of(entry):
        n_rows += 1
        _require_whole(row, entry, columns)
        whose = tuple(cell for field, cell in row.items() if field != "labels")
        known = rows.get(whose)
        if known is None:
            rows[whose] = row
        elif row["labels"]:
            known["labels"] = separator.join(filter(None, (known["labels"], row["labels"])))
    return list(rows.values()), n_rows - len(rows)


def _require_whole(row: Row, entry: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    for field in ("record", "patient"):
        if _ROUNDED.fullmatch(row[field]):
            raise WrongEntry(
                f"{entry['table']}: {row[field]!r} in column '{columns[field]}' is a number that a spreadsheet has"
                " rounded, so that different ids become one; export the column as text"
            )
