"""What a publisher added to a recording at its ends, to bring all recordings to one length."""

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

PADDING_S = 0.1
"""Zeros in all leads, from the start or to the end of a recording, are padding from this length on."""

HELD_S = 0.5
"""So is any other value that all leads hold, and so are samples that are missing in all, from this length on. PTB-XL
holds the last value for up to 0.11 s at 500 Hz; none of 2,824 published recordings holds one for longer."""

TIMES_LONGER = 5
"""How many times as long as any such run between one at an end must be to be padding: in steps of 0.1 mV a simulated
heart at rest is 0 in all leads for up to 0.22 s, and at an end for 2.5 to 4 times as long as ever between."""

N_LIMB_LEADS = 6


def recorded_part(signal: Samples, sampling_rate_hz: float) -> tuple[int, int]:
    """Return where the recording begins and ends within what the publisher padded it with.

    At either end, `PADDING_S` or more of exactly 0 mV in all leads are padding (CODE brings all recordings to one
    length so), and so is any value that all leads hold for `HELD_S` or more; but only if it is `TIMES_LONGER` than what
    is held anywhere between, for in coarse steps a heart at rest is such a run. A recording of nothing else is left
    whole.

    Parameters
    ----------
    signal
        Shape (12, samples), mV, no sample missing.
    sampling_rate_hz
        Of the recording.
    """
    first, stop = 0, signal.shape[1]
    if not (signal[:, 0].any() and signal[:, -1].any()):
        alive: Mask = np.asarray(signal.any(axis=0))
        rest = int(np.diff(np.flatnonzero(alive)).max(initial=1)) - 1
        first, stop = _without_ends(alive, max(PADDING_S * sampling_rate_hz, TIMES_LONGER * rest))
    least = max(2, math.ceil(HELD_S * sampling_rate_hz))
    if least >= stop - first:
        return first, stop
    if _alike(signal, first, first + least - 1) or _alike(signal, stop - 1, stop - least):
        n_before, n_behind = _held_ends(signal[:, first:stop], least)
        return first + n_before, stop - n_behind
    return first, stop


def part_with_samples(signal: Samples, sampling_rate_hz: float) -> tuple[int, int]:
    """Return where the recording begins and ends between `HELD_S` or more without a sample in any lead."""
    if not np.isnan(signal[:, [0, -1]]).all(axis=0).any():
        return 0, signal.shape[1]
    return _without_ends(np.asarray(~np.isnan(signal).all(axis=0)), HELD_S * sampling_rate_hz)


def _without_ends(recorded: Mask, least: float) -> tuple[int, int]:
    """Return where what was recorded begins and ends, where the rest is so long; all, if nothing was recorded."""
    n_samples = len(recorded)
    if not recorded.any():
        return 0, n_samples
    first = int(recorded.argmax())
    stop = n_samples - int(recorded[::-1].argmax())
    return first if first >= least else 0, stop if n_samples - stop >= least else n_samples


def _alike(signal: Samples, one: int, other: int) -> bool:
    """Return whether two samples are equal in all leads; checks one lead first, which mostly settles it."""
    return signal.item(0, one) == signal.item(0, other) and bool((signal[:, one] == signal[:, other]).all())


def _held_ends(signal: Samples, least: int) -> tuple[int, int]:
    """Return how many samples at the start and at the end only hold a value, in all leads and for so long.

    Where the last recorded value is held, it is the first of its run and stays.
    """
    changes = np.flatnonzero((signal[:, 1:] != signal[:, :-1]).any(axis=0))
    if len(changes) < 2:  # one value, or one and then another
        return 0, 0
    n_before, n_behind = int(changes[0]) + 1, signal.shape[1] - 1 - int(changes[-1])
    least = max(least, TIMES_LONGER * int(np.diff(changes).max()))
    return (
        n_before - (not _is_filling(signal, 0)) if n_before >= least else 0,
        n_behind - (not _is_filling(signal, -1)) if n_behind >= least else 0,
    )


def _is_filling(signal: Samples, place: int) -> bool:
    """Return whether a value is the same in all chest leads that move, up to sign; limb leads may be rebuilt."""
    chest = signal[N_LIMB_LEADS:]
    values = np.abs(chest[(chest != chest[:, place, None]).any(axis=1), place])
    return len(values) > 1 and bool((values == values[0]).all())
