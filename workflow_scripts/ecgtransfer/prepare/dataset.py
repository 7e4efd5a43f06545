"""The signals of a data set, from its described recordings to the array, with all notices on them."""

from pathlib import Path

import pandas as pd

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.notices import tell
from ecgtransfer.prepare.plausibility import doubts_about
from ecgtransfer.prepare.signals import COLUMNS_READ, prepare_signals
from ecgtransfer.prepare.summary import notices_of


def prepare_dataset(
    dataset: str,
    described: str | Path,
    folder: Path,
    settings: Signals,
    signals: Path,
    notices: str | Path,
    n_workers: int,
    kernels: str,
) -> pd.DataFrame:
    """Write the array of a data set and its notices, and return the quality table, as `prepare_signals` does.

    Parameters
    ----------
    dataset
        Its name.
    described
        The table from `describe_records`.
    folder, settings, signals, n_workers, kernels
        As for `prepare_signals`.
    notices
        Where they are written; they are also printed, even those of a preparation that fails.

    Raises
    ------
    InputError
        As `prepare_signals`.
    """
    table = pd.read_csv(described, usecols=list(COLUMNS_READ), dtype=COLUMNS_READ, keep_default_na=False)
    doubts = doubts_about(table, folder, settings)
    try:
        quality = prepare_signals(table, folder, settings, signals, n_workers, kernels)
    except InputError:  # what was doubted may be its cause
        tell(dataset, doubts, notices)
        raise
    tell(dataset, [*doubts, *notices_of(quality, settings)], notices)
    return quality
