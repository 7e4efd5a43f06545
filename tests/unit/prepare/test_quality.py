"""Rules on what is wrong with a recording: closed forms on constructed signals, and real recordings."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from changed_section import changed

from ecgtransfer.config.signals import BandPass, Signals
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.quality import (
    amplitude_of,
    clipped_samples,
    examine,
    fault_of_unit,
    rebuild_limb_leads,
    repair_gaps,
    why_clipped,
    why_unusable,
)
from ecgtransfer.prepare.recordings import read_recording

MIRROR = Path(__file__).parents[3].parent / "shared/mirror/files"
TRAINING = MIRROR / "challenge-2021/1.0.3/training"
with_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="the real recordings are not here")

SETTINGS = Signals(duration_s=10, pad_short_records=True, max_flat_leads=6, max_nan_fraction=0.2)
Samples = npt.NDArray[np.float32]
NAN = np.nan


def recording(n_samples: int = 2000, seed: int = 0) -> Samples:
    """Return twelve leads of noise in mV whose limb leads obey the identities."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((12, n_samples)).astype(np.float32)
    one, two = signal[0].copy(), signal[1].copy()
    signal[2], signal[3], signal[4], signal[5] = two - one, -(one + two) / 2, one - two / 2, two - one / 2
    return signal


class TestRebuilding:
    """Limb leads from other limb leads."""

    @pytest.mark.parametrize("first", range(6))
    @pytest.mark.parametrize("second", range(6))
    def test_any_two_give_the_other_four(self, first: int, second: int) -> None:
        whole = recording()
        signal = whole.copy()
        signal[[lead for lead in range(6) if lead not in (first, second)]] = NAN
        rebuilt = rebuild_limb_leads(signal)
        if first == second:
            assert rebuilt == []
            assert np.isnan(signal[:6]).all(axis=1).sum() == 5
            return
        assert rebuilt == [lead for lead in range(6) if lead not in (first, second)]
        np.testing.assert_allclose(signal, whole, atol=2e-5)

    def test_a_flat_lead_is_no_source(self) -> None:
        whole = recording()
        signal = whole.copy()
        signal[0] = 0.4  # the electrode was off
        signal[5] = NAN
        assert rebuild_limb_leads(signal) == [5]
        np.testing.assert_allclose(signal[5], whole[5], atol=2e-5)
        signal[1:5] = 0
        signal[5] = NAN
        assert rebuild_limb_leads(signal) == []

    def test_chest_leads_cannot_be_rebuilt(self) -> None:
        signal = recording()
        signal[[2, 7, 9]] = NAN
        findings = examine(signal, 500)
        assert (findings.missing_leads, findings.rebuilt_leads, findings.flat_leads) == (2, 1, 0)
        assert findings.nan_fraction == 0
        assert np.flatnonzero(findings.dead).tolist() == [7, 9]
        assert not signal[[7, 9]].any()

    def test_a_gap_in_a_source_is_bridged_in_the_rebuilt_lead(self) -> None:
        signal = recording()
        signal[2] = NAN
        signal[0, 100:110] = NAN
        findings = examine(signal, 500)
        assert findings.rebuilt_leads == 1
        assert findings.nan_fraction == pytest.approx(10 / (11 * 2000))
        inside = slice(99, 111)
        np.testing.assert_allclose(signal[2, inside], np.linspace(signal[2, 99], signal[2, 110], 12), atol=1e-5)

    @with_mirror
    def test_the_identities_hold_in_real_recordings(self) -> None:
        folder = MIRROR / "ptb-xl/1.0.3/records500/00000"
        for path in sorted(folder.glob("*.hea"))[:40]:
            whole = read_recording(folder, path.name)
            signal = whole.copy()
            signal[2:6] = NAN
            assert rebuild_limb_leads(signal) == [2, 3, 4, 5]
            assert np.median(np.abs(signal[:6] - whole[:6])) <= 0.002, path.name


class TestGaps:
    """Missing samples."""

    def test_gaps_become_lines_and_ends_are_held(self) -> None:
        signal = np.array([[NAN, NAN, 1, NAN, NAN, NAN, 3, NAN], range(8), [NAN] * 8], dtype=np.float32)
        repair_gaps(signal)
        np.testing.assert_allclose(signal[0], [1, 1, 1, 1.5, 2, 2.5, 3, 3])
        np.testing.assert_array_equal(signal[1], np.arange(8))
        np.testing.assert_array_equal(signal[2], np.zeros(8))

    def test_whole_signal_is_left_alone(self) -> None:
        signal = recording()
        before = signal.copy()
        findings = examine(signal, 500)
        np.testing.assert_array_equal(signal, before)
        assert (findings.nan_fraction, findings.missing_leads, findings.flat_leads, findings.clipped) == (0, 0, 0, ())
        assert (findings.first, findings.stop) == (0, 2000)
        assert findings.largest_mv == np.abs(before).max()

    def test_nothing_at_all(self) -> None:
        signal = np.full((12, 600), NAN, dtype=np.float32)
        findings = examine(signal, 500)
        assert (findings.missing_leads, findings.nan_fraction) == (12, 0)
        assert why_unusable(findings, 10, SETTINGS) == "12 leads are missing"


class TestFlatLeads:
    """Leads that do not move."""

    @pytest.mark.parametrize("level", [0.0, 3.0, -30.0])
    def test_one_step_is_flat_and_two_are_not(self, level: float) -> None:
        signal = recording()
        signal[3], signal[4] = level, level
        signal[3, ::2] += np.float32(0.001)
        signal[4, ::2] += np.float32(0.002)
        assert np.flatnonzero(examine(signal, 500).dead).tolist() == [3]

    @with_mirror
    def test_real_recordings(self) -> None:
        found = {}
        for path in sorted((TRAINING / "ningbo").rglob("*.hea")):
            findings = examine(read_recording(path.parent, path.name), 500)
            if findings.flat_leads:
                found[path.stem] = findings.flat_leads
        assert found == {"JS11438": 6, "JS20004": 3, "JS45542": 6}


def on_paper(signal: Samples, n_columns: int = 4, fill: float = 0.0, rhythm_strip: int | None = None) -> Samples:
    """Return a recording as on a page where leads follow one another in columns, a value elsewhere."""
    page = np.full_like(signal, fill)
    for lead in range(12):
        column, width = lead // (12 // n_columns), signal.shape[1] // n_columns
        page[lead, column * width : (column + 1) * width] = signal[lead, column * width : (column + 1) * width]
    if rhythm_strip is not None:
        page[rhythm_strip] = signal[rhythm_strip]
    return page


class TestFlatInPart:
    """Leads that hold one value for 2 s or more, and for a fifth of the recording."""

    @pytest.mark.parametrize("fill", [0.0, 0.25])
    @pytest.mark.parametrize(("n_columns", "rhythm_strip", "n_held"), [(4, None, 12), (4, 1, 11), (2, 1, 11)])
    def test_on_paper(self, n_columns: int, rhythm_strip: int | None, n_held: int, fill: float) -> None:
        findings = examine(on_paper(recording(5000), n_columns, fill, rhythm_strip), 500)
        assert (findings.held_leads, findings.flat_leads, findings.dead.sum()) == (n_held, 0, 0)
        assert why_unusable(findings, 10, SETTINGS) == f"{n_held} leads are flat in part"
        assert why_unusable(findings, 10, changed(SETTINGS, {"max_flat_leads": 12})) == ""

    @pytest.mark.parametrize(
        ("n_samples", "n_equal", "n_held"), [(5000, 999, 0), (5000, 1000, 1), (8000, 1599, 0), (8000, 1600, 1)]
    )
    @pytest.mark.parametrize("first", [0, 1, 777, -1])
    def test_how_long(self, n_samples: int, n_equal: int, n_held: int, first: int) -> None:
        signal = recording(n_samples)
        start = first if first >= 0 else n_samples - n_equal
        signal[8, start : start + n_equal] = 0.4
        assert examine(signal, 500).held_leads == n_held

    @pytest.mark.parametrize("rate", [100, 257, 1000])
    def test_against_runs_counted_one_by_one(self, rate: int) -> None:
        rng = np.random.default_rng(rate)
        found = []
        for n_samples in rng.integers(3 * rate, 30 * rate, 30).tolist():
            signal = np.round(recording(n_samples, seed=n_samples), 1)
            for lead in range(12):
                first, length = rng.integers(0, n_samples), rng.uniform(0, 4) * max(2 * rate, n_samples / 5) / 2
                signal[lead, first : first + round(length)] = 0.3
            longest = [max(len(list(run)) for _, run in groupby(lead.tolist())) for lead in signal]
            expected = sum(n >= 2 * rate and n >= n_samples / 5 for n in longest)
            assert examine(signal, rate).held_leads == expected
            found.append(expected)
        assert min(found) < max(found)

    def test_missing_samples_are_not_flat_as_well(self) -> None:
        signal = recording(5000)
        signal[3, 2000:] = NAN
        findings = examine(signal, 500)
        assert (findings.held_leads, findings.nan_fraction) == (0, pytest.approx(3000 / 60000))
        assert (signal[3, 2000:] == signal[3, 1999]).all()

    def test_words_for_all_that_leads_can_be(self) -> None:
        signal = recording(5000)
        signal[6:8], signal[8:10, :2000], signal[10:] = 1, 0.4, NAN
        settings = changed(SETTINGS, {"max_flat_leads": 5})
        assert why_unusable(examine(signal, 500), 10, settings) == "6 leads are flat or flat in part or missing"

    @with_mirror
    def test_real_recordings(self) -> None:
        """One lead of CODE-15% was off for 4 s of 7.3."""
        folder = MIRROR.parent / "own/chagas"
        found = {path.stem: examine(read_recording(folder, path.name), 400) for path in sorted(folder.glob("*.hea"))}
        assert {name: findings.held_leads for name, findings in found.items() if findings.held_leads} == {"1008807": 1}


def heartbeats(n_beats: int = 10, rate: int = 500) -> Samples:
    """Return a lead of triangular QRS complexes of 1 mV, 40 ms, one per second, on a slow wave of 0.05 mV."""
    time = np.arange(n_beats * rate) / rate
    beat = np.maximum(0, 1 - np.abs((time % 1) - 0.5) / 0.04)
    return (beat + 0.05 * np.sin(2 * np.pi * 0.3 * time)).astype(np.float32)


class TestClipping:
    """Saturation of a lead at its own extreme."""

    def test_cut_peaks_are_counted_exactly(self) -> None:
        signal = recording(5000)
        signal[7] = np.minimum(heartbeats(), 0.6)
        n_cut = int(np.sum(heartbeats() >= 0.6))
        assert n_cut > 100
        assert examine(signal, 500).clipped == (n_cut,)
        signal[8] = np.maximum(-heartbeats(), -0.6)
        assert examine(signal, 500).clipped == (n_cut, n_cut)

    def test_both_rails(self) -> None:
        lead = np.clip(5 * np.sin(2 * np.pi * 7 * np.arange(5000) / 500), -1, 1).astype(np.float32)
        signal = recording(5000)
        signal[0] = lead
        assert examine(signal, 500).clipped == (int(np.sum(np.abs(lead) == 1)),)

    def test_whole_peaks_are_not(self) -> None:
        lead = heartbeats()
        assert clipped_samples(lead, float(lead.max()), float(np.ptp(lead))) == 0

    def test_a_value_held_at_the_end_is_not(self) -> None:
        lead = heartbeats()
        lead[4940:] = -0.2
        assert clipped_samples(lead, -0.2, float(np.ptp(lead))) == 0

    def test_the_plateau_of_a_slow_wave_is_not(self) -> None:
        lead = np.round(np.sin(2 * np.pi * 0.4 * np.arange(5000) / 500) / 0.005) * 0.005
        lead = lead.astype(np.float32)
        assert np.sum(lead == lead.max()) > 30
        assert clipped_samples(lead, float(lead.max()), float(np.ptp(lead))) == 0

    def test_few_samples_are_not(self) -> None:
        lead = heartbeats()
        lead[1000:1007] = 2.0
        assert clipped_samples(lead, 2.0, float(np.ptp(lead))) == 0
        lead[1000:1008] = 2.0
        assert clipped_samples(lead, 2.0, float(np.ptp(lead))) == 8

    def test_a_flat_lead_is_not(self) -> None:
        signal = recording(5000)
        signal[4] = 5.0
        assert examine(signal, 500).clipped == ()

    @with_mirror
    def test_real_recordings_are_not_and_are_once_cut(self) -> None:
        folder = MIRROR / "ptb-xl/1.0.3/records500/00000"
        found, n_found_cut = [], 0
        paths = sorted(folder.glob("*.hea"))
        for path in paths:
            signal = read_recording(folder, path.name)
            limit = 0.7 * np.abs(signal).max(axis=1, keepdims=True)
            cut = np.clip(signal, -limit, limit)
            found += [path.stem] if examine(signal, 500).clipped else []
            n_found_cut += len(examine(cut, 500).clipped) >= 3
        assert found == []
        assert n_found_cut >= 0.99 * len(paths)


class TestUsable:
    """Reasons to leave a recording out."""

    def reason(self, signal: Samples, duration_s: float = 10, **settings: Any) -> str:
        return why_unusable(examine(signal, 500), duration_s, changed(SETTINGS, settings))

    def test_leads(self) -> None:
        signal = recording()
        signal[6:9] = NAN
        signal[9:12] = 1
        assert self.reason(signal.copy()) == ""
        assert self.reason(signal.copy(), max_flat_leads=5) == "6 leads are flat or missing"
        signal[6:9] = 1
        assert self.reason(signal, max_flat_leads=5) == "6 leads are flat"

    def test_length(self) -> None:
        assert self.reason(recording(), 9.5) == ""
        assert self.reason(recording(), 9.5, pad_short_records=False) == "0.5 s too short"
        assert self.reason(recording(), 0.9) == "only 0.9 s long"

    def test_impossible_voltages(self) -> None:
        signal = recording()
        signal[2, 5] = 3e30
        assert self.reason(signal) == "voltages of up to 3e+30 mV"


class TestClippedByTheRow:
    """Samples that int16 cannot hold."""

    def test_words(self) -> None:
        kept = Signals(band_pass=BandPass(design="none"))
        assert why_clipped(0.01, kept) == ""
        assert why_clipped(0.011, kept) == (
            "1.1% of the samples lie beyond 32.767 mV; set signals.band_pass or signals.remove_baseline"
        )
        for change in ({"remove_baseline": True}, {"band_pass": {"design": "fir"}}):
            reason = why_clipped(1, changed(kept, change))
            assert reason == "100.0% of the samples lie beyond 32.767 mV; look up its unit and gain"


class TestAmplitude:
    """Amplitudes against those of the data set."""

    @pytest.mark.parametrize(("n_dead", "expected"), [(0, 6.5), (1, 7.0), (12, 0.0)])
    def test_median_over_leads_that_live(self, n_dead: int, expected: float) -> None:
        signal = np.zeros((12, 50), dtype=np.float32)
        signal[:, 7] = -np.arange(1, 13) / 2
        signal[:, 9] = np.arange(1, 13) / 2
        assert amplitude_of(signal, np.arange(12) < n_dead) == expected


class TestUnit:
    """The unit of a data set."""

    @pytest.mark.parametrize("median", [0.25, 0.88, 1.35, 3.0, 4.9])
    def test_what_hearts_make(self, median: float) -> None:
        assert fault_of_unit(np.array([median]), 1.0, "mV") == ""

    @pytest.mark.parametrize(
        ("times", "unit"), [(1e3, "uV"), (10, "0.1 mV"), (1e-3, "V"), (1e6, "nV"), (650, "uV"), (1900, "uV")]
    )
    def test_the_probable_unit_is_named(self, times: float, unit: str) -> None:
        fault = fault_of_unit(np.array([0.9, 1.0, 40.0]) * times, 1.0, "mV")
        assert fault.startswith(f"the median amplitude of 3 recordings is {times:.3g} mV, ")
        assert fault.endswith(f"; the samples are probably in {unit}, not in mV")

    def test_the_stated_unit_counts(self) -> None:
        assert fault_of_unit(np.array([1.1e-3]), 1e-3, "uV").endswith("probably in mV, not in uV")
        assert fault_of_unit(np.array([1.1e3]), 1e3, "V").endswith("probably in mV, not in V")

    def test_steps_of_a_converter(self) -> None:
        fault = fault_of_unit(np.array([1.1 / 0.00488]), 1.0, "mV")
        assert fault.endswith("; the samples are not in mV but in steps of some 0.0049 mV, look up the unit")

    def test_no_amplitude_at_all(self) -> None:
        assert fault_of_unit(np.array([]), 1.0, "mV") == ""


def test_leads_are_those_of_the_identities() -> None:
    assert LEADS[:6] == ("I", "II", "III", "aVR", "aVL", "aVF")
