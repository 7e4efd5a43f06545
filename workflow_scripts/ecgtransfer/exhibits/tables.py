"""Tables of text, as the page shows them, and how their cells are made from the rows of findings tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ecgtransfer.arms import FINETUNE, method_name_of
from ecgtransfer.exhibits.names import series_name

Columns = Mapping[str, Callable[[Any], str]]
"""Heads, each with how the text of its cells is made from a row."""


@dataclass(frozen=True)
class Table:
    """Column heads and cells; the first `n_words` columns hold words, the others numbers."""

    heads: list[str]
    rows: list[list[str]]
    n_words: int = 1


def table_of(rows: pd.DataFrame, columns: Columns, n_words: int) -> Table:
    """Return rows of a findings table as text."""
    return Table(list(columns), [[cell(row) for cell in columns.values()] for row in rows.itertuples()], n_words)


def named_rows(table: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows as named tuples, whose fields pandas cannot type."""
    yield from table.itertuples()


def number(value: float) -> str:
    """Return a value with three decimals, never "-0.000", large ones with none; a dash where there is none."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}".replace("-0.000", "0.000")
    return "–" if pd.isna(value) else text


def interval(row: Any) -> str:
    """Return ``[low, high]`` of a row."""
    return f"[{number(row.ci_low)}, {number(row.ci_high)}]"


def value(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a score or a ratio."""
    return lambda row: number(getattr(row, name))


def count(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a number of things."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else f"{getattr(row, name):,.0f}"


def word(name: str) -> Callable[[Any], str]:
    """Return how a cell shows a name."""
    return lambda row: "–" if pd.isna(getattr(row, name)) else str(getattr(row, name))


def trained(row: Any) -> str:
    """Return in words how a run started."""
    return series_name(row.arm)


def fraction(row: Any) -> str:
    """Return the share of the training patients."""
    return f"{row.fraction:g}"


def source_and_method(row: Any) -> str:
    """Return the source as the config names it, and how it was used where that is not fine-tuning."""
    method = method_name_of(row.arm)
    return str(row.source) if method == FINETUNE else f"{row.source} ({method})"


CELL: Columns = {"target": word("target"), "model": word("model"), "trained": trained, "fraction": fraction}
"""The first columns of most tables: which run a row is about."""
