"""The figure of a finding is made from its tables."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ecgtransfer.compare.tables import read_findings
from ecgtransfer.exhibits.figure_files import save_figure, stamped
from ecgtransfer.findings.asked import ROOMS, asked


def draw_finding(finding: str, files: Mapping[str, str], settings: Mapping[str, Any], svg: str, png: str) -> None:
    """Draw the figure of a finding and write it.

    Parameters
    ----------
    finding
        Its name.
    files
        Its tables, by name.
    settings
        Those that it requests, and ``stamp``: words above it, if any.
    svg, png
        Where it goes.
    """
    wanted: dict[str, Any] = {
        name: read_findings(files[name]) if name in files else settings[name] for name in asked(finding).drawn_from
    }
    save_figure(stamped(import_module(f"{ROOMS}.{finding}").draw(**wanted), settings["stamp"]), svg, png)
