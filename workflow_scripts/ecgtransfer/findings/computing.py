"""The tables of a finding are made from what it requests."""

from collections.abc import Mapping
from importlib import import_module

import pandas as pd

from ecgtransfer.files import write_csv
from ecgtransfer.findings.asked import ROOMS, asked
from ecgtransfer.findings.given import Files, Settings, given


def compute_finding(finding: str, files: Files, settings: Settings, written: Mapping[str, str]) -> None:
    """Compute the tables of a finding and write them.

    Parameters
    ----------
    finding
        Its name.
    files, settings
        What it requests is among them, by the names of `ecgtransfer.findings.given`.
    written
        Where each of its tables goes, by name.
    """
    wanted = {name: given(name, files, settings) for name in asked(finding).computed_from}
    tables: dict[str, pd.DataFrame] = import_module(f"{ROOMS}.{finding}").compute(**wanted)
    for name in asked(finding).tables:
        write_csv(tables[name], written[name])
