"""What lies at the ends of a recording without having been recorded: zeros, a value held, missing samples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tiny_signals import SETTINGS, STEPS, in_microvolts, recording

from ecgtransfer.prepare.padding import recorded_part
from ecgtransfer.prepare.quality import examine
from ecgtransfer.prepare.rows import prepare_signal

Samples = npt.NDArray[np.float32]
RATE = 500


def noise(n_samples: int) -> Samples:
    """Return twelve leads of noise in mV."""
    return np.random.default_rng(0).standard_normal((12, n_samples)).astype(np.float32)


class TestZeros:
    """Zeros in all leads."""

    def test_both_ends(self) -> None:
        signal = noise(1000)
        signal[:, :200] = 0
        signal[:, 700:] = 0
        assert recorded_part(signal, 400) == (200, 700)
        findings = examine(signal, 400)
        assert (findings.first, findings.stop, findings.flat_leads) == (200, 700, 0)

    @pytest.mark.parametrize(("n_zeros", "first"), [(39, 0), (40, 40), (41, 41)])
    def test_from_a_tenth_of_a_second_on(self, n_zeros: int, first: int) -> None:
        signal = noise(1000)
        signal[:, :n_zeros] = 0
        assert recorded_part(signal, 400) == (first, 1000)

    def test_one_lead_that_goes_on_is_a_recording(self) -> None:
        signal = noise(1000)
        signal[:, 600:] = 0
        signal[5, 600:] = 0.01
        signal[5, 850] = 0.02
        assert recorded_part(signal, 400) == (0, 1000)

    @pytest.mark.parametrize(("n_zeros", "first"), [(199, 0), (201, 201)])
    def test_rest_in_coarse_steps_is_no_padding(self, n_zeros: int, first: int) -> None:
        """Where all leads are 0 for 40 samples between two beats, 199 at an end can be the same."""
        signal = noise(1000)
        signal[:, :n_zeros] = 0
        signal[:, 300:340] = signal[:, 600:630] = 0
        assert recorded_part(signal, 400) == (first, 1000)

    def test_zeros_within_stay(self) -> None:
        signal = noise(1000)
        signal[:, 300:600] = 0
        assert recorded_part(signal, 400) == (0, 1000)

    def test_nothing_but_zeros_is_flat(self) -> None:
        findings = examine(np.zeros((12, 1000), dtype=np.float32), 400)
        assert (findings.first, findings.stop, findings.flat_leads) == (0, 1000, 12)


def filled(signal: npt.NDArray[Any], n_samples: int, value: float) -> npt.NDArray[Any]:
    """Return a recording with a value behind it in all leads."""
    return np.pad(signal, ((0, 0), (0, n_samples)), constant_values=value)


def held(signal: npt.NDArray[Any], n_samples: int) -> npt.NDArray[Any]:
    """Return a recording that holds its last values."""
    return np.pad(signal, ((0, 0), (0, n_samples)), mode="edge")


Padded = Callable[[npt.NDArray[Any], int], npt.NDArray[Any]]
WAYS: dict[str, Padded] = {
    "last value held": held,
    "zero of the converter": lambda signal, n_samples: filled(signal, n_samples, 2.048),
    "missing": lambda signal, n_samples: filled(signal, n_samples, np.nan),
    "missing, then held": lambda signal, n_samples: held(filled(signal, n_samples // 2, np.nan), n_samples // 2),
    "zero": lambda signal, n_samples: filled(signal, n_samples, 0.0),
}


@pytest.mark.parametrize("end", ["start", "end"])
@pytest.mark.parametrize("way", WAYS)
class TestEveryWayToPad:
    """However a publisher fills a recording up, what is prepared is the recording, as scipy filters it."""

    def padded(self, signal: npt.NDArray[Any], n_samples: int, way: str, end: str) -> Samples:
        if end == "end":
            return WAYS[way](signal, n_samples).astype(np.float32)
        return WAYS[way](signal[:, ::-1], n_samples)[:, ::-1].astype(np.float32)

    def test_it_is_cut_off_before_filtering(self, way: str, end: str) -> None:
        signal = recording(4) + np.linspace(0.3, 3, 12)[:, None]
        row, quality = prepare_signal(self.padded(signal, 3 * RATE, way, end), RATE, SETTINGS)
        assert np.abs(row[:, :400] - in_microvolts(signal)).max() <= STEPS
        assert not row[:, 400:].any()
        assert (quality.duration_s, quality.padded_s, quality.nan_fraction) == (4, 1, 0)
        assert (quality.flat_leads, quality.missing_leads, quality.usable, quality.reason) == (0, 0, 1, "")

    def test_a_lead_that_is_off_throughout_plays_no_part(self, way: str, end: str) -> None:
        signal = recording(4) + 0.3
        signal[7] = 1.25
        padded = self.padded(signal, RATE, way, end)
        padded[7] = 1.25
        findings = examine(padded, RATE)
        first = RATE if end == "start" else 0
        assert (findings.first, findings.stop, findings.flat_leads) == (first, first + 4 * RATE, 1)

    def test_leads_that_are_rebuilt_play_no_part(self, way: str, end: str) -> None:
        signal = recording(4) + np.linspace(0.3, 3, 12)[:, None]
        padded = self.padded(signal, RATE, way, end)
        padded[2:6] = np.nan
        findings = examine(padded, RATE)
        first = RATE if end == "start" else 0
        assert (findings.first, findings.stop, findings.rebuilt_leads) == (first, first + 4 * RATE, 4)


class TestHeldValues:
    """Which values at an end are padding."""

    @pytest.mark.parametrize(("n_samples", "stop"), [(248, 1248), (249, 1000), (250, 1000)])
    def test_from_half_a_second_on(self, n_samples: int, stop: int) -> None:
        """The last recorded value is the first of its run."""
        assert recorded_part(held(noise(1000), n_samples), RATE) == (0, stop)

    @pytest.mark.parametrize(("n_samples", "stop"), [(248, 1248), (250, 1000)])
    def test_missing_from_half_a_second_on(self, n_samples: int, stop: int) -> None:
        findings = examine(filled(noise(1000), n_samples, np.nan), RATE)
        assert (findings.first, findings.stop) == (0, stop)
        assert findings.nan_fraction == pytest.approx((stop - 1000) / stop)

    def test_one_lead_that_goes_on_is_a_recording(self) -> None:
        signal = held(noise(1000), 1000)
        signal[5] = noise(2000)[5]
        assert recorded_part(signal, RATE) == (0, 2000)

    @pytest.mark.parametrize(("n_held", "stop"), [(499, 2000), (501, 1500)])
    def test_value_held_between_beats_is_no_padding_at_an_end(self, n_held: int, stop: int) -> None:
        signal = noise(2000)
        signal[:, 400:500] = signal[:, [400]]
        signal[:, -n_held:] = signal[:, [-n_held]]
        assert recorded_part(signal, RATE) == (0, stop)

    def test_what_is_held_within_stays(self) -> None:
        signal = noise(2000)
        signal[:, 500:1500] = signal[:, 500, None]
        assert recorded_part(signal, RATE) == (0, 2000)

    def test_zeros_behind_a_value_that_is_held(self) -> None:
        assert recorded_part(filled(held(noise(1000), 400), 300, 0.0), RATE) == (0, 1000)

    def test_a_step_is_left_whole(self) -> None:
        signal = np.repeat([[0.5, 0.7]], 1000, axis=1).repeat(12, axis=0).astype(np.float32)
        findings = examine(signal, RATE)
        assert (findings.first, findings.stop, findings.flat_leads, findings.held_leads) == (0, 2000, 0, 12)

    def test_shorter_than_half_a_second(self) -> None:
        assert recorded_part(np.full((12, 200), 0.5, dtype=np.float32), RATE) == (0, 200)

    def test_nothing_was_recorded(self) -> None:
        findings = examine(np.full((12, 1000), np.nan, dtype=np.float32), RATE)
        assert (findings.first, findings.stop, findings.missing_leads) == (0, 1000, 12)
