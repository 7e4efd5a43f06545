"""Rank correlation."""

import numpy as np
import pandas as pd

FEWEST = 3
"""With two pairs, the correlation is always 1 or -1."""


def spearman(x: pd.Series, y: pd.Series) -> float:
    """Return the correlation of the ranks, ties sharing their mean; NaN of fewer than `FEWEST`, or of a constant."""
    if len(x) < FEWEST or x.nunique() < 2 or y.nunique() < 2:
        return float("nan")
    return float(np.corrcoef(x.rank(), y.rank())[0, 1])
