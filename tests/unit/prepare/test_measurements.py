"""Heart rate and intervals of simulated hearts, whose truth is known, and of what is no heart at all."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from changed_section import changed
from tiny_signals import SETTINGS

from ecgtransfer.acquire import heart_model
from ecgtransfer.acquire.heart_model import Repolarisation
from ecgtransfer.acquire.heart_rhythm import BeatKind, Rhythm, beat_train, fibrillatory_waves
from ecgtransfer.errors import InputError
from ecgtransfer.prepare import signal_file
from ecgtransfer.prepare.measurements import COLUMNS, LIMITS, measure, measure_signals
from ecgtransfer.prepare.rows import prepare_signal

RATE_HZ = 500
NOISE_MV = 0.02
END_OF_WAVE = 2.2
"""Standard deviations from the centre of a Gaussian wave to its end, as the simulator counts PR and the end of QRS."""
HEART_RATE, PR, QRS, QT = range(4)

Rows = npt.NDArray[np.int16]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """Prepared recordings and what is true of them, shape (records, `COLUMNS`)."""

    rows: Rows
    truth: Values


def simulate(
    seed: int,
    mean_rr_s: float,
    conduction: str = "normal",
    long_pr: bool = False,
    premature: tuple[BeatKind, ...] = (),
    fibrillating: bool = False,
) -> tuple[Values, Values]:
    """Return 10 s of one heart at 500 Hz in mV, shape (12, 5000), and what is true of it."""
    rng = np.random.default_rng(seed)
    heart = heart_model.draw_heart(conduction, False, long_pr, bool(seed % 2), rng)
    beats = beat_train(Rhythm(mean_rr_s, fibrillating, 0.25, 0.02, premature), 10.0, rng)
    still = Repolarisation(np.zeros(3), None)
    waves = {
        BeatKind.NORMAL: heart_model.beat_waves(heart, None if fibrillating else heart.sinus_p, still),
        BeatKind.ATRIAL: heart_model.beat_waves(heart, heart.ectopic_p, still),
        BeatKind.VENTRICULAR: heart.premature_ventricular,
    }
    n_samples = 10 * RATE_HZ
    dipole = fibrillatory_waves(n_samples, RATE_HZ, rng) if fibrillating else np.zeros((3, n_samples))
    for kind, of_kind in waves.items():
        these = beats.kind == kind
        times, gains = beats.onset_s[these], np.ones(these.sum())
        dipole += heart_model.dipole_of_beats(n_samples, RATE_HZ, times, beats.sqrt_rr[these], gains, of_kind)
    electrodes = heart.lead_vectors @ dipole + NOISE_MV * rng.standard_normal((heart_model.N_ELECTRODES, n_samples))
    shown = (beats.onset_s > 0.07) & (beats.onset_s < 9.84)  # with some of the recording before and behind R
    normal = shown & (beats.kind == BeatKind.NORMAL)
    truth = np.array(
        [
            60 / np.diff(beats.onset_s[shown]).mean(),
            np.nan if fibrillating else -1000 * (heart.sinus_p.centre_s - END_OF_WAVE * heart.sinus_p.width_s).min(),
            1000 * (heart.qrs.centre_s + END_OF_WAVE * heart.qrs.width_s).max(),
            1000 * heart.qt_s * np.median(beats.sqrt_rr[normal]),
        ]
    )
    return heart_model.LEADS_FROM_ELECTRODES @ electrodes, truth


def rows_of(signals: list[Values], rate_hz: int = 100, duration_s: float = 10, **settings: Any) -> Rows:
    """Prepare signals at 500 Hz."""
    band = {"high_hz": 40 if rate_hz >= 100 else 20}
    chosen = changed(SETTINGS, {"sampling_rate_hz": rate_hz, "duration_s": duration_s, "band_pass": band, **settings})
    return np.stack([prepare_signal(signal.astype(np.float32), RATE_HZ, chosen)[0] for signal in signals])


@cache
def hearts(kind: str = "sinus") -> tuple[list[Values], Values]:
    """Return recordings of many hearts of one kind and what is true of them."""
    drawn = []
    for seed in range(24):
        if kind == "sinus":
            conduction = ("normal", "CLBBB", "normal", "CRBBB")[seed % 4]
            drawn.append(simulate(seed, 60 / (48 + 2.5 * seed), conduction, long_pr=seed % 5 == 0))
        elif kind == "premature":
            premature = (BeatKind.VENTRICULAR,) if seed % 2 else (BeatKind.ATRIAL,)
            drawn.append(simulate(seed, 60 / (48 + 1.5 * seed), premature=premature))
        else:
            drawn.append(simulate(seed, 60 / (60 + 2.5 * seed), fibrillating=True))
    signals, truth = zip(*drawn, strict=True)
    return list(signals), np.stack(truth)


@cache
def prepared_hearts(kind: str = "sinus", rate_hz: int = 100, duration_s: float = 10) -> Rows:
    return rows_of(hearts(kind)[0], rate_hz, duration_s)


class TestKnownHearts:
    """Against the truth of the simulator. QRS seems longer, as its waves go on a little beyond 2.2 deviations."""

    @pytest.mark.parametrize("kind", ["sinus", "premature"])
    @pytest.mark.parametrize("rate_hz", [50, 100, 500])
    def test_all_four_numbers(self, kind: str, rate_hz: int) -> None:
        truth = hearts(kind)[1]
        errors = measure(prepared_hearts(kind, rate_hz), rate_hz) - truth
        assert np.isfinite(errors).mean(axis=0).min() >= 0.95
        assert np.nanmedian(np.abs(errors[:, HEART_RATE])) < 0.1
        assert np.nanmax(np.abs(errors[:, HEART_RATE])) < 1  # a beat too many or too few makes 3 or more
        assert np.nanmedian(np.abs(errors[:, PR])) < 5
        assert np.nanmax(np.abs(errors[:, PR])) < 15
        assert np.nanmin(errors[:, QRS]) > -10
        assert np.nanmax(errors[:, QRS]) < 32
        assert np.nanmedian(np.abs(errors[:, QT])) < 9
        assert np.nanmax(np.abs(errors[:, QT])) < 25

    def test_they_follow_the_truth(self) -> None:
        """Bundle branch blocks, long PR and slow rates are recognised."""
        table = pd.concat([pd.DataFrame(values) for values in (measure(prepared_hearts(), 100), hearts()[1])], axis=1)
        for column in (HEART_RATE, PR, QRS, QT):
            assert table[column].dropna().corr().iloc[0, 1] > 0.97

    def test_five_seconds_at_the_lowest_rate_are_enough(self) -> None:
        """As in the default study."""
        errors = measure(prepared_hearts("sinus", 50, 5), 50) - hearts()[1]
        assert np.isfinite(errors).mean(axis=0).min() >= 0.85
        assert (np.nanmedian(np.abs(errors), axis=0) < [1, 6, 24, 9]).all()

    def test_fibrillating_atria_have_no_pr(self) -> None:
        measured, truth = measure(prepared_hearts("fibrillation"), 100), hearts("fibrillation")[1]
        assert np.isnan(measured[:, PR]).mean() > 0.9
        assert np.abs(measured[:, HEART_RATE] - truth[:, HEART_RATE]).max() < 0.5
        assert np.nanmedian(np.abs(measured[:, QT] - truth[:, QT])) < 25


class TestWhatDoesNotMatter:
    """Gain, polarity, rate, padding, company."""

    def test_gain_and_polarity(self) -> None:
        rows = prepared_hearts()
        measured = measure(rows, 100)
        np.testing.assert_allclose(measure(2 * rows, 100), measured, atol=0.01)
        turned = rows.copy()
        turned[:, [0, 3, 7, 10]] *= -1
        np.testing.assert_allclose(measure(turned, 100), measured, atol=0.01)

    @pytest.mark.parametrize("rate_hz", [128, 257, 360, 500])
    def test_sampling_rate(self, rate_hz: int) -> None:
        differences = np.abs(measure(prepared_hearts("sinus", rate_hz), rate_hz) - measure(prepared_hearts(), 100))
        assert (np.nanmedian(differences, axis=0) < [0.05, 1, 1, 1]).all()
        assert (np.nanmax(differences, axis=0) < [0.2, 8, 8, 8]).all()

    @pytest.mark.parametrize("scaling", ["min-max", "z-score"])
    def test_scaling_of_leads(self, scaling: str) -> None:
        signals = hearts()[0]
        differences = np.abs(measure(rows_of(signals, scaling=scaling), 100) - measure(prepared_hearts(), 100))
        assert (np.nanmedian(differences, axis=0) < [0.05, 3, 5, 5]).all()

    def test_padding(self) -> None:
        rows = prepared_hearts().copy()
        padded = np.concatenate([rows, np.zeros_like(rows)], axis=2)
        np.testing.assert_allclose(measure(padded, 100), measure(rows, 100), atol=2)

    def test_flat_leads(self) -> None:
        rows = prepared_hearts().copy()
        rows[:, :6] = 0
        differences = np.abs(measure(rows, 100) - measure(prepared_hearts(), 100))
        assert (np.nanmedian(differences, axis=0) < [0.05, 8, 5, 8]).all()

    def test_one_lead_off_the_skin(self) -> None:
        rows = prepared_hearts().copy()
        noise = np.random.default_rng(3).integers(-2000, 2000, rows[:, 8].shape)
        rows[:, 8] = noise
        measured = measure(rows, 100)[:, HEART_RATE]
        np.testing.assert_allclose(measured, hearts()[1][:, HEART_RATE], atol=2)

    def test_other_records_in_the_array(self) -> None:
        rows = prepared_hearts()
        one_by_one = np.concatenate([measure(rows[i : i + 1], 100) for i in range(len(rows))])
        np.testing.assert_array_equal(measure(rows, 100), one_by_one)


class TestNothingToMeasure:
    """Empty rather than made up."""

    @pytest.mark.parametrize("rate_hz", [50, 100, 500])
    def test_noise(self, rate_hz: int) -> None:
        rng = np.random.default_rng(5)
        white = [0.1 * rng.standard_normal((12, 5000)) for _ in range(20)]
        electrodes = [heart_model.LEADS_FROM_ELECTRODES @ rng.normal(0, 0.1, (9, 5000)) for _ in range(20)]
        wander = [np.cumsum(rng.normal(0, 0.02, (12, 5000)), axis=1) for _ in range(20)]
        assert np.isnan(measure(rows_of(white + electrodes + wander, rate_hz), rate_hz)).all()

    def test_hum(self) -> None:
        time = np.arange(5000) / RATE_HZ
        phases = np.random.default_rng(6).uniform(0, 6, (12, 1))
        tones = [np.sin(2 * np.pi * hz * time + phases) for hz in (1, 2.5, 5, 10, 16.7, 25)]
        assert np.isnan(measure(rows_of(tones), 100)).all()

    @pytest.mark.parametrize("n_samples", [1, 30, 1000])
    def test_flat(self, n_samples: int) -> None:
        rows = np.zeros((2, 12, n_samples), dtype=np.int16)
        rows[1] = -300
        assert np.isnan(measure(rows, 100)).all()

    def test_two_beats(self) -> None:
        slow = rows_of([simulate(1, 60 / 50)[0]], duration_s=2.5)
        assert np.isnan(measure(np.pad(slow, ((0, 0), (0, 0), (0, 750))), 100)).all()

    @pytest.mark.filterwarnings("error")
    def test_any_array_is_measured_or_not_but_never_breaks(self) -> None:
        rng = np.random.default_rng(7)
        rows = prepared_hearts().astype(np.int64)
        low, high = np.array([LIMITS[column] for column in COLUMNS]).T
        n_measured = 0
        for trial in range(80):
            rate_hz = float(rng.choice([50, 64, 100, 125, 250, 257, 500]))
            n_samples = int(rng.choice([1, 7, 100, 300, 1000, 2000]))
            some = rows[rng.integers(len(rows), size=3)]
            spikes = np.where(rng.random((3, 12, n_samples)) < 0.01, 40000, 0)
            periodic = np.tile(rng.integers(-500, 500, (3, 12, 1 + n_samples // 20)), 20)
            arrays = [
                rng.integers(-32768, 32768, (3, 12, n_samples)),
                spikes,
                periodic,
                np.cumsum(rng.integers(-3, 4, (3, 12, n_samples)), axis=2),
                some * 10 ** rng.uniform(-3, 2),
                some * (rng.random((3, 12, 1)) < 0.5),
                some[..., :n_samples] + rng.normal(0, 10 ** rng.uniform(0, 4), some[..., :n_samples].shape),
                np.where(np.arange(1000) < rng.integers(1000), some, 0),
            ]
            array = np.clip(arrays[trial % len(arrays)], -32768, 32767).astype(np.int16)
            measured = measure(array, rate_hz)
            assert measured.shape == (3, 4)
            assert (np.isnan(measured) | ((measured >= low) & (measured <= high))).all()
            n_measured += np.isfinite(measured[:, HEART_RATE]).sum()
        assert n_measured > 40


class TestTable:
    """`measure_signals` on a file."""

    def test_rows_are_those_of_the_array(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = np.insert(prepared_hearts()[:5], 2, 0, axis=0)
        np.save(tmp_path / "signals.npy", rows)
        monkeypatch.setattr(signal_file, "BYTES_AT_ONCE", 2 * rows[0].nbytes)
        ids = ["NA", "007", "flat", "b", "a", "c"]
        table = measure_signals(tmp_path / "signals.npy", ids, 100)
        assert list(table) == ["record_id", "heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms"]
        assert table["record_id"].tolist() == ids
        values = table[list(COLUMNS)].to_numpy()
        assert np.isnan(values[2]).all()
        assert np.isfinite(np.delete(values, 2, axis=0)).all()
        np.testing.assert_allclose(values, measure(rows, 100), atol=0.051)
        again = measure_signals(tmp_path / "signals.npy", ids, 100)
        pd.testing.assert_frame_equal(table, again, check_exact=True)

    def test_no_records(self, tmp_path: Path) -> None:
        np.save(tmp_path / "signals.npy", np.empty((0, 12, 500), dtype=np.int16))
        assert measure_signals(tmp_path / "signals.npy", [], 100).empty

    def test_table_of_another_array(self, tmp_path: Path) -> None:
        np.save(tmp_path / "signals.npy", prepared_hearts()[:3])
        with pytest.raises(InputError, match=r"signals\.npy: 3 rows, but 2 records"):
            measure_signals(tmp_path / "signals.npy", ["a", "b"], 100)
