"""Baseline removal, zero-phase band-pass, notch and resampling of multi-lead signals, in plain scipy and float64.

This is the reference for every choice of the config section ``signals``; `ecgtransfer.kernels.block_filters` does the
usual choice, Butterworth and polyphase, many times faster and is tested against it. In order: baseline, band-pass and
notch, resampling. Ends of a recording: the IIR filters see an odd extension of `edge_s` seconds and begin in the steady
state of its outermost sample, the FIR band-pass sees as much odd extension as it is long, the polyphase resampling sees
the line through the first and the last sample.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import butter, firwin, iirnotch, oaconvolve, resample_poly, sosfiltfilt, tf2sos
from scipy.signal import resample as resample_by_fft

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError

NOTCH_QUALITY = 30.0
"""Centre frequency over half-power bandwidth of one pass: 1.7 Hz wide at 50 Hz, 2 Hz at 60 Hz."""

BASELINE_WINDOWS_S = (0.2, 0.6)
"""Widths of the two moving medians: the first takes out P waves and QRS complexes, the second T waves."""

FIR_TRANSITION = 3.3
"""Transition width of a Hamming-window FIR filter in units of rate / taps."""

MAX_TERM = 1000
"""Largest denominator of the ratio of two rates; more digits than a sampling rate is known to."""

Signal = npt.NDArray[np.float64]


def filter_and_resample(signal: npt.ArrayLike, sampling_rate_hz: float, settings: Signals) -> Signal:
    """Return the signal after baseline removal, band-pass, notch and resampling, according to `settings`.

    Parameters
    ----------
    signal
        Shape (leads, samples), without NaN.
    sampling_rate_hz
        Of the signal.
    settings
        The config section ``signals``: ``sampling_rate_hz`` (of the result), ``band_pass``, ``notch_hz``,
        ``remove_baseline`` and ``resampling`` are used.

    Returns
    -------
    numpy.ndarray
        Shape (leads, ceil(samples * new rate / rate)), same unit.

    Raises
    ------
    InputError
        If the band is empty at this rate, or ``resampling: slice`` meets a ratio that is no whole number.
    """
    filtered = np.asarray(signal, dtype=np.float64)
    if settings.remove_baseline:
        filtered = remove_baseline(filtered, sampling_rate_hz)
    filtered = band_pass(filtered, sampling_rate_hz, **settings.band_pass.model_dump(), notch_hz=settings.notch_hz)
    return resample(filtered, sampling_rate_hz, settings.sampling_rate_hz, settings.resampling)


def remove_baseline(signal: Signal, sampling_rate_hz: float) -> Signal:
    """Return the signal less its baseline: the moving median over 600 ms of the moving median over 200 ms.

    Ends are held while the windows reach over them. Source: de Chazal, O'Dwyer and Reilly, IEEE Transactions on
    Biomedical Engineering 51 (2004) 1196-1206.
    """
    baseline = signal
    for width_s in BASELINE_WINDOWS_S:
        width = 2 * round(width_s * sampling_rate_hz / 2) + 1
        baseline = np.stack([median_filter(lead, size=width, mode="nearest") for lead in baseline])
    return signal - baseline


def band_pass(
    signal: Signal,
    sampling_rate_hz: float,
    low_hz: float,
    high_hz: float,
    order: int,
    edge_s: float,
    design: str = "butterworth",
    notch_hz: float | None = None,
) -> Signal:
    """Return the signal after a band-pass and, where requested, a notch, neither of which delays it.

    Parameters
    ----------
    signal
        Shape (leads, samples).
    sampling_rate_hz
        Of the signal.
    low_hz, high_hz
        Edges of the pass band, attenuated by 6 dB in all. A `high_hz` at or above 95 % of the Nyquist rate is lowered
        to that.
    order
        Of the Butterworth low-pass prototype.
    edge_s
        Seconds of odd extension at each end for the IIR filters, at most the signal's own length. It decides how the
        edges look.
    design
        ``butterworth``: run forward and backward. ``fir``: one linear-phase Hamming-window filter, its delay taken
        out, of 3.3 * rate / low_hz taps, so that the transition at `low_hz` is `low_hz` wide and 0 Hz is rejected
        (6.6 s for 0.5 Hz). ``none``: no band-pass.
    notch_hz
        Of a second-order notch (`NOTCH_QUALITY`), run forward and backward in cascade with the Butterworth filter;
        left out where the recording does not reach that frequency.
    """
    if design == "fir":
        signal = _fir_band_pass(signal, sampling_rate_hz, low_hz, high_hz)
    sections = iir_sections(sampling_rate_hz, design, low_hz, high_hz, order, notch_hz)
    if not len(sections):
        return signal
    extension = extension_samples(sampling_rate_hz, signal.shape[1], edge_s)
    return np.asarray(sosfiltfilt(sections, signal, axis=1, padtype="odd", padlen=extension))


def extension_samples(sampling_rate_hz: float, n_samples: int, edge_s: float) -> int:
    """Return by how many samples the IIR filters extend each end."""
    return min(round(edge_s * sampling_rate_hz), n_samples - 1)


@lru_cache
def iir_sections(
    sampling_rate_hz: float, design: str, low_hz: float, high_hz: float, order: int, notch_hz: float | None
) -> npt.NDArray[np.float64]:
    """Return the second-order sections of one pass of the recursive filters, shape (sections, 6), perhaps none."""
    sections = [np.empty((0, 6))]
    if design == "butterworth":
        edges = _band(sampling_rate_hz, low_hz, high_hz)
        sections.append(butter(order, edges, btype="bandpass", fs=sampling_rate_hz, output="sos"))
    if notch_hz is not None and notch_hz < sampling_rate_hz / 2:
        sections.append(tf2sos(*iirnotch(notch_hz, NOTCH_QUALITY, fs=sampling_rate_hz)))
    return np.concatenate(sections)


def _band(sampling_rate_hz: float, low_hz: float, high_hz: float) -> tuple[float, float]:
    high_hz = min(high_hz, 0.95 * sampling_rate_hz / 2)
    if low_hz >= high_hz:
        raise InputError(
            f"signals.band_pass: nothing is left between {low_hz:g} and {high_hz:g} Hz of a recording at "
            f"{sampling_rate_hz:g} Hz; lower low_hz or leave the recording out"
        )
    return low_hz, high_hz


@lru_cache
def _fir_taps(sampling_rate_hz: float, low_hz: float, high_hz: float) -> npt.NDArray[np.float64]:
    half = ceil(FIR_TRANSITION * sampling_rate_hz / low_hz / 2)
    edges = _band(sampling_rate_hz, low_hz, high_hz)
    return np.asarray(firwin(2 * half + 1, edges, window="hamming", pass_zero=False, fs=sampling_rate_hz))


def _fir_band_pass(signal: Signal, sampling_rate_hz: float, low_hz: float, high_hz: float) -> Signal:
    taps = _fir_taps(sampling_rate_hz, low_hz, high_hz)
    half = len(taps) // 2
    extended = np.pad(signal, ((0, 0), (half, half)), mode="reflect", reflect_type="odd")
    return np.asarray(oaconvolve(extended, taps[None], mode="valid", axes=1))


def resampling_ratio(sampling_rate_hz: float, target_rate_hz: float) -> Fraction:
    """Return new rate over old rate in lowest terms."""
    return Fraction(target_rate_hz / sampling_rate_hz).limit_denominator(MAX_TERM)


def resample(signal: Signal, sampling_rate_hz: float, target_rate_hz: float, method: str = "polyphase") -> Signal:
    """Return the signal at another rate, shape (leads, ceil(samples * ratio)).

    Parameters
    ----------
    signal
        Shape (leads, samples).
    sampling_rate_hz, target_rate_hz
        Of the signal and of the result.
    method
        ``polyphase``: anti-aliased by a zero-phase FIR filter; the ends are extended by the line through the first
        and the last sample, so that an offset makes no step there. ``fft``: the spectrum is cut off or padded, which
        takes the signal as periodic (as Avetisyan et al. do). ``slice``: every k-th sample as it is, which folds what
        lies above the new Nyquist rate (as Nguyen and Do do).

    Raises
    ------
    InputError
        If ``slice`` meets a ratio that is no whole number.
    """
    ratio = resampling_ratio(sampling_rate_hz, target_rate_hz)
    if ratio == 1:
        return signal
    if method == "slice":
        if ratio.numerator != 1:
            raise InputError(
                f"signals.resampling: slice keeps every k-th sample, but {sampling_rate_hz:g} Hz is no whole multiple "
                f"of {target_rate_hz:g} Hz; choose polyphase or fft"
            )
        return signal[:, :: ratio.denominator]
    if method == "fft":
        return np.asarray(resample_by_fft(signal, ceil(signal.shape[1] * ratio), axis=1))
    return np.asarray(resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, padtype="line"))
