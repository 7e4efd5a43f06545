"""Band-pass and resampling against references that are put together by hand in float64."""

import numpy as np
import numpy.typing as npt
import pytest
from changed_section import changed
from scipy.signal import butter, firwin, iirnotch, medfilt, sosfilt, sosfilt_zi, sosfiltfilt, tf2sos

from ecgtransfer.config.signals import BandPass, Signals
from ecgtransfer.errors import InputError
from ecgtransfer.kernels.filters import band_pass, filter_and_resample, remove_baseline, resample

BAND = {"low_hz": 0.5, "high_hz": 40.0, "order": 3, "edge_s": 1.0}
CLOSE = 1e-3
"""Relative root mean square of the difference that a faster way of filtering may have."""
Signal = npt.NDArray[np.float64]


def ecg_like(rate: float, seconds: float, seed: int = 0) -> Signal:
    """Return three leads of beats, wander, noise and an offset in mV."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    beats = sum(np.exp(-(((time - onset) / 0.02) ** 2)) for onset in np.arange(0.3, seconds, 0.8))
    wander = 0.4 * np.sin(2 * np.pi * 0.2 * time)
    return np.stack([a * beats + wander + 0.02 * rng.standard_normal(len(time)) + a for a in (1.0, -0.7, 2.0)])


def tone(hz: float, rate: float, seconds: float) -> Signal:
    """Return a sine of 1 mV in one lead."""
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate + 0.3)[None]


def relative_rms(found: Signal, expected: Signal) -> float:
    """Return the root mean square of the difference over that of the reference."""
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def forward_and_backward(signal: Signal, rate: float, low: float, high: float, order: int, n_edge: int) -> Signal:
    """Return a lead filtered in both directions, both ends extended by point reflection, both runs in steady state."""
    sections = butter(order, [low / (rate / 2), high / (rate / 2)], "band", output="sos")
    start, end = signal[0], signal[-1]
    extended = np.concatenate([2 * start - signal[n_edge:0:-1], signal, 2 * end - signal[-2 : -(n_edge + 2) : -1]])
    steady = sosfilt_zi(sections)
    forward, _ = sosfilt(sections, extended, zi=steady * extended[0])
    backward, _ = sosfilt(sections, forward[::-1], zi=steady * forward[-1])
    return backward[::-1][n_edge : n_edge + len(signal)]


@pytest.mark.parametrize("rate", [100, 257, 360, 500, 1000])
@pytest.mark.parametrize("order", [1, 3, 5])
@pytest.mark.parametrize("edge_s", [0.25, 1.0])
def test_band_pass_equals_a_reference_by_hand(rate: float, order: int, edge_s: float) -> None:
    signal = ecg_like(rate, 4.0)
    found = band_pass(signal, rate, **{**BAND, "order": order, "edge_s": edge_s})
    for lead, of_lead in zip(signal, found, strict=True):
        expected = forward_and_backward(lead, rate, 0.5, 40.0, order, round(edge_s * rate))
        assert relative_rms(of_lead, expected) <= CLOSE


def test_edge_is_at_most_as_long_as_the_recording() -> None:
    signal = ecg_like(100, 0.5)
    found = band_pass(signal, 100, **{**BAND, "edge_s": 10.0})
    expected = forward_and_backward(signal[0], 100, 0.5, 40.0, 3, signal.shape[1] - 1)
    assert relative_rms(found[0], expected) <= CLOSE


def test_the_upper_edge_is_lowered_for_slow_recordings() -> None:
    signal = ecg_like(64, 6.0)
    found = band_pass(signal, 64, **BAND)
    expected = forward_and_backward(signal[0], 64, 0.5, 0.95 * 32, 3, 64)
    assert relative_rms(found[0], expected) <= CLOSE


@pytest.mark.parametrize("hz", [3.0, 10.0, 20.0])
def test_tones_inside_the_band_keep_amplitude_and_phase(hz: float) -> None:
    signal = tone(hz, 500, 20)
    middle = slice(2000, -2000)
    assert relative_rms(band_pass(signal, 500, **BAND)[:, middle], signal[:, middle]) < 0.02


@pytest.mark.parametrize(("hz", "share"), [(0.5, 0.5), (40.0, 0.5)])
def test_both_passes_halve_the_amplitude_at_the_corners(hz: float, share: float) -> None:
    signal = tone(hz, 500, 60)
    found = band_pass(signal, 500, **BAND)[:, 10000:20000]
    assert np.ptp(found) / 2 == pytest.approx(share, rel=0.01)


@pytest.mark.parametrize("hz", [0.05, 150.0])
def test_tones_outside_the_band_vanish(hz: float) -> None:
    found = band_pass(tone(hz, 500, 60), 500, **BAND)
    assert np.abs(found[:, 5000:-5000]).max() < 0.002


def test_offset_is_removed_to_the_ends() -> None:
    assert np.abs(band_pass(np.full((2, 1000), 3.7), 500, **BAND)).max() < 1e-9


def resampled_by_hand(lead: Signal, up: int, down: int) -> Signal:
    """Return a lead prolonged by the line through its ends, zeros put between its samples, low-passed, thinned."""
    half = 10 * max(up, down)
    n_more = half // up + 1
    slope = (lead[-1] - lead[0]) / (len(lead) - 1)
    more = slope * np.arange(1, n_more + 1)
    prolonged = np.concatenate([lead[0] - more[::-1], lead, lead[-1] + more])
    spread = np.zeros(len(prolonged) * up)
    spread[::up] = prolonged
    taps = up * firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0))
    smooth = np.convolve(spread, taps)[half + n_more * up :]
    return smooth[: len(lead) * up : down]


@pytest.mark.parametrize(
    ("rate", "target", "up", "down"), [(500, 100, 1, 5), (1000, 100, 1, 10), (360, 100, 5, 18), (100, 250, 5, 2)]
)
def test_resample_equals_a_reference_by_hand(rate: int, target: int, up: int, down: int) -> None:
    signal = ecg_like(rate, 7.3)
    found = resample(signal, rate, target)
    for lead, of_lead in zip(signal, found, strict=True):
        expected = resampled_by_hand(lead, up, down)
        assert of_lead.shape == expected.shape
        assert relative_rms(of_lead, expected) <= CLOSE


@pytest.mark.parametrize("rate", [257, 360, 500, 1000])
def test_resample_equals_band_limited_interpolation_inside_the_record(rate: int) -> None:
    """The sum of a few tones below half the new rate is known between its samples, too."""
    hz, phase = np.array([0.7, 4.0, 11.0, 25.0, 33.0]), np.array([0.1, 1.0, 2.0, 0.5, 1.7])

    def at(time: Signal) -> Signal:
        return np.sin(2 * np.pi * hz[:, None] * time + phase[:, None]).sum(axis=0)

    found = resample(at(np.arange(10 * rate) / rate)[None], rate, 100)[0]
    assert len(found) == 1000
    expected = at(np.arange(1000) / 100)
    assert relative_rms(found[50:-50], expected[50:-50]) <= 1e-2


@pytest.mark.parametrize("hz", [70.0, 120.0, 210.0])
def test_tones_above_the_new_nyquist_vanish_instead_of_folding(hz: float) -> None:
    found = resample(tone(hz, 500, 10), 500, 100)
    assert np.abs(found[:, 50:-50]).max() < 0.005


def test_an_offset_makes_no_step_at_the_ends() -> None:
    np.testing.assert_allclose(resample(np.full((2, 500), 5.0), 500, 100), 5.0, atol=1e-9)
    np.testing.assert_allclose(resample(np.linspace(0, 1, 501)[None], 500, 100)[0], np.linspace(0, 1, 101), atol=1e-9)


def test_same_rate_is_left_alone() -> None:
    signal = ecg_like(100, 2)
    np.testing.assert_array_equal(resample(signal, 100.0, 100), signal)


def test_filter_and_resample_against_the_spectrum() -> None:
    """Zero-phase filtering multiplies the spectrum by |H|^2, whoever does it; resampling cuts it off."""
    rate, n_samples = 500, 15000
    signal = ecg_like(rate, n_samples / rate)
    found = resample(band_pass(signal, rate, **BAND), rate, 100)[0]
    sections = butter(3, [0.5, 40.0], "band", fs=rate, output="sos")
    hz = np.fft.rfftfreq(n_samples, 1 / rate)
    on_circle = np.exp(-2j * np.pi * hz / rate)[:, None] ** np.arange(3)
    response = np.prod([(on_circle @ s[:3]) / (on_circle @ s[3:]) for s in sections], axis=0)
    spectrum = np.fft.rfft(signal[0]) * np.abs(response) ** 2
    expected = np.fft.irfft(spectrum[: 3000 // 2 + 1], 3000) * 3000 / n_samples
    assert relative_rms(found[500:-500], expected[500:-500]) <= 2e-2


@pytest.mark.parametrize(("hz", "share"), [(0.05, 0.0), (0.5, 0.5), (3.0, 1.0), (20.0, 1.0), (40.0, 0.5), (60.0, 0.0)])
def test_fir_band_pass_keeps_phase_and_has_its_corners_where_the_butterworth_filter_has(
    hz: float, share: float
) -> None:
    signal = tone(hz, 500, 60)
    found = band_pass(signal, 500, **BAND, design="fir")
    assert np.abs(found - share * signal)[:, 5000:-5000].max() < 0.01


def test_fir_band_pass_equals_a_convolution_by_hand() -> None:
    rate, signal = 250, ecg_like(250, 3.0)
    half = 825  # 3.3 * 250 / 0.5 taps
    taps = firwin(2 * half + 1, [0.5, 40.0], window="hamming", pass_zero=False, fs=rate)
    found = band_pass(signal, rate, **BAND, design="fir")
    for lead, of_lead in zip(signal, found, strict=True):
        period = 2 * (len(lead) - 1)
        slope = 2 * (lead[-1] - lead[0])
        at = np.arange(-half, len(lead) + half)
        turn, rest = np.divmod(at, period)  # point reflection at both ends, again and again
        back = rest >= len(lead)
        extended = np.where(back, 2 * lead[-1] - lead[np.where(back, period - rest, 0)], lead[np.where(back, 0, rest)])
        np.testing.assert_allclose(of_lead, np.convolve(extended + turn * slope, taps, mode="valid"), atol=1e-9)


def test_fir_band_pass_removes_an_offset_to_the_ends() -> None:
    assert np.abs(band_pass(np.full((2, 1000), 3.7), 500, **BAND, design="fir")).max() < 0.01


def test_no_band_pass_leaves_the_signal_alone() -> None:
    signal = ecg_like(500, 2)
    np.testing.assert_array_equal(band_pass(signal, 500, **BAND, design="none"), signal)


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("design", ["butterworth", "fir", "none"])
def test_notch_takes_the_mains_and_leaves_the_rest(mains_hz: int, design: str) -> None:
    band = {**BAND, "high_hz": 100.0, "design": design}
    clean, mains = tone(10, 500, 20), tone(mains_hz, 500, 20)
    found = band_pass(clean + mains, 500, **band, notch_hz=mains_hz)
    middle = slice(2000, -2000)
    assert relative_rms(found[:, middle], clean[:, middle]) < 0.02
    found = band_pass(clean + mains, 500, **band)
    assert relative_rms(found[:, middle], clean[:, middle]) > 0.9


@pytest.mark.parametrize("design", ["butterworth", "none"])
def test_notch_runs_in_cascade_with_the_band_pass(design: str) -> None:
    signal = ecg_like(500, 4)
    sections = [tf2sos(*iirnotch(50, 30, fs=500))]
    if design == "butterworth":
        sections.insert(0, butter(3, [0.5, 40.0], "bandpass", fs=500, output="sos"))
    expected = sosfiltfilt(np.concatenate(sections), signal, axis=1, padlen=500)
    assert relative_rms(band_pass(signal, 500, **BAND, design=design, notch_hz=50), expected) < 1e-9


@pytest.mark.parametrize("notch_hz", [50, 60])
def test_notch_out_of_the_recordings_reach_is_left_out(notch_hz: int) -> None:
    signal = ecg_like(100, 4)
    np.testing.assert_array_equal(band_pass(signal, 100, **BAND, notch_hz=notch_hz), band_pass(signal, 100, **BAND))


def test_band_without_width_is_the_users_mistake() -> None:
    for design in ("butterworth", "fir"):
        with pytest.raises(InputError, match=r"between 30 and 19 Hz .* 40 Hz"):
            band_pass(ecg_like(40, 4), 40, **{**BAND, "low_hz": 30.0, "design": design})


def test_baseline_equals_two_medians_by_hand() -> None:
    signal = ecg_like(250, 6.0)
    for lead, found in zip(signal, remove_baseline(signal, 250), strict=True):
        held = np.pad(lead, 500, mode="edge")  # 51 samples are 200 ms and 151 are 600 ms, to an odd number
        first = np.pad(medfilt(held, 51)[500:-500], 500, mode="edge")
        np.testing.assert_allclose(found, lead - medfilt(first, 151)[500:-500], atol=1e-12)


def test_baseline_follows_the_wander_and_leaves_the_beats() -> None:
    time = np.arange(5000) / 500
    wander = 0.5 * np.sin(2 * np.pi * 0.1 * time) + 2
    beats = sum(np.exp(-(((time - onset) / 0.02) ** 2)) for onset in np.arange(0.3, 10, 0.8))
    found = remove_baseline((wander + beats)[None], 500)[0]
    assert np.abs(found - beats)[250:-250].max() < 0.03


@pytest.mark.parametrize(("rate", "target", "n_samples"), [(500, 100, 5001), (257, 100, 2001), (100, 500, 333)])
def test_fft_resampling_keeps_a_periodic_tone(rate: int, target: int, n_samples: int) -> None:
    found = resample(np.cos(2 * np.pi * 7 * np.arange(n_samples) / n_samples)[None], rate, target, "fft")
    n_out = -(-n_samples * target // rate)
    assert found.shape == (1, n_out)
    np.testing.assert_allclose(found[0], np.cos(2 * np.pi * 7 * np.arange(n_out) / n_out), atol=1e-9)


@pytest.mark.parametrize(("rate", "step"), [(500, 5), (1000, 10), (100, 1)])
def test_slicing_keeps_samples_as_they_are(rate: int, step: int) -> None:
    signal = ecg_like(rate, 3.01)
    np.testing.assert_array_equal(resample(signal, rate, 100, "slice"), signal[:, ::step])


@pytest.mark.parametrize("rate", [257, 250, 50])
def test_slicing_needs_a_whole_ratio(rate: int) -> None:
    with pytest.raises(InputError, match=rf"slice .* {rate} Hz .* 100 Hz; choose polyphase or fft"):
        resample(ecg_like(rate, 3), rate, 100, "slice")


@pytest.mark.parametrize("method", ["polyphase", "fft"])
@pytest.mark.parametrize("rate", [500, 1000, 400, 257, 250])
@pytest.mark.parametrize("n_samples", [60, 1001])
def test_lengths_agree_over_the_methods(method: str, rate: int, n_samples: int) -> None:
    signal = ecg_like(rate, n_samples / rate)
    assert resample(signal, rate, 100, method).shape == (3, -(-n_samples * 100 // rate))


def test_filter_and_resample_takes_the_steps_in_order() -> None:
    signal = ecg_like(500, 6)
    settings = Signals(
        sampling_rate_hz=100,
        band_pass=BandPass(**BAND, design="fir"),
        notch_hz=50,
        remove_baseline=True,
        resampling="fft",
    )
    expected = resample(
        band_pass(remove_baseline(signal, 500), 500, **BAND, design="fir", notch_hz=50), 500, 100, "fft"
    )
    np.testing.assert_array_equal(filter_and_resample(signal, 500, settings), expected)
    without = filter_and_resample(signal, 500, changed(settings, {"remove_baseline": False}))
    assert relative_rms(without, expected) > 0.01
