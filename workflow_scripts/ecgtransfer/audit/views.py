"""The four leads, at a rate of some 100 Hz, in which copies of a recording are searched for."""

import numpy as np
import numpy.typing as npt

WORKING_RATE_HZ = 100
"""Faster signals are averaged down to about this rate: what tells recordings apart lies below 50 Hz."""

VIEWS = (0, 1, 7, 10)
"""Leads I, II, V2 and V5 represent the twelve where a search must be fast: the heart from four sides."""


def samples_per_step(sampling_rate_hz: float) -> int:
    """Return how many samples are averaged into one at the working rate; 1 for rates below twice that."""
    return max(1, int(sampling_rate_hz // WORKING_RATE_HZ))


def averaged(signals: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.float32]:
    """Return the means of `n` successive samples along the last axis; a rest at the end is dropped."""
    if n == 1:
        return signals
    whole = signals.shape[-1] // n * n
    pooled: npt.NDArray[np.float32] = signals[..., :whole].reshape(*signals.shape[:-1], -1, n).mean(axis=-1)
    return pooled
