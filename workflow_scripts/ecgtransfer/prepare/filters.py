"""Zero-phase band-pass and anti-aliased resampling of multi-lead signals."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, resample_poly, sosfiltfilt


@lru_cache
def _butterworth(low_hz: float, high_hz: float, order: int, sampling_rate_hz: float) -> npt.NDArray[np.float64]:
    return np.asarray(butter(order, (low_hz, high_hz), btype="bandpass", fs=sampling_rate_hz, output="sos"))


def band_pass(
    signal: npt.NDArray[np.float64],
    sampling_rate_hz: float,
    low_hz: float,
    high_hz: float,
    order: int,
    edge_s: float,
) -> npt.NDArray[np.float64]:
    """Return the signal after a Butterworth band-pass run forward and backward, which leaves no delay.

    Parameters
    ----------
    signal
        Shape (leads, samples).
    sampling_rate_hz
        Of the signal.
    low_hz, high_hz
        Half-power frequencies of one pass; both passes together attenuate them by 6 dB. A `high_hz` at or above 95 %
        of the Nyquist rate is lowered to that.
    order
        Of the low-pass prototype.
    edge_s
        Seconds of odd extension at each end, at most the signal's own length. It decides how the edges look.
    """
    high_hz = min(high_hz, 0.95 * sampling_rate_hz / 2)
    extension = min(round(edge_s * sampling_rate_hz), signal.shape[1] - 1)
    sections = _butterworth(low_hz, high_hz, order, sampling_rate_hz)
    return np.asarray(sosfiltfilt(sections, signal, axis=1, padtype="odd", padlen=extension))


def resample(
    signal: npt.NDArray[np.float64], sampling_rate_hz: float, target_rate_hz: float
) -> npt.NDArray[np.float64]:
    """Return the signal at another rate, anti-aliased by a zero-phase polyphase FIR filter.

    The ends are extended by lines through the first and last sample, so that an offset makes no step there.
    """
    ratio = Fraction(target_rate_hz / sampling_rate_hz).limit_denominator(1000)
    if ratio == 1:
        return signal
    return np.asarray(resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, padtype="line"))
