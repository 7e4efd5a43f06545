"""Reading alone: header and samples of a recording, in mV, against the ``wfdb`` package."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import wfdb

from benchmarks.measure import Result, interleaved
from benchmarks.recordings import N_SAMPLES, write_ptbxl
from ecgtransfer.prepare.recordings import read_recording

N_RECORDS = 100
REPEATS = 9


def measure() -> list[Result]:
    """Return ``read_vs_wfdb``: how many times more records per second.

    Ours fills one array again and again, as the preparation does; wfdb has no such way and makes its own.
    """
    with TemporaryDirectory() as folder:
        paths = write_ptbxl(N_RECORDS, Path(folder))
        records = [str(Path(folder, path).with_suffix("")) for path in paths]
        out = np.empty((12, N_SAMPLES), np.float32)
        # The files hold the leads in standard order, so the two must agree as they are.
        for path, record in zip(paths, records, strict=True):
            expected = wfdb.rdrecord(record).p_signal.T
            np.testing.assert_allclose(read_recording(folder, path, out=out), expected, rtol=1e-6, atol=1e-6)
        times = interleaved(
            lambda: [read_recording(folder, path, out=out) for path in paths],
            lambda: [wfdb.rdrecord(record) for record in records],
            REPEATS,
        )
    return [Result("read_vs_wfdb", times.second_to_first, "x", 25)]
