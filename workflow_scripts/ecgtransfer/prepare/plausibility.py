"""What is impossible about a data set: judged by some of its recordings, before all of them are prepared.

Wrong names of leads, a wrong sampling rate, samples that were scaled: a file that is read so looks like any other. But
limb leads must add up, hearts beat 45 to 130 times a minute in most people, QRS points up in leads I, II and V6, and so
on. Where the files' own numbers show what is wrong, a data set is refused; where they only make it probable, it is
reported. All rules are such that no published data set breaks one, except for the amplitudes of LUDB, each lead of
which spans 1 mV.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.kernels.filters import band_pass, resample
from ecgtransfer.leads import INDEPENDENT, LEADS
from ecgtransfer.prepare.formats.units import NO_UNIT, bring_to_one
from ecgtransfer.prepare.lead_order import (
    CHEST_IN_ORDER,
    DOES_NOT,
    IDENTITIES,
    IN_ORDER,
    N_LIMB,
    Order,
    in_words,
    limb_misfit,
    off_by_mv,
    order_of_chest_leads,
    order_of_limb_leads,
)
from ecgtransfer.prepare.measurements import measure
from ecgtransfer.prepare.quality import FLAT_RANGE_MV
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.rows import spread_rows

LOOKED_AT, LONGEST_S = 100, 30.0
"""Recordings that are read, spread evenly over the data set, and how much of each is examined."""
MEASURED, MEASURED_S, MEASURED_HZ = 24, 10.0, 250
"""Recordings of these whose beats are found, which takes some milliseconds each."""
LOW_HZ, HIGH_HZ = 0.5, 40.0
BLURRED_HZ, TOO_SLOW_HZ = 100, 50
"""Stated rates below which QRS is blurred, and nothing can be measured."""

ENOUGH, ENOUGH_FOR_CHEST = 10, 20
"""Below this number of recordings, nothing is reported on hearts and chest leads: single ones may differ from all
rules."""
ALIKE = 0.01
"""Largest difference between the ranges, or the deviations, of leads that were scaled one by one."""
SAME = 1e-9
"""Energy of the difference of two leads that are one signal, as a share of theirs."""
LARGEST_RATIO = 5.0
"""Between the range of a lead and that of the others, medians over a data set: 0.42 to 2.6 in published ones."""

UPRIGHT = {0: 1, 1: 1, 6: -1, 11: 1}
"""Where QRS points in leads I, II, V1 and V6 of most hearts."""
WRONG_WAY = 0.75
"""Share of recordings in which it points the other way: up to a third in data sets of twelve recordings or more."""

TYPICAL_BPM, TYPICAL_QRS_MS = 72.0, 90.0
SLOWEST_BPM, FASTEST_BPM = 45.0, 130.0
TIME_IS_OFF = math.log(1.43)
"""Logarithm of the factor by which heart rate and QRS together are off the typical ones: half of those at twice or half
of the true rate are further off."""
TOO_MANY = 0.4
"""Share of recordings with impossible times: up to 0.2 in a published data set, 0.6 to 1 with a rate twice too large or
too small."""


class Heart(NamedTuple):
    """What some seconds of a recording show of the heart."""

    rate_bpm: float
    """NaN where no beats are found that look alike, as is QRS."""
    qrs_ms: float
    skewness: npt.NDArray[np.float64]
    """Of I, II and V1 to V6: positive where QRS points up; other leads are NaN, here and in `correlations`."""
    correlations: npt.NDArray[np.float64]
    """Between the twelve leads, shape (12, 12)."""


class Look(NamedTuple):
    """What a look at one recording shows; leads that are flat or absent are NaN."""

    record_id: str
    leads: str
    sampling_rate_hz: float
    duration_s: float
    has_unit: bool
    covariance: npt.NDArray[np.float64]
    """Of the twelve leads in mV², shape (12, 12)."""
    ranges: npt.NDArray[np.float64]
    sizes: tuple[float, float]
    """From the smallest to the largest sample of all leads, and the largest magnitude."""
    is_scaled: bool
    """Whether all leads span the same range, or have the same deviation."""
    heart: Heart | None


def doubts_about(described: pd.DataFrame, folder: Path, settings: Signals) -> list[str]:
    """Return what is improbable about a data set's recordings, one sentence each.

    Parameters
    ----------
    described
        As in `ecgtransfer.prepare.signals.prepare_signals`.
    folder
        Where the recordings are. Those that cannot be read are skipped.
    settings
        The config section ``signals``.

    Raises
    ------
    InputError
        If most recordings show that leads are called otherwise than they are, or that there is but one.
    """
    looks = list(_looks(described, folder))
    hearts = [look for look in looks if look.heart is not None]
    if not looks:
        return []
    _refuse_copies(looks, folder)
    return [
        *_doubts_about_limb_leads(looks, folder),
        *_doubts_about_copies(looks),
        *_doubts_about_chest_leads(hearts),
        *_doubts_about_directions(hearts),
        *_doubts_about_sizes(looks),
        *(_doubts_about_scaling(looks) if settings.scaling == "none" else []),
        *_doubts_about_slow_rates(looks),
        *_doubts_about_times(hearts),
    ]


def _looks(described: pd.DataFrame, folder: Path) -> Iterator[Look]:
    rows = spread_rows(len(described), LOOKED_AT)
    measured = set(rows[spread_rows(len(rows), MEASURED)].tolist())
    for row in rows.tolist():
        record = described.iloc[row]
        try:
            signal = read_recording(folder, record["path"], record["unit"], record["leads"])
        except InputError:
            continue  # the preparation reports it
        look = _look(signal, record, row in measured)
        if look is not None:
            yield look


def _look(signal: npt.NDArray[np.float32], record: "pd.Series[Any]", with_heart: bool) -> Look | None:
    """Return what a recording shows; None where no lead moves or less than a second is there."""
    rate_hz = float(record["sampling_rate_hz"])
    missing = np.isnan(signal)
    there = ~missing.all(axis=1)
    ranges = np.full(len(LEADS), np.nan)
    highest, lowest = np.nanmax(signal[there], axis=1), np.nanmin(signal[there], axis=1)
    ranges[there] = highest.astype(np.float64) - lowest
    there &= ranges > FLAT_RANGE_MV
    seen, complete = np.flatnonzero(there), np.flatnonzero(~missing[there].any(axis=0))
    if not len(seen) or len(complete) < rate_hz:
        return None
    ranges[~there] = np.nan
    part = signal[np.ix_(seen, complete[: round(LONGEST_S * rate_hz)])].astype(np.float64)
    part -= part.mean(axis=1, keepdims=True)
    covariance = np.full((len(LEADS), len(LEADS)), np.nan)
    covariance[np.ix_(seen, seen)] = part @ part.T / part.shape[1]
    deviations = np.sqrt(np.diag(covariance)[seen])
    if not deviations.all():
        return None
    if part.shape[1] < signal.shape[1]:
        deviations = np.array([np.nanstd(signal[lead].astype(np.float64)) for lead in seen])
    return Look(
        record_id=str(record["record_id"]),
        leads=str(record["leads"]),
        sampling_rate_hz=rate_hz,
        duration_s=signal.shape[1] / rate_hz,
        has_unit=record["unit"] != NO_UNIT,
        covariance=covariance,
        ranges=ranges,
        sizes=(float(highest.max()) - float(lowest.min()), float(max(highest.max(), -lowest.min()))),
        is_scaled=len(seen) > 2 and (_are_alike(ranges[seen]) or _are_alike(deviations)),
        heart=_heart(part, seen, rate_hz) if with_heart and rate_hz >= TOO_SLOW_HZ else None,
    )


def _are_alike(sizes: npt.NDArray[np.float64]) -> bool:
    return bool(sizes.max() <= (1 + ALIKE) * sizes.min())


def _heart(part: npt.NDArray[np.float64], seen: npt.NDArray[np.intp], rate_hz: float) -> Heart | None:
    """Return what leads show of the heart in the first seconds; None where they cannot be filtered."""
    target_hz = MEASURED_HZ if rate_hz >= BLURRED_HZ else round(rate_hz)
    high_hz = min(HIGH_HZ, 0.4 * rate_hz)
    shown = np.flatnonzero(np.isin(seen, INDEPENDENT))
    first_s = part[shown, : round(MEASURED_S * rate_hz)]
    if not len(shown):
        return None
    try:
        beats = band_pass(first_s, rate_hz, LOW_HZ, high_hz, order=3, edge_s=1.0)
        filtered = resample(beats, rate_hz, target_hz).astype(np.float32)
    except InputError:
        return None
    bring_to_one(filtered)
    steps = np.zeros((len(LEADS), filtered.shape[1]), dtype=np.int16)
    steps[seen[shown]] = np.clip(np.rint(1000 * filtered), -32767, 32767)
    rate_bpm, _, qrs_ms, _ = measure(steps[None], target_hz)[0].tolist()
    centred = filtered.astype(np.float64)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.maximum(centred.std(axis=1, keepdims=True), 1e-9)
    skewness, correlations = np.full(len(LEADS), np.nan), np.full((len(LEADS), len(LEADS)), np.nan)
    skewness[seen[shown]] = (centred * centred * centred).mean(axis=1)
    correlations[np.ix_(seen[shown], seen[shown])] = centred @ centred.T / centred.shape[1]
    return Heart(rate_bpm, qrs_ms, skewness, correlations)


def _copies(look: Look) -> npt.NDArray[np.bool_]:
    """Return which leads are the same signal, shape (12, 12), a lead and itself left out."""
    energies = np.diag(look.covariance)
    both = energies[:, None] + energies
    same: npt.NDArray[np.bool_] = both - 2 * look.covariance <= SAME * both
    return same & ~np.eye(len(same), dtype=bool)


def _refuse_copies(looks: Sequence[Look], folder: Path) -> None:
    n_leads = [int(np.isfinite(look.ranges).sum()) for look in looks]
    copied = [look for look, n in zip(looks, n_leads, strict=True) if n > 2 and int(_copies(look).sum()) == n * (n - 1)]
    if 2 * len(copied) > len(looks):
        raise InputError(
            f"{folder}: all leads are the same signal in {_of(copied, looks)}, {copied[0].record_id} for one; check"
            " how the files store leads, or name the only one in `leads` and raise `signals.max_flat_leads`"
        )


def _doubts_about_copies(looks: Sequence[Look]) -> Iterator[str]:
    found = Counter((a, b) for look in looks for a, b in zip(*np.nonzero(_copies(look)), strict=True) if a < b)
    for (a, b), count in sorted(found.items()):
        if 2 * count > len(looks):
            yield f"{LEADS[a]} and {LEADS[b]} are the same signal in {count} of {_n(looks)}"


def _doubts_about_limb_leads(looks: Sequence[Look], folder: Path) -> Iterator[str]:
    complete = [look for look in looks if np.isfinite(look.ranges[:N_LIMB]).all()]
    mistaken: dict[tuple[str, Order], list[Look]] = defaultdict(list)
    lost = []
    for look in complete:
        order = order_of_limb_leads(look.covariance, _is_scaled(look))
        if order is None and limb_misfit(look.covariance, _is_scaled(look)) > DOES_NOT:
            lost.append(look)
        elif order not in (None, IN_ORDER):
            mistaken[look.leads, order].append(look)
    n_called_so = Counter(look.leads for look in complete)
    for (leads, order), called_otherwise in mistaken.items():
        found = f"{in_words(order, range(N_LIMB))} in {_of(called_otherwise, complete)}{_off(called_otherwise)}"
        if 2 * len(called_otherwise) > n_called_so[leads]:
            remedy = "fix `leads` of the data set or of its table" if leads else "fix the names of leads in its files"
            raise InputError(f"{folder}: {found}; {remedy}")
        if len(called_otherwise) > 1:
            yield f"{found}, {called_otherwise[0].record_id} for one"
    if 2 * len(lost) > len(complete):
        yield (
            f"the limb leads do not add up in {_of(lost, complete)}{_off(lost)}: they were not recorded at one time, or"
            " scaled by different factors, or are no such leads"
        )


def _is_scaled(look: Look) -> bool:
    return look.is_scaled or not look.has_unit


def _off(looks: Sequence[Look]) -> str:
    """Return by how much the worst of the identities is off, in words; nothing where amplitudes are unknown."""
    if any(map(_is_scaled, looks)):
        return ""
    off_mv = [off_by_mv(look.covariance) for look in looks]
    medians = {lead: float(np.median([of_one[lead] for of_one in off_mv])) for lead in IDENTITIES}
    worst = max(medians, key=lambda lead: medians[lead])
    return f" ({IDENTITIES[worst]} is off by {1000 * medians[worst]:.3g} µV)"


def _doubts_about_chest_leads(hearts: Sequence[Look]) -> Iterator[str]:
    found = [look.heart.correlations for look in hearts if look.heart and np.isfinite(look.ranges[N_LIMB:]).all()]
    if len(found) >= ENOUGH_FOR_CHEST:
        order = order_of_chest_leads(np.median(found, axis=0))
        if order != CHEST_IN_ORDER:
            words = in_words(order, range(N_LIMB, len(LEADS)))
            yield f"{words}: then neighbours resemble each other more, in {len(found)} recordings examined"


def _doubts_about_directions(hearts: Sequence[Look]) -> Iterator[str]:
    skewness = np.array([look.heart.skewness for look in hearts if look.heart])
    if len(skewness) < ENOUGH:
        return
    wrong = []
    for lead, direction in UPRIGHT.items():
        known = skewness[np.isfinite(skewness[:, lead]), lead]
        if len(known) >= ENOUGH and np.mean(direction * known < 0) > WRONG_WAY:
            wrong.append(LEADS[lead])
    if wrong:
        yield (
            f"QRS points the wrong way in {', '.join(wrong)} of most of {len(skewness)} recordings examined (in"
            " most hearts I, II and V6 point up, V1 down): leads are inverted, exchanged or in reverse order"
        )


def _doubts_about_sizes(looks: Sequence[Look]) -> Iterator[str]:
    sized = [look.ranges / np.nanmedian(look.ranges) for look in looks if not _is_scaled(look)]
    if len(sized) < ENOUGH:
        return
    for lead, ratios in zip(LEADS, np.array(sized).T, strict=True):
        known = ratios[np.isfinite(ratios)]
        ratio = float(np.median(known)) if len(known) >= ENOUGH else 1.0
        if not 1 / LARGEST_RATIO <= ratio <= LARGEST_RATIO:
            yield (
                f"lead {lead} spans {ratio:.3g} times what other leads span, the median of {len(known)} recordings"
                " examined; its unit or gain seems wrong"
            )


def _doubts_about_scaling(looks: Sequence[Look]) -> Iterator[str]:
    scaled = [look for look in looks if look.is_scaled]
    what = "every lead"
    for sizes in np.array([look.sizes for look in looks]).T:
        if 2 * len(scaled) <= len(looks):
            what, near = "every recording", np.abs(sizes / np.median(sizes) - 1) < ALIKE / 2
            scaled = [look for look, is_near in zip(looks, near, strict=True) if is_near]
    if len(scaled) >= ENOUGH and 2 * len(scaled) > len(looks):
        yield (
            f"{what} was scaled to the same size in {_of(scaled, looks)}: amplitudes mean nothing there;"
            " signals.scaling min-max or z-score would treat all data sets alike"
        )


def _doubts_about_slow_rates(looks: Sequence[Look]) -> Iterator[str]:
    slow = [look for look in looks if look.sampling_rate_hz < TOO_SLOW_HZ]
    if 2 * len(slow) > len(looks):
        yield f"the sampling rate of {_of(slow, looks)} is below {TOO_SLOW_HZ} Hz: is it right?"


def _doubts_about_times(hearts: Sequence[Look]) -> Iterator[str]:
    """Yield that heart rates and QRS widths are impossible, if too many of them are."""
    known = [look for look in hearts if look.duration_s >= MEASURED_S / 2 or (look.heart and look.heart.rate_bpm > 0)]
    if len(known) < ENOUGH:
        return
    rates_bpm, qrs_ms = np.array([(look.heart.rate_bpm, look.heart.qrs_ms) for look in known if look.heart]).T
    off = (np.log(rates_bpm / TYPICAL_BPM) - np.log(qrs_ms / TYPICAL_QRS_MS)) / 2
    fast = (rates_bpm > FASTEST_BPM) | (off > TIME_IS_OFF)
    slow = (rates_bpm < SLOWEST_BPM) | (off < -TIME_IS_OFF)
    silent = np.isnan(rates_bpm)
    if np.mean(fast | slow | silent) <= TOO_MANY:
        return
    stated = sorted({look.sampling_rate_hz for look in known})
    rate = f"sampling rate of {stated[0]:g} Hz seems" if len(stated) == 1 else "sampling rates seem"
    if silent.sum() > max(fast.sum(), slow.sum()):
        yield f"no similar beats are found in {silent.sum()} of {_n(known)}; the {rate} to be wrong"
        return
    too, count = ("high", fast.sum()) if fast.sum() >= slow.sum() else ("low", slow.sum())
    yield (
        f"the {rate} too {too}: heart rate and QRS cannot be in {count} of {_n(known)} (medians"
        f" {np.nanmedian(rates_bpm):.0f} per minute and {np.nanmedian(qrs_ms):.0f} ms; most hearts have about"
        f" {TYPICAL_BPM:.0f} and {TYPICAL_QRS_MS:.0f}); check headers, table or `sampling_rate_hz` of the data set"
    )


def _of(some: Sequence[Look], looks: Sequence[Look]) -> str:
    return f"{len(some)} of {_n(looks)}"


def _n(looks: Sequence[Look]) -> str:
    return f"{len(looks)} recordings examined"
