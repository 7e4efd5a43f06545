"""Tiny recordings in the layouts of published data sets, for tests."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from ecgtransfer.leads import LEADS

N_SAMPLES = 20


def write_record(
    folder: Path, relative: str, comments: Sequence[str] = (), n_leads: int = 12, rate: str = "500"
) -> str:
    """Write a WFDB record of zeros and return the path of its header within the data set."""
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{path.stem}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS[:n_leads]]
    comment_lines = [f"#{comment}" for comment in comments]
    path.with_suffix(".hea").write_text(
        "\n".join([f"{path.stem} {n_leads} {rate} {N_SAMPLES}", *lines, *comment_lines, ""])
    )
    path.with_suffix(".dat").write_bytes(bytes(2 * n_leads * N_SAMPLES))
    return f"{relative}.hea"


def write_hdf5(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays into an HDF5 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
