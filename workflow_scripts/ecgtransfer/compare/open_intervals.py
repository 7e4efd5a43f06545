"""Numbers of recordings that are known up to the ends of a learning curve: beyond them there is only a bound."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]

EQUALS, LESS_THAN, MORE_THAN = "equals", "less_than", "more_than"


def with_open_interval(name: str, values: Array, confidence: float) -> Mapping[str, object]:
    """Return the columns of a number, which comes first, and of its percentile interval over the draws behind it.

    0 stands for less, and infinity for more than there is a number for. Each of ``<name>``, ``ci_low`` and ``ci_high``
    is a number or empty, and says in ``relation``, ``ci_low_relation`` and ``ci_high_relation`` which of these it is;
    all are empty where nothing is known.

    Ends are draws themselves, where `percentile_interval` of the other findings interpolates between two: the ones just
    outside, for between a number and "more than" lies nothing.
    """
    point, draws = values[0], np.sort(values[1:][~np.isnan(values[1:])])
    if np.isnan(point) or not len(draws):
        low = high = np.nan
    else:
        n_outside = max(int((len(draws) + 1) * (0.5 - confidence / 2)) - 1, 0)
        low, high = min(draws[n_outside], point), max(draws[-1 - n_outside], point)
    columns: dict[str, object] = {}
    for column, value in {name: point, "ci_low": low, "ci_high": high}.items():
        columns[column] = value if 0 < value < np.inf else np.nan
        relation = LESS_THAN if value == 0 else MORE_THAN if value == np.inf else "" if np.isnan(value) else EQUALS
        columns["relation" if column == name else f"{column}_relation"] = relation
    return columns


def times(row: Any, name: str, relation: str) -> str:
    """Return in words a number of a row, or that it is more than its ``most``, or less than its ``least``."""
    match getattr(row, relation):
        case "more_than":
            return f"> {row.most:.1f}"
        case "less_than":
            return f"< {row.least:.1f}"
    value = getattr(row, name)
    return "–" if pd.isna(value) else f"{value:.1f}"
