"""What a finding shows on the page: most show their figure, the numbers behind it, and the files that hold them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ecgtransfer.exhibits.names import ANSWERED_METRIC
from ecgtransfer.exhibits.tables import Columns, Table, table_of

MOST_ROWS = 500
"""Of a table on the page: more make it slow, and are not read there."""


@dataclass(frozen=True)
class Part:
    """A piece of the template of the page, and the values that it calls ``its``.

    It sees what the template does: the config, ``figures``, and the macros ``laid_out`` for tables and ``shown`` for an
    `Exhibit`.
    """

    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Exhibit:
    """A figure with what it shows, the numbers behind it, and the files that hold them all."""

    finding: str  # the figure is named after it
    alt: str
    caption: str
    table: Table
    files: Sequence[str]
    note: str  # on the table


def exhibit(
    rows: pd.DataFrame, finding: str, caption: str, columns: Columns, *more_files: str, n_words: int = 3
) -> Part | None:
    """Return the figure of a finding with the table of the same name; None where that has no row.

    Parameters
    ----------
    rows
        Of the table; where it has the metric that the page speaks of, only its rows are shown.
    finding, caption
        The name of figure and table, and what they show.
    columns, n_words
        The table on the page, and how many of its columns hold words.
    more_files
        Names of the other tables of the finding.
    """
    if "metric" in rows and ANSWERED_METRIC in set(rows["metric"]):
        rows = rows[rows["metric"] == ANSWERED_METRIC]
    if rows.empty:
        return None
    kept = rows[:MOST_ROWS]
    left_out = len(rows) - len(kept)
    found = Exhibit(
        finding, f"{caption} The table below holds the numbers.", caption, table_of(kept, columns, n_words),
        [f"findings/{name}.csv" for name in (finding, *more_files)],
        f"The other {left_out:,} rows are in the file." if left_out else "",
    )  # fmt: skip
    return Part("{{ shown(its.exhibit) }}\n", {"exhibit": found})
