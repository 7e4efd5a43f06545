"""Reading alone: header and samples of a recording, in mV, against the ``wfdb`` package."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import wfdb

from benchmarks.measure import Result, interleaved
from benchmarks.recordings import write_ptbxl
from ecgtransfer.prepare.wfdb_files import read_signal

N_RECORDS = 100
REPEATS = 9


def measure() -> list[Result]:
    """Return ``read_vs_wfdb``: how many times more records per second."""
    with TemporaryDirectory() as name:
        headers = [Path(name, path) for path in write_ptbxl(N_RECORDS, Path(name))]
        records = [str(path.with_suffix("")) for path in headers]
        # The files hold the leads in standard order, so the two must agree as they are.
        np.testing.assert_allclose(read_signal(headers[0]), wfdb.rdrecord(records[0]).p_signal.T, atol=1e-6)
        times = interleaved(
            lambda: [read_signal(path) for path in headers],
            lambda: [wfdb.rdrecord(record) for record in records],
            REPEATS,
        )
    return [Result("read_vs_wfdb", times.second_to_first, "x", 25)]
