"""What is wrong with a recording, and what can be repaired in it: rules on the samples, never on names of records.

`examine` looks at one recording before it is filtered and repairs it in place: leads that the file lacks, missing
samples, padding at the ends. A rule on a whole data set follows: which unit its samples are in.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.config.signals import Signals
from ecgtransfer.prepare.padding import part_with_samples, recorded_part

Samples = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FLAT_RANGE_MV = 0.001 * 1.01
"""A lead that stays within this range is flat: one step of 1 µV, and room for float32 to hold it."""

FLAT_S, FLAT_SHARE = 2.0, 0.2
"""A lead that holds one value for so long, and for such a share of the recording, is flat in part: it was off, or was
copied from a page where leads follow one another. One lead of 2,824 published recordings does."""

SHORTEST_S = 1.0
"""A recording below this length need not hold a single heart beat."""

LARGEST_MV = 1e9
"""What no unit turns into a voltage of the heart, nor float32 into the result of a filter."""

LARGEST_STEP = 32767
STEPS_PER_MV = 1000

MOST_BEYOND = 0.01
"""Share of samples that int16 may fail to hold, each clipped, in a recording that is used."""

CLIPPED_RUN, CLIPPED_SAMPLES, CLIPPED_BAND, CLIPPED_STEP = 4, 8, 0.02, 0.01
"""A lead is clipped at its own extreme if runs of at least so many equal samples hold so many in all, as many as lie
within the next 2 % of the lead's range, and are entered or left by a step of 1 % of it. Of 1,140 published recordings
in eleven folders this marks three, all of LUDB, one of which jumps to its rails; it marks nearly all recordings at
400 Hz or more that are cut at 50 to 90 % of their leads' extremes. The plateaus of slow waves, which a run length alone
would mark, fail the second or the third condition, and values held at the end of a recording do not count."""

PLAUSIBLE_MEDIAN_MV = (0.2, 5.0)
"""Bounds of a data set's median amplitude. Ten published data sets lie at 0.88 to 1.35 mV (0.5 to 47 Hz), CODE-15% at 3
if it is in mV; the next common unit, 0.1 mV, makes at least 8.8 of it."""

USUAL_MEDIAN_MV = (0.4, 3.1)
"""Bounds within which the median of the published data sets lies, 0.5 to 20 or to 47 Hz: 0.65 to 2.95 mV."""

TYPICAL_MEDIAN_MV = 1.1

_UNITS_MV = {"V": 1e3, "mV": 1.0, "0.1 mV": 0.1, "uV": 1e-3, "nV": 1e-6}

_KEY_OF_REASON = {
    "of the samples are missing": "max_nan_fraction",
    "leads are": "max_flat_leads",
    "s too short": "pad_short_records",
    "implausible": "implausible_gain.action",
    "set signals.band_pass": "band_pass.design",
}

_BEYOND = f"of the samples lie beyond {LARGEST_STEP / STEPS_PER_MV} mV"

LIMB_LEADS = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float64)
"""The six limb leads, in standard order, as multiples of I and II: III = II - I (Einthoven), aVR = -(I + II) / 2,
aVL = I - II / 2, aVF = II - I / 2 (Goldberger)."""


class Findings(NamedTuple):
    """What `examine` found in one recording."""

    nan_fraction: float
    """Missing samples among those of the leads that are there, padding left out."""
    missing_leads: int
    """Leads without any sample that could not be rebuilt; they are at 0 mV."""
    rebuilt_leads: int
    flat_leads: int
    """Leads that never move."""
    held_leads: int
    """Leads that are flat in part, see `FLAT_S`."""
    dead: npt.NDArray[np.bool_]
    """Which of the twelve leads never move or are missing."""
    clipped: tuple[int, ...]
    """Clipped samples of every clipped lead."""
    largest_mv: float
    first: int
    """Where the recording begins and ends once the publisher's padding is cut off."""
    stop: int


def examine(signal: Samples, sampling_rate_hz: float) -> Findings:
    """Return what is found in a recording, and repair it in place: no sample from `first` to `stop` is missing then.

    Parameters
    ----------
    signal
        Shape (12, samples), mV, NaN where a sample is missing and in leads that are not there.
    sampling_rate_hz
        Of the recording.
    """
    lowest, highest = signal.min(axis=1), signal.max(axis=1)
    first, nan_fraction, rebuilt, missing, bridged = 0, 0.0, 0, None, None
    if math.isnan(lowest.sum()):
        first, stop = part_with_samples(signal, sampling_rate_hz)
        signal = signal[:, first:stop]
        nan_fraction, rebuilt, missing, bridged = _mend(signal)
        lowest, highest = signal.min(axis=1), signal.max(axis=1)
    n_before, stop = recorded_part(signal, sampling_rate_hz)
    if stop - n_before < signal.shape[1]:
        signal, bridged = signal[:, n_before:stop], None if bridged is None else bridged[:, n_before:stop]
        lowest, highest = signal.min(axis=1), signal.max(axis=1)
    dead = highest - lowest <= FLAT_RANGE_MV
    n_missing = 0 if missing is None else int(missing.sum())
    return Findings(
        nan_fraction=nan_fraction,
        missing_leads=n_missing,
        rebuilt_leads=rebuilt,
        flat_leads=int(dead.sum()) - n_missing,
        held_leads=_held_leads(signal, sampling_rate_hz, dead, bridged),
        dead=dead,
        clipped=_clipped(signal, lowest, highest, dead),
        largest_mv=float(max(highest.max(), -lowest.min())),
        first=first + n_before,
        stop=first + stop,
    )


def _mend(signal: Samples) -> tuple[float, int, Mask, Mask]:
    """Rebuild leads and bridge gaps; return the share of missing samples, leads rebuilt, which stay missing, gaps."""
    gaps = np.isnan(signal)
    absent: Mask = np.asarray(gaps.all(axis=1))
    nan_fraction = float(gaps[~absent].mean()) if not absent.all() else 0.0
    rebuilt = rebuild_limb_leads(signal)
    bridged = repair_gaps(signal)
    missing = absent.copy()
    missing[rebuilt] = False
    return nan_fraction, len(rebuilt), missing, bridged


def rebuild_limb_leads(signal: Samples) -> list[int]:
    """Fill limb leads without any sample from the first two others that are there; return which were filled.

    Any two limb leads give the other four, by the identities of Einthoven and Goldberger. A flat lead is no source: its
    electrode was off.

    Parameters
    ----------
    signal
        Shape (12, samples), changed in place.
    """
    limbs = signal[: len(LIMB_LEADS)]
    there = ~np.isnan(limbs).all(axis=1)
    lost = np.flatnonzero(~there)
    if not len(lost):
        return []
    lively = [lead for lead in np.flatnonzero(there) if np.nanmax(limbs[lead]) - np.nanmin(limbs[lead]) > FLAT_RANGE_MV]
    if len(lively) < 2:
        return []
    sources = lively[:2]
    weights = LIMB_LEADS[lost] @ np.linalg.inv(LIMB_LEADS[sources])
    limbs[lost] = weights @ limbs[sources]
    return [int(lead) for lead in lost]


def repair_gaps(signal: Samples) -> Mask:
    """Bridge NaN runs by straight lines, hold the ends, and put leads without any sample to 0 mV, all in place.

    Returns which samples were NaN.
    """
    missing: Mask = np.isnan(signal)
    for lead, gaps in zip(signal, missing, strict=True):
        if gaps.all():
            lead[:] = 0.0
        elif gaps.any():
            lead[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), lead[~gaps])
    return missing


def _held_leads(signal: Samples, sampling_rate_hz: float, dead: Mask, bridged: Mask | None) -> int:
    """Return how many leads are flat in part; gaps that were bridged do not count."""
    least = math.ceil(max(FLAT_S * sampling_rate_hz, FLAT_SHARE * signal.shape[1]))
    # A run of this length shows as five equal samples on a coarse grid, which is quick to look for, as one row.
    grid = signal[:, :: max(1, least // 5)]
    row = grid.ravel()
    pairs = row[1:] == row[:-1]
    threes = pairs[1:] & pairs[:-1]
    fives = threes[2:] & threes[:-2]
    if not np.count_nonzero(fives):
        return 0
    n_held = 0
    for lead in np.unique(np.flatnonzero(fives) // grid.shape[1]):
        if dead[lead]:
            continue
        samples = signal[lead] if bridged is None else np.where(bridged[lead], np.nan, signal[lead])
        changes = np.flatnonzero(samples[1:] != samples[:-1])
        n_held += int(np.diff(changes, prepend=-1, append=len(samples) - 1).max()) >= least
    return n_held


def _clipped(signal: Samples, lowest: Samples, highest: Samples, dead: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    counts = np.zeros(len(signal), dtype=int)
    for extreme in (lowest, highest):
        at_extreme = signal == extreme[:, None]
        if np.count_nonzero(at_extreme) < len(signal) - 1 + CLIPPED_SAMPLES:  # every lead has one at least
            continue
        # Two equal samples at the distance of a run are rare, and quicker to look for than runs.
        candidates = at_extreme[:, CLIPPED_RUN - 1 :] & at_extreme[:, : 1 - CLIPPED_RUN]
        if not candidates.any():
            continue
        for lead in np.flatnonzero(candidates.any(axis=1) & ~dead):
            counts[lead] += clipped_samples(signal[lead], float(extreme[lead]), float(highest[lead] - lowest[lead]))
    return tuple(int(count) for count in counts[counts > 0])


def clipped_samples(lead: Samples, extreme: float, extent: float) -> int:
    """Return how many samples of a lead are clipped at one of its extremes: 0 unless `CLIPPED_RUN` and so on are met.

    Parameters
    ----------
    lead
        Shape (samples,).
    extreme
        The smallest or the largest value of the lead.
    extent
        Largest less smallest value.
    """
    edges = np.diff(lead == extreme, prepend=False, append=False).nonzero()[0].reshape(-1, 2)
    long_enough = edges[:, 1] - edges[:, 0] >= CLIPPED_RUN
    inside = (edges[:, 0] > 0) & (edges[:, 1] < len(lead))
    starts, stops = edges[long_enough & inside].T
    held = int((stops - starts).sum())
    if held < CLIPPED_SAMPLES:
        return 0
    away = np.abs(lead - np.float32(extreme))
    nearby = np.count_nonzero((away > 0) & (away <= CLIPPED_BAND * extent))
    step = max(away[starts - 1].max(), away[stops].max())
    return held if held >= nearby and step >= CLIPPED_STEP * extent else 0


def why_unusable(findings: Findings, duration_s: float, settings: Signals) -> str:
    """Return why a recording cannot be used, empty if it can.

    Parameters
    ----------
    findings
        As from `examine`.
    duration_s
        Of the recording without the publisher's padding.
    settings
        The config section ``signals``.
    """
    if findings.nan_fraction > settings.max_nan_fraction:
        return f"{findings.nan_fraction:.1%} of the samples are missing"
    if findings.flat_leads + findings.held_leads + findings.missing_leads > settings.max_flat_leads:
        return _flat_or_missing(findings)
    if duration_s < SHORTEST_S:
        return f"only {duration_s:.3g} s long"
    if duration_s < settings.duration_s and not settings.pad_short_records:
        return f"{settings.duration_s - duration_s:.3g} s too short"
    if findings.largest_mv > LARGEST_MV:
        return f"voltages of up to {findings.largest_mv:.0e} mV"
    return ""


def key_of_reason(reason: str) -> str:
    """Return which key of the config section ``signals`` decides that such a recording is not used, empty if none."""
    return next((key for words, key in _KEY_OF_REASON.items() if words in reason), "")


def _flat_or_missing(findings: Findings) -> str:
    counts = {
        "flat": findings.flat_leads,
        "flat in part": findings.held_leads,
        "missing": findings.missing_leads,
    }
    words = " or ".join(word for word, count in counts.items() if count)
    return f"{sum(counts.values())} leads are {words}"


def why_clipped(share: float, settings: Signals) -> str:
    """Return why a recording cannot be used of which int16 cannot hold a share of the samples, empty if it can.

    Parameters
    ----------
    share
        0 to 1, of the samples of the window.
    settings
        The config section ``signals``.
    """
    if share <= MOST_BEYOND:
        return ""
    kept = settings.band_pass.design == "none" and not settings.remove_baseline
    remedy = "set signals.band_pass or signals.remove_baseline" if kept else "look up its unit and gain"
    return f"{share:.1%} {_BEYOND}; {remedy}"


def is_clipped(reason: str) -> bool:
    """Return whether a reason why a recording cannot be used is that of `why_clipped`."""
    return _BEYOND in reason


def amplitude_of(prepared: Samples, dead: Mask) -> Samples:
    """Return the median over leads of the range of prepared recordings, in their unit; 0 if all leads are dead.

    Parameters
    ----------
    prepared
        Shape (..., 12, samples), filtered, not yet scaled or padded.
    dead
        Shape (..., 12), leads to leave out.
    """
    ranges = np.where(dead, np.inf, prepared.max(axis=-1) - prepared.min(axis=-1))
    ranges.sort(axis=-1)  # the dead come last
    n_alive = np.sum(~dead, axis=-1, keepdims=True)
    middle = np.concatenate([np.maximum(n_alive - 1, 0) // 2, n_alive // 2], axis=-1)
    medians = np.take_along_axis(ranges, middle, axis=-1).sum(axis=-1) / 2
    return np.where(n_alive[..., 0] > 0, medians, 0.0)


def fault_of_unit(amplitudes_mv: npt.NDArray[np.float64], stated_mv: float, stated: str) -> str:
    """Return what is wrong with the unit of a data set, empty if its amplitudes can be those of hearts.

    Parameters
    ----------
    amplitudes_mv
        Of some of its records, those without amplitude left out.
    stated_mv, stated
        The unit in which the samples were taken to be: in mV, and its name.
    """
    if not len(amplitudes_mv):
        return ""
    median = float(np.median(amplitudes_mv))
    if PLAUSIBLE_MEDIAN_MV[0] <= median <= PLAUSIBLE_MEDIAN_MV[1]:
        return ""
    found = f"the median amplitude of {len(amplitudes_mv)} recordings is {median:.3g} mV, that of hearts is about 1 mV"
    step_mv = stated_mv * TYPICAL_MEDIAN_MV / median
    name, size = min(_UNITS_MV.items(), key=lambda unit: abs(math.log(unit[1] / step_mv)))
    if abs(math.log(size / step_mv)) > math.log(3):
        return f"{found}; the samples are not in {stated} but in steps of some {step_mv:.2g} mV, look up the unit"
    return f"{found}; the samples are probably in {name}, not in {stated}"
