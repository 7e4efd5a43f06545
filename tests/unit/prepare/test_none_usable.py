"""A data set of which no recording can be used: why, and which keys decide so."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from changed_section import changed
from tiny_signals import SETTINGS, recording, write_records

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.quality import key_of_reason
from ecgtransfer.prepare.signals import prepare_signals


class TestNoneUsable:
    """A data set of which no recording can be used is reported in the stage that finds it, with the deciding key."""

    def refused(self, described: pd.DataFrame, folder: Path, **settings: Any) -> str:
        with pytest.raises(InputError) as caught:
            prepare_signals(described, folder, changed(SETTINGS, settings), folder / "out/signals.npy")
        assert list((folder / "out").iterdir()) == []
        message = str(caught.value)
        assert message.startswith(f"{folder}: 0 of {len(described)} usable: ")
        assert "\n" not in message
        return message.removeprefix(f"{folder}: ")

    def test_one_lead(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6, seed=seed)[:1] for seed in range(3)], leads=("II",))
        assert self.refused(described, tmp_path) == (
            "0 of 3 usable: 11 leads are missing (`signals.max_flat_leads`); change the key or fix the recordings"
        )

    def test_shorter_than_the_window(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(3, seed=seed) for seed in range(3)])
        message = self.refused(described, tmp_path, pad_short_records=False)
        assert "2 s too short (`signals.pad_short_records`)" in message

    def test_samples_missing(self, tmp_path: Path) -> None:
        signal = recording(6)
        signal[:, 1000:2000] = -32.768
        assert "33.3% of the samples are missing (`signals.max_nan_fraction`)" in self.refused(
            write_records(tmp_path, [signal]), tmp_path
        )

    def test_an_offset_that_no_filter_takes_off(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=seed) for seed in range(3)]
        for name, signal in enumerate(signals):
            np.save(tmp_path / f"{name}.npy", signal + 150)
        described = pd.DataFrame(
            {
                "record_id": ["0", "1", "2"],
                "path": ["0.npy", "1.npy", "2.npy"],
                "sampling_rate_hz": 500,
                "n_samples": 3000,
                "unit": "mV",
                "leads": "|".join(LEADS),
            }
        )
        assert self.refused(described, tmp_path, band_pass={"design": "none"}) == (
            "0 of 3 usable: 100.0% of the samples lie beyond 32.767 mV; set signals.band_pass or"
            " signals.remove_baseline (`signals.band_pass.design`); change the key or fix the recordings"
        )

    def test_leads_that_follow_one_another(self, tmp_path: Path) -> None:
        signals = []
        for seed in range(2):
            page = np.zeros((12, 5000))
            for lead, samples in enumerate(recording(10, seed=seed)):
                page[lead, lead // 3 * 1250 :][:1250] = samples[:1250]
            signals.append(page)
        assert self.refused(write_records(tmp_path, signals), tmp_path) == (
            "0 of 2 usable: 12 leads are flat in part (`signals.max_flat_leads`); change the key or fix the recordings"
        )

    def test_several_reasons(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=1), recording(6, seed=2), recording(3, seed=3), recording(0.5, seed=4)]
        signals[0][:] = signals[1][:7] = 0.5
        message = self.refused(write_records(tmp_path, signals), tmp_path, pad_short_records=False)
        assert message == (
            "0 of 4 usable: 12 leads are flat (2 of 4, `signals.max_flat_leads`), only 0.5 s long (1 of 4),"
            " 2 s too short (1 of 4, `signals.pad_short_records`); change the key or fix the recordings"
        )

    @pytest.mark.parametrize(
        "findings",
        ["of the samples are missing", "leads are", "s too short", "implausible", "set signals.band_pass"],
    )
    def test_every_key_is_one_of_the_section(self, findings: str) -> None:
        section, _, key = key_of_reason(f"3 {findings} x").partition(".")
        keys = type(SETTINGS).model_fields
        assert key in type(getattr(SETTINGS, section)).model_fields if key else section in keys
