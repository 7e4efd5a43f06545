"""Units of amplitude: what a file or a user calls them, and how they become millivolts."""

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

NO_UNIT = "none"
"""In place of a unit: the samples were scaled by the makers of the files, and are no voltages."""

_MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "\u00b5v": 1e-3, "\u03bcv": 1e-3, "nv": 1e-6}  # micro sign, Greek mu
_UNIT = re.compile(r"(?:(?P<number>\d{1,12}(?:\.\d{1,15})?(?:[eE]-?\d{1,2})?) ?)?(?P<unit>[a-zA-Z\u00b5\u03bc]{1,2})")


@lru_cache(maxsize=256)
def millivolts_per_unit(unit: str) -> float:
    """Return the factor that turns `unit` into mV: ``V``, ``mV``, ``uV`` (``µV``), ``nV``, or a number of them.

    The number is for samples in steps of a converter, such as ``0.1 mV`` or ``4.88 uV``.

    Raises
    ------
    ValueError
        If the unit is not a voltage.
    """
    found = _UNIT.fullmatch(unit.strip())
    factor = _MILLIVOLTS.get(found["unit"].lower()) if found else None
    if found is None or factor is None:
        raise ValueError(f"unit {unit[:40]!r} is not one of mV, uV, V, nV, or a number of them such as '0.1 mV'")
    number = float(found["number"] or 1)
    if number == 0:
        raise ValueError(f"unit {unit[:40]!r} has a number of 0")
    return number * factor


def bring_to_one(signal: npt.NDArray[np.float32]) -> None:
    """Divide a recording without a unit by the median range of its leads, in place.

    So thresholds and figures that are meant for mV can take it, whatever its numbers are.

    Parameters
    ----------
    signal
        Shape (12, samples), NaN where a sample or a lead is missing.
    """
    there = ~np.isnan(signal).all(axis=1)
    ranges = np.nanmax(signal[there], axis=1) - np.nanmin(signal[there], axis=1)
    size = np.median(ranges[ranges > 0]) if (ranges > 0).any() else np.float32(1)
    np.divide(signal, size, out=signal)
