"""Small records that wfdb writes, and comparisons with how it reads them, for the tests of the WFDB reader."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wfdb

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS

N_SAMPLES = 301  # odd: the last 12-bit sample of format 212 stands alone
LARGEST_AND_MISSING = {
    "16": (30000, -(2**15)),
    "24": (8_000_000, -(2**23)),
    "32": (2_000_000_000, -(2**31)),
    "61": (30000, -(2**15)),
    "80": (120, -(2**7)),
    "160": (30000, -(2**15)),
    "212": (2000, -(2**11)),
}
STORED_LIKE_16 = ("61", "160")
SHUFFLED = ("V6", "V5", "aVF", "I", "II", "III", "V1", "V2", "V3", "aVR", "aVL", "V4")


def write_record(
    folder: Path,
    name: str = "r1",
    sample_format: str = "16",
    leads: tuple[str, ...] = LEADS,
    unit: str = "mV",
    gains: list[float] | None = None,
    baselines: list[int] | None = None,
    gaps: bool = False,
) -> npt.NDArray[np.float64]:
    """Let wfdb write a record of random samples and return them as it reads them: shape (leads, samples)."""
    n = len(leads)
    largest, missing = LARGEST_AND_MISSING[sample_format]
    digital = np.random.default_rng(7).integers(-largest, largest, (N_SAMPLES, n))
    if gaps:
        digital[5:9, 0] = missing
        digital[:, n - 1] = missing
    wfdb.wrsamp(
        name,
        fs=500,
        units=[unit] * n,
        sig_name=list(leads),
        d_signal=digital,
        fmt=["16" if sample_format in STORED_LIKE_16 else sample_format] * n,
        adc_gain=gains or [1000.0] * n,
        baseline=baselines or [0] * n,
        comments=["Age: 50", "Dx: 426783006"],
        write_dir=str(folder),
    )
    if sample_format in STORED_LIKE_16:  # which wfdb reads but does not write
        header = folder / f"{name}.hea"
        header.write_text(header.read_text().replace(".dat 16 ", f".dat {sample_format} "))
        stored = digital.astype(">i2") if sample_format == "61" else (digital + 2**15).astype("<u2")
        stored.tofile(folder / f"{name}.dat")
    return wfdb.rdrecord(str(folder / name)).p_signal.T


def assert_same(
    found: npt.NDArray[np.float32], expected: npt.NDArray[np.float64], gain: float | npt.ArrayLike = 1000.0
) -> None:
    """Compare with wfdb's float64: half a quantisation step is what a float32 may differ."""
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    steps = np.abs(found - expected) * np.reshape(np.broadcast_to(np.asarray(gain, float), 12), (12, 1))
    assert np.nanmax(steps) <= 0.5


def edit_header(folder: Path, old: str, new: str, count: int = -1) -> Path:
    """Replace text in the header of r1, which must be there."""
    path = folder / "r1.hea"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))
    return path


def message_of(call: Callable[[], object]) -> str:
    """Return the one line of the InputError that a call must raise."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message
