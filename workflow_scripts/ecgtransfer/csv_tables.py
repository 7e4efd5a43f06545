"""Reading back the tables that stages write for one another: what was text there is text again."""

import os
from collections.abc import Collection
from typing import TextIO

import pandas as pd

IDS = ("record_id", "patient_id")
TEXT = (
    *IDS,
    *("path", "sex", "statements", "codes", "site", "month", "unit", "leads", "reason", "snomed_ct", "abbreviation"),
    *(f"{what}_{side}" for what in ("record", "dataset", "corpus", "role") for side in "ab"),
    *("dataset", "target", "source", "model", "arm", "label", "labels", "attribute", "group"),
    *("convolutional_models", "recurrent_models"),
)
"""Columns that hold text in every table but one of labels, whose columns users may call anything."""


def read_table(path: str | os.PathLike[str] | TextIO, text: Collection[str] = TEXT) -> pd.DataFrame:
    """Return a table that `ecgtransfer.files.write_csv` wrote.

    In a column of text, ``NA`` and ``01`` are no missing value and no number. What was missing is missing again, and so
    is an empty text.

    Parameters
    ----------
    path
        The table.
    text
        Columns that hold text; a name that the table lacks is passed over.
    """
    return pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[""])


def read_labels(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a table of labels: ids are text, whatever the names of its labels."""
    return read_table(path, IDS)
