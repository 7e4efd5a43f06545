"""Recordings whose amplitude or gain is out of line with their data set, and by which factor they are corrected.

A gain is the number of steps per mV that a WFDB header states. A wrong one makes a recording too small or too large; it
shows in the amplitude where the error is large, and otherwise by being another gain than that of nearly all others.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.formats.wfdb_headers import LeadSpecification

NEARLY_ALL = 0.95
"""Share of a data set that must have one gain for another one to be odd."""

LEAST_FACTOR = 2.0
"""Between two gains: amplitudes of hearts differ as much, and cannot show smaller errors."""

FITS, EXPLAINS = 0.2, 3 / 8
"""How far, on the scale of logarithms, recordings of an odd gain are off the median towards where the common gain would
bring them, as a share of that way. Below the first the odd gain fits, as that of another device does; beyond the second
it is wrong: nearly half way, as an odd gain is suspect."""

Ratios = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@lru_cache(maxsize=256)
def gain_of(leads: tuple[LeadSpecification, ...]) -> float:
    """Return the steps per mV that a WFDB header states for all leads alike; NaN if they differ or are no voltages."""
    try:
        gains = {lead.gain / millivolts_per_unit(lead.unit) for lead in leads}
    except ValueError:
        return math.nan
    return gains.pop() if len(gains) == 1 else math.nan


def gains_and_ratios(quality: pd.DataFrame) -> tuple[Ratios, Ratios]:
    """Return from a quality table the gains, in steps per mV, and the amplitudes over their median."""
    gains, ratios = (quality[column].to_numpy(dtype=np.float64) for column in ("steps_per_mv", "gain_ratio"))
    return gains, ratios


def out_of_line(quality: pd.DataFrame, limit: float) -> Mask:
    """Return which rows of a quality table have an amplitude outside 1/`limit` to `limit`, or a suspicious gain."""
    gains, ratios = gains_and_ratios(quality)
    return implausible(ratios, limit) | (misfit_of_gains(gains, ratios) > FITS)


def gain_ratios(amplitudes_mv: Ratios, usable: Mask) -> Ratios:
    """Return amplitudes over the median amplitude of usable records; NaN for a record without any amplitude."""
    known = amplitudes_mv[usable & (amplitudes_mv > 0)]
    median = np.median(known) if len(known) else np.nan
    return np.where(amplitudes_mv > 0, amplitudes_mv, np.nan) / median


def implausible(ratios: Ratios, limit: float) -> Mask:
    """Return which ratios lie outside 1/`limit` to `limit`."""
    return (ratios < 1 / limit) | (ratios > limit)


def common_gain(gains: Ratios) -> float | None:
    """Return the gain that more than half of all records have, None if there is none; NaN is an unknown gain."""
    known, counts = np.unique(gains[~np.isnan(gains)], return_counts=True)
    return float(known[counts.argmax()]) if 2 * counts.max(initial=0) > len(gains) else None


def nearly_common_gain(gains: Ratios) -> float | None:
    """Return the gain that `NEARLY_ALL` of the records whose gain is known have, None if there is none."""
    known = gains[~np.isnan(gains)]
    common = common_gain(known)
    return common if common is not None and np.mean(known == common) >= NEARLY_ALL else None


def misfit_of_gains(gains: Ratios, ratios: Ratios) -> Ratios:
    """Return how badly the gain of a record fits its amplitude, where nearly all others have another gain; else 0.

    It is suspicious beyond `FITS`, wrong beyond `EXPLAINS`, and about 1 where the common gain makes the amplitude
    typical. Records with the same odd gain are judged together.

    Parameters
    ----------
    gains
        Steps per mV that the headers state, NaN where unknown.
    ratios
        As from `gain_ratios`.
    """
    misfit = np.zeros(len(gains))
    common = nearly_common_gain(gains)
    if common is None:
        return misfit
    for gain in np.unique(gains[(gains > 0) & (gains != common)]).tolist():
        alike = (gains == gain) & (ratios > 0)
        way = math.log(gain / common)
        if alike.any() and abs(way) >= math.log(LEAST_FACTOR):
            misfit[alike] = -float(np.median(np.log(ratios[alike]))) / way
    return misfit


def correction_factors(gains: Ratios, ratios: Ratios, limit: float) -> Ratios:
    """Return by how much to multiply records whose amplitude is implausible or whose gain is wrong, NaN for all others.

    It is the gain of their header over the gain that most headers state, where that makes the amplitude plausible.

    Parameters
    ----------
    gains, ratios
        As in `misfit_of_gains`.
    limit
        The amplitude must come to lie within 1/`limit` to `limit` of the median.
    """
    common = common_gain(gains)
    if common is None:
        return np.full(len(gains), np.nan)
    factors = np.where((gains > 0) & (gains != common), gains / common, np.nan)
    in_need = implausible(ratios, limit) | (misfit_of_gains(gains, ratios) > EXPLAINS)
    corrected = ratios * factors
    return np.where(in_need & (corrected >= 1 / limit) & (corrected <= limit), factors, np.nan)
