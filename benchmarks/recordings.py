"""Simulated recordings in the layout of PTB-XL: 12 leads, 500 Hz, 10 s, format 16."""

from pathlib import Path

from ecgtransfer.acquire.native_layouts import simulate

N_SAMPLES = 5000
"""Per lead and recording."""


def write_ptbxl(n_records: int, folder: Path) -> list[str]:
    """Write recordings into `folder` and return the paths of their headers within it."""
    settings = {"layout": "ptb-xl", "n_patients": n_records, "prevalence": {}}
    return [path for path in simulate("benchmark", settings, 1, folder) if path.endswith(".hea")]
