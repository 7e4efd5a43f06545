"""What a data set gave and the study did not use, or could not trust: reported on the terminal and on the page.

A notice is one sentence with its count, such as "the age of 3 of 75 recordings is not understood".
"""

import logging
import os
from collections.abc import Iterable

import pandas as pd

from ecgtransfer.errors import printable
from ecgtransfer.files import write_csv

logger = logging.getLogger(__name__)

COLUMNS = ["about", "notice"]


def tell(about: str, notices: Iterable[str], path: str | os.PathLike[str]) -> None:
    """Print notices on the terminal, as warnings, and write them as a table for the page, columns `COLUMNS`.

    Parameters
    ----------
    about
        The data set or corpus.
    notices
        Sentences without a full stop at the end.
    path
        The table to write.
    """
    distinct = list(dict.fromkeys(printable(" ".join(notice.splitlines())) for notice in notices))
    for notice in distinct:
        logger.warning("%s: %s", about, notice)
    write_csv(pd.DataFrame([(about, notice) for notice in distinct], columns=COLUMNS), path)


def read_notices(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the notices of several tables, in their order, each behind what it is about."""
    tables = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths]
    return [f"{about}: {notice}" for table in tables for about, notice in table[COLUMNS].itertuples(index=False)]
