"""From one recording to its row of the signal array."""

from typing import Any

import numpy as np
import pytest
from changed_section import changed
from tiny_signals import SETTINGS, STEPS, in_microvolts, recording

from ecgtransfer.prepare.rows import Quality, prepare_signal, window


class TestWindow:
    """Cropping."""

    @pytest.mark.parametrize(("crop", "first"), [("start", 0), ("centre", 3)])
    def test_crop(self, crop: str, first: int) -> None:
        signal = np.arange(24, dtype=np.float32).reshape(2, 12)
        np.testing.assert_array_equal(window(signal, 5, crop), signal[:, first : first + 5])

    @pytest.mark.parametrize("crop", ["start", "centre"])
    def test_a_short_signal_stays(self, crop: str) -> None:
        signal = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_array_equal(window(signal, 5, crop), signal)


class TestOneRecording:
    """`prepare_signal`."""

    def test_steps_are_microvolts(self) -> None:
        signal = recording()
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert prepared.dtype == np.int16
        assert prepared.shape == (12, 500)
        assert np.abs(prepared - in_microvolts(signal)[:, :500]).max() <= STEPS
        # The tones lie within the band, so that their amplitude stays.
        assert np.abs(prepared[:, 100:-100] / 1000 - signal[:, 500:2000:5]).max() < 0.06
        ranges = np.ptp(in_microvolts(signal)[:, :500], axis=1)
        assert quality.amplitude_mv == pytest.approx(np.median(ranges) / 1000, abs=1e-4)
        assert quality._replace(amplitude_mv=0, gain_ratio=0, steps_per_mv=0) == Quality(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, ""
        )

    def test_centre(self) -> None:
        signal = recording(9)
        whole, _ = prepare_signal(signal, 500, changed(SETTINGS, {"duration_s": 9}))
        centre, _ = prepare_signal(signal, 500, changed(SETTINGS, {"crop": "centre"}))
        np.testing.assert_array_equal(centre, whole[:, 200:700])

    @pytest.mark.parametrize("crop", ["start", "centre"])
    def test_short_recording_is_padded_behind(self, crop: str) -> None:
        signal = recording(3.2)
        prepared, quality = prepare_signal(signal, 500, changed(SETTINGS, {"crop": crop}))
        assert np.all(prepared[:, 320:] == 0)
        assert np.abs(prepared[:, :320] - in_microvolts(signal)).max() <= STEPS
        assert (quality.padded_s, quality.usable) == (1.8, 1)

    def test_short_recording_that_must_not_be_padded(self) -> None:
        _, quality = prepare_signal(recording(3.2), 500, changed(SETTINGS, {"pad_short_records": False}))
        assert (quality.usable, quality.reason) == (0, "1.8 s too short")
        _, quality = prepare_signal(recording(5), 500, changed(SETTINGS, {"pad_short_records": False}))
        assert quality.usable == 1

    def test_less_than_a_heart_beat(self) -> None:
        prepared, quality = prepare_signal(recording(0.9), 500, SETTINGS)
        assert (quality.usable, quality.reason, quality.amplitude_mv) == (0, "only 0.9 s long", 0)
        assert not prepared.any()

    def test_the_publishers_padding_is_cut_off_before_filtering(self) -> None:
        signal = recording(4) + 3  # the step from 3 mV to the padding must not ring
        padded = np.pad(signal, ((0, 0), (600, 1400)))
        prepared, quality = prepare_signal(padded, 500, SETTINGS)
        expected, _ = prepare_signal(signal, 500, SETTINGS)
        np.testing.assert_array_equal(prepared, expected)
        assert (quality.duration_s, quality.padded_s) == (4, 1)

    @pytest.mark.parametrize(("n_flat", "usable"), [(0, 1), (6, 1), (7, 0), (12, 0)])
    def test_flat_leads(self, n_flat: int, usable: int) -> None:
        signal = recording()
        signal[:n_flat] = np.linspace(-3, 3, 12)[:n_flat, None]
        signal[:n_flat, ::2] += 0.0009  # dithers by less than a step
        _, quality = prepare_signal(signal, 500, SETTINGS)
        assert (quality.flat_leads, quality.usable) == (n_flat, usable)
        assert quality.reason == ("" if usable else f"{n_flat} leads are flat")

    def test_a_lost_limb_lead_is_rebuilt(self) -> None:
        signal = recording()
        signal[2] = signal[1] - signal[0]
        whole, _ = prepare_signal(signal, 500, SETTINGS)
        signal[2], signal[9] = np.nan, np.nan
        repaired, quality = prepare_signal(signal, 500, SETTINGS)
        assert np.abs(repaired[2].astype(int) - whole[2]).max() <= 1
        assert not repaired[9].any()
        assert (quality.rebuilt_leads, quality.missing_leads, quality.flat_leads, quality.usable) == (1, 1, 0, 1)

    @pytest.mark.parametrize(("n_leads", "usable"), [(2, 1), (3, 0)])
    def test_missing_samples(self, n_leads: int, usable: int) -> None:
        signal = recording()
        signal[:n_leads, : signal.shape[1] - 2] = np.nan
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert quality.usable == usable
        assert quality.reason == ("" if usable else "25.0% of the samples are missing")
        assert np.abs(prepared[n_leads:]).max() > 100  # the other leads are not touched by the gaps

    def test_a_bridged_gap_leaves_the_rest_of_the_lead(self) -> None:
        signal = recording()
        whole, _ = prepare_signal(signal, 500, SETTINGS)
        signal[2, 1000:1004] = np.nan
        repaired, quality = prepare_signal(signal, 500, SETTINGS)
        assert quality.nan_fraction == pytest.approx(4 / signal.size, abs=1e-6)
        np.testing.assert_array_equal(np.delete(repaired, 2, axis=0), np.delete(whole, 2, axis=0))
        assert np.abs(repaired[2].astype(int) - whole[2]).max() < 60

    def test_what_int16_cannot_hold_is_clipped_and_counted(self) -> None:
        signal = recording()
        signal[5] += 40 * np.sin(2 * np.pi * 5 * np.arange(signal.shape[1]) / 500)
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        expected = in_microvolts(signal)[:, :500]
        n_beyond = np.sum(np.abs(expected) > 32767)
        assert n_beyond > 100
        assert quality.clipped_samples == pytest.approx(n_beyond, abs=2)
        assert np.abs(prepared - np.clip(expected, -32767, 32767)).max() <= 3  # float32 of 40 mV

    @pytest.mark.parametrize(("n_beyond", "usable"), [(60, 1), (61, 0)])
    def test_an_offset_beyond_int16(self, n_beyond: int, usable: int) -> None:
        """1 % of 12 times 500 samples may be clipped."""
        settings = changed(SETTINGS, {"band_pass": {"design": "none"}})
        signal = recording(5, 100)
        signal[7, :n_beyond] += 150
        prepared, quality = prepare_signal(signal, 100, settings)
        expected = np.clip(np.rint(1000 * signal), -32767, 32767)
        assert np.abs(prepared - expected).max() <= 1
        assert (quality.clipped_samples, quality.usable) == (n_beyond, usable)
        words = "of the samples lie beyond 32.767 mV; set signals.band_pass or signals.remove_baseline"
        assert quality.reason == ("" if usable else f"{61 / 6000:.1%} {words}")

    @pytest.mark.parametrize("change", [{}, {"remove_baseline": True, "band_pass": {"design": "none"}}])
    def test_an_offset_that_is_taken_off(self, change: dict[str, Any]) -> None:
        _, quality = prepare_signal(recording() + 150, 500, changed(SETTINGS, change))
        assert (quality.clipped_samples, quality.usable) == (0, 1)

    def test_a_broken_recording_leaves_nothing_behind(self) -> None:
        expected, _ = prepare_signal(recording(), 500, SETTINGS)
        broken = recording()
        broken[3, 7], broken[4] = np.inf, 1e38
        prepared, quality = prepare_signal(broken, 500, SETTINGS)
        assert (quality.usable, quality.reason) == (0, "voltages of up to inf mV")
        assert not prepared.any()
        again, _ = prepare_signal(recording(), 500, SETTINGS)
        np.testing.assert_array_equal(again, expected)


class TestScaling:
    """The scalings of the two studies."""

    def test_min_max_over_the_window(self) -> None:
        signal = recording(9)
        prepared, quality = prepare_signal(signal, 500, changed(SETTINGS, {"scaling": "min-max", "crop": "centre"}))
        kept = in_microvolts(signal)[:, 200:700]
        lowest, highest = kept.min(axis=1, keepdims=True), kept.max(axis=1, keepdims=True)
        expected = 2 * (kept - lowest) / (highest - lowest) - 1
        assert np.abs(prepared / 10000 - expected).max() <= 1e-4
        assert (prepared.min(axis=1) == -10000).all()
        assert (prepared.max(axis=1) == 10000).all()
        assert quality.amplitude_mv == pytest.approx(np.median(highest - lowest) / 1000, abs=2e-4)

    @pytest.mark.parametrize("seconds", [9, 3.2])
    def test_z_score_over_the_recording(self, seconds: float) -> None:
        signal = recording(seconds)
        prepared, _ = prepare_signal(signal, 500, changed(SETTINGS, {"scaling": "z-score"}))
        whole = in_microvolts(signal)
        expected = (whole - whole.mean(axis=1, keepdims=True)) / whole.std(axis=1, keepdims=True)
        n_kept = min(500, whole.shape[1])
        assert np.abs(prepared[:, :n_kept] / 1000 - expected[:, :500]).max() <= 1e-3
        assert not prepared[:, n_kept:].any()

    @pytest.mark.parametrize("scaling", ["min-max", "z-score"])
    def test_a_constant_lead_becomes_zero(self, scaling: str) -> None:
        signal = recording()
        signal[4] = 2.7  # filtering leaves rounding errors of it, which scaling must not blow up
        signal[8] = np.nan
        prepared, _ = prepare_signal(signal, 500, changed(SETTINGS, {"scaling": scaling}))
        assert not prepared[[4, 8]].any()
        assert prepared[[3, 5]].any()

    def test_amplitude_plays_no_part(self) -> None:
        signal = recording()
        for scaling in ("min-max", "z-score"):
            settings = changed(SETTINGS, {"scaling": scaling})
            once, thrice = (prepare_signal(times * signal, 500, settings)[0].astype(int) for times in (1, 3))
            assert np.abs(once - thrice).max() <= 1
