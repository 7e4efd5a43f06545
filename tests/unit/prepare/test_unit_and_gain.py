"""Impossible units and gains, detected from all recordings of a data set."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from changed_section import changed
from tiny_signals import SETTINGS, STEPS, as_read, in_microvolts, recording, write_records

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import signals as module
from ecgtransfer.prepare.gains import out_of_line
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.prepare.summary import notices_of, recipe


class TestUnit:
    """Amplitudes that hearts cannot make."""

    def test_the_unit_that_a_header_should_have_said(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6, seed=s) for s in range(3)], gains=["1(0)/mV"] * 3)
        with pytest.raises(InputError) as caught:
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}: the median amplitude of 3 recordings is ")
        assert message.endswith("the samples are probably in uV, not in mV; correct unit or gain in its headers")
        assert "\n" not in message
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize(
        ("factor", "said", "right"), [(1.0, "uV", "mV"), (10.0, "mV", "0.1 mV"), (1e-3, "mV", "V")]
    )
    def test_the_unit_that_an_entry_should_have_said(
        self, tmp_path: Path, factor: float, said: str, right: str
    ) -> None:
        np.save(tmp_path / "x.npy", factor * recording(6))
        described = pd.DataFrame(
            {
                "record_id": ["x"],
                "path": ["x.npy"],
                "sampling_rate_hz": [500],
                "n_samples": [3000],
                "unit": [said],
                "leads": ["|".join(LEADS)],
            }
        )
        with pytest.raises(InputError, match=f"probably in {right}, not in {said}; set the right `unit`"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")

    def test_it_is_checked_before_most_records_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        described = write_records(tmp_path, [recording(2)], gains=["1(0)/mV"])
        described = pd.concat([described] * 5000, ignore_index=True)
        n_read = []
        read = module.read_recording
        monkeypatch.setattr(module, "read_recording", lambda *a, **k: (n_read.append(1), read(*a, **k))[1])
        with pytest.raises(InputError, match="median amplitude of 100 recordings"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert len(n_read) == 100

    def test_one_record_in_another_unit_is_no_fault_of_the_data_set(self, tmp_path: Path) -> None:
        gains = ["1000(0)/mV", "1000(0)/mV", "1(0)/mV"]
        described = write_records(tmp_path, [recording(6, seed=seed) for seed in range(3)], gains=gains)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert quality["gain_ratio"][2] > 500
        assert quality["usable"].tolist() == [1, 1, 0]
        assert quality["reason"][2].endswith("% of the samples lie beyond 32.767 mV; look up its unit and gain")

    def test_a_gain_a_thousand_times_too_small_is_mended_though_int16_cannot_hold_it(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=seed) for seed in range(3)]
        described = write_records(tmp_path, signals, gains=["1000(0)/mV", "1000(0)/mV", "1(0)/mV"])
        settings = changed(SETTINGS, {"implausible_gain": {"ratio": 4.0, "action": "rescale"}})
        quality = prepare_signals(described, tmp_path, settings, tmp_path / "signals.npy")
        assert quality["usable"].tolist() == [1, 1, 1]
        assert quality["reason"].tolist() == ["", "", ""]
        row = np.load(tmp_path / "signals.npy")[2]
        assert np.abs(row - in_microvolts(as_read(signals[2]))[:, :500]).max() <= 2 * STEPS

    def test_an_improbable_amplitude_is_said(self, tmp_path: Path) -> None:
        """A gain that is wrong in all headers by less than what no heart can make."""
        described = write_records(tmp_path, [recording(6, seed=s) for s in range(3)], gains=["5000(0)/mV"] * 3)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        median = quality["amplitude_mv"].median()
        assert median == pytest.approx(0.35, abs=0.1)
        assert notices_of(quality, SETTINGS) == [
            f"the median amplitude is {median:.2g} mV, that of hearts is about 1 mV; check unit and gain"
        ]


class TestImplausibleGain:
    """Records whose amplitude is out of line."""

    def settings(self, action: str, ratio: float = 4.0) -> Signals:
        return changed(SETTINGS, {"implausible_gain": {"ratio": ratio, "action": action}})

    def data_set(self, folder: Path) -> pd.DataFrame:
        """Write ten records: 4 and 5 with a wrong gain in the header, 6 and 7 too small and too large by themselves."""
        signals = [recording(6, seed=seed) for seed in range(10)]
        signals[6] *= 0.1
        signals[7] *= 9
        gains = ["1000(0)/mV"] * 10
        gains[4], gains[5] = "4880(0)/mV", "200(0)/mV"
        return write_records(folder, signals, gains=gains)

    def test_flag(self, tmp_path: Path) -> None:
        quality = prepare_signals(self.data_set(tmp_path), tmp_path, self.settings("flag"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        np.testing.assert_allclose(
            quality["gain_ratio"], quality["amplitude_mv"] / quality["amplitude_mv"].median(), atol=1e-4
        )
        outside = (quality["gain_ratio"] > 4) | (quality["gain_ratio"] < 0.25)
        assert np.flatnonzero(outside).tolist() == [4, 5, 6, 7]

    def test_exclude(self, tmp_path: Path) -> None:
        quality = prepare_signals(self.data_set(tmp_path), tmp_path, self.settings("exclude"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [4, 5, 6, 7]
        for row in (4, 5, 6, 7):
            ratio = quality["gain_ratio"][row]
            assert quality["reason"][row] == f"implausible amplitude, {ratio:.3g} times the median of the data set"

    def test_rescale(self, tmp_path: Path) -> None:
        described = self.data_set(tmp_path)
        flagged = prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "flagged.npy")
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [6, 7]
        array = np.load(tmp_path / "s.npy")
        for row in (4, 5):
            assert np.abs(array[row] - in_microvolts(recording(6, seed=row))[:, :500]).max() <= 1.1
            assert quality["amplitude_mv"][row] == pytest.approx(np.median(np.ptp(array[row], axis=1)) / 1000, abs=1e-3)
        np.testing.assert_array_equal(quality["gain_ratio"], flagged["gain_ratio"])
        others = [row for row in range(10) if row not in (4, 5)]
        np.testing.assert_array_equal(array[others], np.load(tmp_path / "flagged.npy")[others])
        assert recipe(quality, self.settings("rescale"))["rescaled"] == 2

    def test_rescale_needs_a_gain_that_most_records_share(self, tmp_path: Path) -> None:
        gains = [f"{1000 + number}(0)/mV" for number in range(6)]
        gains[3] = "200(0)/mV"
        described = write_records(tmp_path, [recording(6, seed=seed) for seed in range(6)], gains=gains)
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [3]


class TestOddGain:
    """Records whose header states another gain than nearly all others, while their amplitude alone would pass."""

    def settings(self, action: str) -> Signals:
        return changed(SETTINGS, {"implausible_gain": {"ratio": 4.0, "action": action}})

    def data_set(self, folder: Path) -> tuple[pd.DataFrame, list[Any]]:
        """Write 60 records: 4 is twice as large as others, but for a gain of 4880; 5 is from a device of its own."""
        signals = [recording(6, seed=seed % 10) for seed in range(60)]
        signals[4] *= 2
        signals[5] *= 0.2
        gains = ["1000(0)/mV"] * 60
        gains[4], gains[5] = "4880(0)/mV", "200(0)/mV"
        return write_records(folder, signals, gains=gains), signals

    def test_flag(self, tmp_path: Path) -> None:
        described, _ = self.data_set(tmp_path)
        quality = prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        assert quality["gain_ratio"].between(0.25, 4).all()
        assert quality["steps_per_mv"][[3, 4, 5]].tolist() == [1000, 4880, 200]
        assert np.flatnonzero(out_of_line(quality, 4.0)).tolist() == [4]
        assert notices_of(quality, self.settings("flag")) == [
            "the header of 1 of 60 recordings states a gain of 4880 per mV, those of nearly all others 1000, which"
            " their amplitude fits better or as well (signals.implausible_gain.action: flag)"
        ]

    def test_exclude(self, tmp_path: Path) -> None:
        described, _ = self.data_set(tmp_path)
        quality = prepare_signals(described, tmp_path, self.settings("exclude"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [4]
        assert quality["reason"][4] == "implausible gain, 4880 per mV in its header, 1000 in others"

    def test_rescale(self, tmp_path: Path) -> None:
        described, signals = self.data_set(tmp_path)
        prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "flagged.npy")
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        array, flagged = np.load(tmp_path / "s.npy"), np.load(tmp_path / "flagged.npy")
        assert np.abs(array[4] - in_microvolts(signals[4])[:, :500]).max() <= 1.1
        assert np.abs(array[5] - in_microvolts(5 * signals[5])[:, :500]).max() <= 5.1
        others = [row for row in range(60) if row != 4]
        np.testing.assert_array_equal(array[others], flagged[others])
        assert quality["steps_per_mv"][4] == 4880
        assert recipe(quality, self.settings("rescale"))["rescaled"] == 1
