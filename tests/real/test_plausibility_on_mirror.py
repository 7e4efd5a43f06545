"""No published data set breaks a rule of what recordings can be; each does with leads swapped or another rate."""

from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import read_header
from ecgtransfer.prepare.plausibility import ENOUGH, doubts_about
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.rows import spread_rows

MIRROR = Path(__file__).parents[3] / "shared/mirror"
pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="the real recordings are not here")

TRAINING = "files/challenge-2021/1.0.3/training"
WFDB = [
    *(f"{TRAINING}/{name}" for name in ("chapman_shaoxing", "cpsc_2018", "cpsc_2018_extra", "georgia", "ningbo")),
    *(f"{TRAINING}/{name}" for name in ("ptb", "ptb-xl")),
    "files/ludb/1.0.1", "files/ptbdb/1.0.0", "files/ptb-xl/1.0.3/records100", "files/ptb-xl/1.0.3/records500",
    "own/ptb-xl-100hz", "own/chagas",
]  # fmt: skip
ARRAYS = ["samples/sph", "samples/code15"]
SWAPPED = "|".join({"aVL": "aVF", "aVF": "aVL"}.get(lead, lead) for lead in LEADS)
KEPT = Signals(scaling="none")


@cache
def described(name: str) -> pd.DataFrame:
    """Return what the files of a data set say."""
    folder, rows = MIRROR / name, []
    if name in WFDB:
        for path in sorted(folder.rglob("*.hea")):
            header = read_header(path)
            rows.append((str(path.relative_to(folder)), header.sampling_rate_hz, header.n_samples, "", ""))
    elif name == "samples/sph":
        for path in sorted(folder.glob("*.h5")):
            with h5py.File(path) as file:
                n_samples = max(file["ecg"].shape)
            rows.append((path.name, 500.0, n_samples, "mV", "|".join(LEADS)))
    else:
        rows += [(f"{path.name}#feats", 400.0, 4096, "mV", "|".join(LEADS)) for path in sorted(folder.glob("*.mat"))]
    table = pd.DataFrame(rows, columns=["path", "sampling_rate_hz", "n_samples", "unit", "leads"])
    return table.assign(record_id=table["path"])


def as_arrays(name: str, folder: Path) -> pd.DataFrame:
    """Write some recordings as arrays, which do not say what their leads are, and return them described."""
    table = described(name)
    some = table.iloc[spread_rows(len(table), 24)].reset_index(drop=True)
    for row, record in some.iterrows():
        signal = read_recording(MIRROR / name, record["path"], record["unit"], record["leads"])
        np.save(folder / f"{row}.npy", signal)
    return some.assign(path=[f"{row}.npy" for row in range(len(some))], unit="mV", leads="|".join(LEADS))


@pytest.mark.parametrize("name", [*WFDB, *ARRAYS])
def test_no_data_set_breaks_a_rule(name: str) -> None:
    notices = doubts_about(described(name), MIRROR / name, KEPT)
    if "ludb" in name:  # each lead of each recording spans 1 mV
        (notice,) = notices
        assert notice.startswith("every lead was scaled to the same size in 100 of 100 recordings")
    else:
        assert notices == []


@pytest.mark.parametrize("name", [*WFDB, *ARRAYS])
def test_swapped_leads_are_refused(name: str, tmp_path: Path) -> None:
    table = as_arrays(name, tmp_path)
    with pytest.raises(InputError, match="aVL and aVF seem swapped in"):
        doubts_about(table.assign(leads=SWAPPED), tmp_path, KEPT)


@pytest.mark.parametrize("times", [0.4, 0.5, 2.0, 2.5])
@pytest.mark.parametrize("name", WFDB)
def test_another_rate_is_doubted(name: str, times: float, tmp_path: Path) -> None:
    table = as_arrays(name, tmp_path)
    if len(table) < ENOUGH:
        return
    notices = doubts_about(table.assign(sampling_rate_hz=times * table["sampling_rate_hz"]), tmp_path, KEPT)
    rates = [notice for notice in notices if "sampling rate" in notice]
    assert len(rates) == 1
    assert ("too high" if times > 1 else "too low") in rates[0] or "below 50 Hz" in rates[0]
