"""The block-wise filter against scipy in float64, put together here without the library's own filters."""

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from changed_section import changed
from scipy.signal import butter, iirnotch, resample_poly, sosfiltfilt, tf2sos

from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.kernels.block_filters import _FastFilter, block_filter
from ecgtransfer.kernels.filters import filter_and_resample

CLOSE_MV = 2e-5
"""Largest error of an ordinary recording: 0.02 µV, one fiftieth of a step of the array."""
FAR_CORNER_MV = 1e-4
"""Largest error of any combination of settings, with 20 mV of offset."""
Signal = npt.NDArray[np.float32]


def settings(target: float = 100, notch_hz: float | None = None, **band_pass: object) -> Signals:
    band = {"low_hz": 0.5, "high_hz": 47, "order": 3, "edge_s": 1.0} | band_pass
    return changed(Signals(), {"sampling_rate_hz": target, "band_pass": band, "notch_hz": notch_hz})


def expected(signal: Signal, rate: float, of: Signals) -> npt.NDArray[np.float64]:
    """Return what sosfiltfilt and resample_poly make of the signal in float64."""
    band, filtered, sections = of.band_pass, signal.astype(float), []
    if band.design == "butterworth":
        edges = (band.low_hz, min(band.high_hz, 0.475 * rate))
        sections.append(butter(band.order, edges, "bandpass", fs=rate, output="sos"))
    if of.notch_hz and of.notch_hz < rate / 2:
        sections.append(tf2sos(*iirnotch(of.notch_hz, 30, fs=rate)))
    if sections:
        edge = min(round(band.edge_s * rate), signal.shape[1] - 1)
        filtered = sosfiltfilt(np.concatenate(sections), filtered, axis=1, padtype="odd", padlen=edge)
    return resample_poly(filtered, of.sampling_rate_hz, rate, axis=1, padtype="line")


def ecg_like(rate: float, n_samples: int, seed: int = 0, offset_mv: float = 0.0) -> Signal:
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    beats = sum(np.exp(-(((time - onset) / 0.02) ** 2)) for onset in np.arange(0.3, time[-1] + 1, 0.8))
    wander = 0.4 * np.sin(2 * np.pi * 0.2 * time)
    leads = [a * beats + wander + 0.02 * rng.standard_normal(n_samples) for a in rng.standard_normal(12)]
    return (np.stack(leads) + offset_mv * rng.choice([-1, 1], (12, 1))).astype(np.float32)


def steps(rate: float, n_samples: int, seed: int) -> Signal:
    return np.cumsum(np.random.default_rng(seed).random((12, n_samples)) < 0.003, axis=1).astype(np.float32) - 2


def noise(rate: float, n_samples: int, seed: int) -> Signal:
    return np.random.default_rng(seed).standard_normal((12, n_samples)).astype(np.float32)


def fast(rate: float, n_samples: int, of: Signals) -> _FastFilter:
    """Return the plan, which must not be the reference in disguise."""
    found = block_filter(rate, n_samples, of)
    assert isinstance(found, _FastFilter)
    return found


def error_mv(signal: Signal, rate: float, of: Signals) -> float:
    """Return the largest difference, after a look at shape and type."""
    found, wanted = fast(rate, signal.shape[1], of)(signal), expected(signal, rate, of)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    return float(np.abs(found - wanted).max())


@pytest.mark.parametrize(
    ("rate", "target"),
    [(500, 100), (1000, 100), (400, 100), (257, 100), (250, 100), (360, 100), (100, 100), (500, 500), (100, 500)],
)
@pytest.mark.parametrize("signal", [ecg_like, steps, noise])
@pytest.mark.parametrize("n_samples", [2560, 2501])
def test_rates_and_signals(rate: int, target: int, signal: Any, n_samples: int) -> None:
    assert error_mv(signal(rate, n_samples, 3), rate, settings(target)) < CLOSE_MV


@pytest.mark.parametrize("n_samples", [2, 3, 17, 60, 61, 99, 349, 500, 501, 5000, 5003, 12000])
@pytest.mark.parametrize("of", [settings(), settings(design="none"), settings(notch_hz=50), settings(500)])
def test_any_length(n_samples: int, of: Signals) -> None:
    assert error_mv(ecg_like(500, n_samples, 1), 500, of) < CLOSE_MV


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("band", [(0.05, 150), (0.05, 40), (0.5, 47), (5, 15)])
def test_orders_and_corners(order: int, band: tuple[float, float]) -> None:
    of = settings(order=order, low_hz=band[0], high_hz=band[1])
    assert error_mv(ecg_like(500, 5000, 2), 500, of) < CLOSE_MV


def test_notch_in_the_stop_band_behind_a_short_edge() -> None:
    """Here the notch's slow pole is next to nothing in both passes together, but not in one."""
    of = settings(50, 60, order=7, low_hz=0.1, edge_s=0.1)
    assert error_mv(ecg_like(400, 3181, 4, 20), 400, of) < FAR_CORNER_MV


@pytest.mark.parametrize("edge_s", [0, 0.05, 0.25, 2, 4, 30])
@pytest.mark.parametrize("rate", [500, 250])
def test_edges_of_any_length(edge_s: float, rate: int) -> None:
    assert error_mv(ecg_like(rate, 2501, 4), rate, settings(edge_s=edge_s)) < CLOSE_MV


@pytest.mark.parametrize("offset_mv", [0.5, 20])
def test_offset_leaves_no_trace(offset_mv: float) -> None:
    assert error_mv(ecg_like(500, 5000, 5, offset_mv), 500, settings()) < CLOSE_MV
    constant = np.full((12, 5000), offset_mv, dtype=np.float32)
    assert np.abs(fast(500, 5000, settings())(constant)).max() < CLOSE_MV


def test_relative_error_of_an_ordinary_recording() -> None:
    signal = ecg_like(500, 5000, 6)
    wanted = expected(signal, 500, settings())
    found = fast(500, 5000, settings())(signal)
    assert np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)) < 1e-6


def test_settings_drawn_at_random() -> None:
    rng = np.random.default_rng(7)
    for seed in range(150):
        rate = int(rng.choice([500, 1000, 400, 257, 360, 250, 128, 100]))
        of = settings(
            int(rng.choice([50, 100, 250, 500, rate])),
            [None, 50, 60][rng.integers(3)],
            order=int(rng.integers(1, 9)),
            low_hz=float(rng.choice([0.05, 0.1, 0.5, 1, 5])),
            high_hz=float(rng.choice([15, 20, 40, 47, 100, 150])),
            edge_s=float(rng.choice([0, 0.1, 0.25, 1, 2, 4])),
        )
        n_samples = int(np.exp(rng.uniform(np.log(60), np.log(8000))))
        signal = [ecg_like, steps, noise][rng.integers(3)](rate, n_samples, seed) + np.float32(rng.choice([0, 20]))
        assert error_mv(signal, rate, of) < FAR_CORNER_MV, (rate, n_samples, of)


def test_bytes_depend_on_the_recording_alone() -> None:
    one, other = ecg_like(500, 5000, 8), np.full((12, 5000), np.nan, dtype=np.float32)
    run = fast(500, 5000, settings(notch_hz=50))
    first = run(one).copy()
    run(other)
    np.testing.assert_array_equal(run(one), first)
    changed = one.copy()
    changed[3] = 7 * noise(500, 5000, 9)[3]
    np.testing.assert_array_equal(np.delete(run(changed), 3, axis=0), np.delete(first, 3, axis=0))


def test_input_may_be_filled_in_place() -> None:
    run, of = fast(500, 5000, settings()), [ecg_like(500, 5000, seed) for seed in (10, 11)]
    assert run.input.shape == of[0].shape
    assert run.input.dtype == np.float32
    first = run(of[0])
    kept = first.copy()
    run.input[:] = of[1]
    run.take(0)
    np.testing.assert_array_equal(run.results(1)[0], run(of[1]))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(of[1], ecg_like(500, 5000, 11))


@pytest.mark.parametrize("of", [settings(), settings(notch_hz=50), settings(500), settings(design="none")])
@pytest.mark.parametrize("n_samples", [700, 5003])
def test_every_slot_gives_the_same_bytes(of: Signals, n_samples: int) -> None:
    run = fast(500, n_samples, of)
    assert run.n_slots > 1
    signals = [ecg_like(500, n_samples, seed) for seed in range(run.n_slots)]
    alone = np.stack([run(signal) for signal in signals])
    for shift, n_slots in ((0, run.n_slots), (1, run.n_slots), (2, 2)):
        for slot, signal in enumerate(np.roll(signals, shift, axis=0)[:n_slots]):
            run.input[:] = signal
            run.take(slot)
        np.testing.assert_array_equal(run.results(n_slots), np.roll(alone, shift, axis=0)[:n_slots])


@pytest.mark.parametrize("high_hz", [3.0, 60.0])
@pytest.mark.parametrize("order", [1, 3, 5])
@pytest.mark.parametrize("nudge", [0, 1e-15, 1e-12, 1e-9, 1e-6, -1e-6, 1e-4, 1e-3, -1e-3, 1e-2])
def test_poles_that_all_but_coincide_do_not_spoil_the_result(high_hz: float, order: int, nudge: float) -> None:
    """Two real poles of an odd order meet where the ratio of the corners, as the bilinear map bends them, is 5.83."""
    low_hz = 500 / np.pi * np.arctan(np.tan(np.pi * high_hz / 500) / (1 + np.sqrt(2)) ** 2) * (1 + nudge)
    signal, of = ecg_like(500, 3000, 12), settings(low_hz=low_hz, high_hz=high_hz, order=order)
    assert np.abs(block_filter(500, 3000, of)(signal) - expected(signal, 500, of)).max() < CLOSE_MV


@pytest.mark.parametrize(
    "change",
    [{"resampling": "fft"}, {"resampling": "slice"}, {"remove_baseline": True}, {"sampling_rate_hz": 499.3}],
)
def test_other_settings_take_the_reference(change: dict[str, Any]) -> None:
    signal, of = ecg_like(500, 3000, 13), changed(settings(), change)
    wanted = filter_and_resample(signal, 500, of)
    found = block_filter(500, 3000, of)
    np.testing.assert_allclose(found(signal), wanted, atol=1e-6)
    found.input[:] = signal
    found.take(0)
    np.testing.assert_array_equal(found.results(1)[0], found(signal))


def test_fir_band_pass_takes_the_reference() -> None:
    signal, of = ecg_like(500, 3000, 14), settings(design="fir")
    np.testing.assert_allclose(block_filter(500, 3000, of)(signal), filter_and_resample(signal, 500, of), atol=1e-6)


def test_empty_band_is_the_users_mistake() -> None:
    with pytest.raises(InputError, match="nothing is left"):
        block_filter(40, 400, settings(low_hz=30))


def test_half_an_hour_takes_memory_in_proportion() -> None:
    n_samples = 462_600
    signal = np.resize(ecg_like(257, 25700, 15), (12, n_samples))
    tracemalloc.start()
    found = block_filter(257, n_samples, settings())(signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * signal.nbytes
    lead = expected(signal[:1], 257, settings())
    assert np.abs(found[0] - lead).max() < CLOSE_MV
