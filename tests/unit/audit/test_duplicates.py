"""Copies are found however they were made, and nothing else is; what belongs together is grouped."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.audit.duplicates import PAIR_COLUMNS, AuditedDataset, audited, find_duplicates, find_overlaps
from ecgtransfer.audit.fingerprints import fingerprint_signals
from ecgtransfer.audit.groups import contradictions, duplicate_groups, redundant
from ecgtransfer.errors import InputError

FloatArray = npt.NDArray[np.float64]

RATE = 100
N_PATIENTS = 40


@cache
def hearts() -> FloatArray:
    """Return simulated recordings of 20 s, one per patient, at 500 Hz in mV, shape (patients, 12, 10000).

    Breathing turns a real heart under its electrodes, so that no beat is quite like another. The simulator does not.
    """
    settings = {"layout": "challenge-2021", "n_patients": N_PATIENTS, "duration_s": 20, "noise": 2}
    signals = np.stack([record.signal for record in simulate_corpus("audit", settings, 1)]).astype(np.float64)
    rng = np.random.default_rng(2)
    breath = 2 * np.pi * rng.uniform(0.15, 0.4, (N_PATIENTS, 1, 1)) * np.arange(10000) / 500
    turned = 0.12 * np.sin(breath + rng.uniform(0, 2 * np.pi, (N_PATIENTS, 12, 1)))
    return signals + turned * signals[:, rng.permutation(12)]


def prepare(signals_mv: FloatArray, rate: float = RATE, duration_s: float = 10) -> npt.NDArray[np.int16]:
    """Return recordings at 500 Hz band-passed, resampled, cut or padded to 10 s."""
    sections = butter(3, (0.5, 0.4 * rate), btype="bandpass", fs=500, output="sos")
    filtered = sosfiltfilt(sections, signals_mv, axis=-1, padlen=500)
    resampled = resample_poly(filtered, rate, 500, axis=-1, padtype="line")[..., : round(rate * duration_s)]
    row = np.zeros((*resampled.shape[:-1], round(rate * duration_s)))
    row[..., : resampled.shape[-1]] = resampled
    return np.rint(1000 * row).astype(np.int16)


def dataset(
    folder: Path, name: str, rows: npt.NDArray[np.int16], rate: float = RATE, unusable: tuple[int, ...] = ()
) -> AuditedDataset:
    """Return a data set of these rows; record i is called name-i."""
    path = folder / f"{name}.npy"
    np.save(path, rows)
    usable = ~np.isin(np.arange(len(rows)), unusable)
    return AuditedDataset(
        name, fingerprint_signals(path, rate), path, [f"{name}-{i}" for i in range(len(rows))], usable
    )


def records(pairs: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(pairs["record_a"], pairs["record_b"], strict=True))


def numbers(pairs: pd.DataFrame) -> set[tuple[int, int]]:
    return {(int(a.rpartition("-")[2]), int(b.rpartition("-")[2])) for a, b in records(pairs)}


def band(low_hz: float, high_hz: float) -> Callable[[FloatArray], FloatArray]:
    sections = butter(2, (low_hz, high_hz), btype="bandpass", fs=500, output="sos")
    return lambda x: np.asarray(sosfiltfilt(sections, x, axis=-1))


def noisy(x: FloatArray) -> FloatArray:
    return x + np.random.default_rng(7).normal(0, 0.02, x.shape)


def without_two_leads(x: FloatArray) -> FloatArray:
    return x * ~np.isin(np.arange(12), (4, 8))[:, None]


def another_rate(x: FloatArray) -> FloatArray:
    return resample_poly(resample_poly(x, 257, 500, axis=-1, padtype="line"), 500, 257, axis=-1, padtype="line")


TRANSFORMATIONS: dict[str, tuple[Callable[[FloatArray], FloatArray], float, float, float]] = {
    "another rate": (another_rate, 0, 10, 1),
    "rounded to 5 µV": (lambda x: np.rint(x / 0.005) * 0.005, 0, 10, 1),
    "five times as large": (lambda x: 5 * x, 0, 10, 5),
    "a fifth as large": (lambda x: np.rint(x * 200) / 1000, 0, 10, 0.2),
    "begins 0.5 s later": (lambda x: x[..., 250:], 0.5, 9.5, 1),
    "begins 1.703 s later": (lambda x: x[..., 852:], 1.7, 8.3, 1),
    "begins 4.5 s later": (lambda x: x[..., 2250:], 4.5, 5.5, 1),
    "begins 6.5 s later": (lambda x: x[..., 3250:], 6.5, 3.5, 1),
    "first 5 s, padded": (lambda x: x[..., :2500], 0, 5, 1),
    "3 s to 7 s, padded": (lambda x: x[..., 1500:3500], 3, 4, 1),
    "another band": (band(0.67, 30), 0, 10, 1),
    "20 µV of noise": (noisy, 0, 10, 1),
    "two leads flat": (without_two_leads, 0, 10, 1),
}
"""How a copy was made, and shift, overlap and gain that must be found."""


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformed_copies_are_found_and_nothing_else(tmp_path: Path, name: str) -> None:
    transform, shift_s, overlap_s, gain = TRANSFORMATIONS[name]
    # The copy of a crop has more of the signal behind it, as when two windows are cut from one recording.
    source = hearts() if name.startswith("begins") else hearts()[..., :5000]
    originals = dataset(tmp_path, "a", prepare(hearts()[..., :5000]))
    copies = dataset(tmp_path, "b", prepare(transform(source)))
    pairs = find_overlaps([originals], [copies])
    assert all(a == b for a, b in numbers(pairs))
    assert len(pairs) >= 0.95 * N_PATIENTS
    np.testing.assert_allclose(pairs["shift_s"], shift_s, atol=0.011)
    np.testing.assert_allclose(pairs["overlap_s"], overlap_s, atol=0.05)
    np.testing.assert_allclose(pairs["gain"], gain, rtol=0.15)
    assert pairs["correlation"].min() > 0.98


@pytest.mark.parametrize(("rate", "duration_s"), [(50, 5), (250, 10), (500, 10)])
def test_other_rates_and_lengths(tmp_path: Path, rate: int, duration_s: int) -> None:
    n = 15
    originals = dataset(tmp_path, "a", prepare(hearts()[:n, :, :5000], rate, duration_s), rate)
    copies = dataset(tmp_path, "b", prepare(5 * hearts()[:n, :, 400:], rate, duration_s), rate)
    pairs = find_overlaps([originals], [copies])
    assert numbers(pairs) == {(i, i) for i in range(n)}
    np.testing.assert_allclose(pairs["shift_s"], 0.8, atol=0.011)


def test_different_windows_of_one_recording_are_different_signals(tmp_path: Path) -> None:
    halves = [dataset(tmp_path, name, prepare(hearts()[..., part])) for name, part in
              (("a", slice(0, 5000)), ("b", slice(5000, 10000)))]  # fmt: skip
    assert find_duplicates(halves).empty
    assert find_overlaps(halves[:1], halves[1:]).empty


def paced(template: FloatArray, n_samples: int, period: int, rng: np.random.Generator) -> FloatArray:
    """Return a perfectly regular rhythm, shape (12, n_samples), with noise of its own."""
    n_beats = -(-n_samples // period) + 1
    regular = np.tile(template, n_beats)[:, :n_samples]
    return regular + rng.normal(0, 6, regular.shape)


def test_paced_rhythms_of_one_heart_are_different_signals(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    template = prepare(hearts()[:1])[0, :, 100:185].astype(np.float64)
    rows = np.stack([np.roll(paced(template, 1000, 85, rng), 7 * i, axis=1) for i in range(12)])
    assert find_duplicates([dataset(tmp_path, "paced", np.rint(rows).astype(np.int16))]).empty
    again = np.concatenate([rows, 2 * rows[4:5]])
    assert numbers(find_duplicates([dataset(tmp_path, "again", np.rint(again).astype(np.int16))])) == {(4, 12)}


def test_noise_and_constant_rows_are_no_copies_of_one_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 80, (20, 12, 1000))
    constant = np.zeros((4, 12, 1000)) + np.array([0, 0, 9, 9])[:, None, None]
    rows = np.rint(np.concatenate([noise, constant])).astype(np.int16)
    assert find_duplicates([dataset(tmp_path, "noise", rows)]).empty


def test_equal_rows_are_paired_with_the_first(tmp_path: Path) -> None:
    rows = prepare(hearts()[:6, :, :5000])
    rows = np.concatenate([rows, rows[[2, 2]], np.rint(rows[2:3] * 1.5).astype(np.int16)])
    pairs = find_duplicates([dataset(tmp_path, "x", rows)])
    assert numbers(pairs) == {(2, 6), (2, 7), (2, 8), (6, 8), (7, 8)}
    equal = pairs[pairs["record_b"] != "x-8"]
    assert (equal[["shift_s", "overlap_s", "correlation", "gain"]] == [0, 10, 1, 1]).all(axis=None)
    assert numbers(pairs[pairs["gain"] == 1.5]) == {(2, 8), (6, 8), (7, 8)}
    assert list(pairs.columns) == PAIR_COLUMNS


def test_a_copy_between_equal_rows_keeps_the_order_of_rows(tmp_path: Path) -> None:
    early, late = prepare(hearts()[:3, :, :5000]), prepare(hearts()[:1, :, 1000:6000] * 2)
    pairs = find_duplicates([dataset(tmp_path, "x", np.concatenate([early, late, early[:1]]))])
    assert pairs["record_a"].tolist() == ["x-0", "x-0", "x-3"]
    assert pairs["record_b"].tolist() == ["x-3", "x-4", "x-4"]
    np.testing.assert_allclose(pairs["shift_s"], [2, 0, -2], atol=0.011)
    np.testing.assert_allclose(pairs["gain"], [2, 1, 0.5], rtol=0.05)


def test_equal_rows_on_both_sides_are_all_named(tmp_path: Path) -> None:
    rows = prepare(hearts()[:4, :, :5000])
    source = dataset(tmp_path, "s", rows[[0, 1, 1, 2]])
    target = dataset(tmp_path, "t", np.concatenate([rows[[1, 1, 3]], (2 * rows[2:3]).astype(np.int16)]))
    pairs = find_overlaps([source], [target])
    assert {"s-1", "s-2", "s-3"} == set(pairs["record_a"])
    assert {"t-0", "t-1", "t-3"} == set(pairs["record_b"])
    assert pairs.loc[pairs["record_a"] == "s-3", "gain"].tolist() == [2.0]


def test_unusable_records_are_not_audited(tmp_path: Path) -> None:
    rows = prepare(hearts()[:5, :, :5000])
    doubled = np.concatenate([rows, (2 * rows).astype(np.int16), rows[:1]])
    found = find_duplicates([dataset(tmp_path, "x", doubled, unusable=(0, 6))])
    assert numbers(found) == {(2, 7), (3, 8), (4, 9), (5, 10)}


def test_shift_and_gain_are_those_of_the_later_record(tmp_path: Path) -> None:
    early, late = prepare(hearts()[:3, :, :5000]), prepare(hearts()[:3, :, 1000:6000] / 2)
    for first, second, shift, gain in ((early, late, 2.0, 0.5), (late, early, -2.0, 2.0)):
        pairs = find_duplicates([dataset(tmp_path, "one", first), dataset(tmp_path, "two", second)])
        assert pairs["dataset_a"].eq("one").all() and pairs["dataset_b"].eq("two").all()
        np.testing.assert_allclose(pairs["shift_s"], [shift] * 3, atol=0.011)
        np.testing.assert_allclose(pairs["gain"], [gain] * 3, rtol=0.05)


def test_workers_and_order_of_data_sets_change_nothing(tmp_path: Path) -> None:
    a = dataset(tmp_path, "a", prepare(hearts()[:20, :, :5000]))
    b = dataset(tmp_path, "b", prepare(noisy(hearts()[10:30, :, 600:5600])))
    pairs = find_duplicates([a, b])
    assert len(pairs) >= 9
    pd.testing.assert_frame_equal(find_duplicates([a, b], n_workers=3), pairs)
    assert records(find_overlaps([b], [a])) == {(y, x) for x, y in records(pairs)}


def test_without_targets_there_are_no_overlaps(tmp_path: Path) -> None:
    pairs = find_overlaps([dataset(tmp_path, "a", prepare(hearts()[:2, :, :5000]))], [])
    assert pairs.empty
    assert list(pairs.columns) == PAIR_COLUMNS


def test_data_sets_prepared_differently_are_refused(tmp_path: Path) -> None:
    a = dataset(tmp_path, "a", prepare(hearts()[:2, :, :5000]))
    b = dataset(tmp_path, "b", prepare(hearts()[:2, :, :5000], 50), 50)
    with pytest.raises(InputError, match="b has 500 samples at 50 Hz, a 1000 at 100 Hz"):
        find_duplicates([a, b])


def test_audited_takes_ids_and_usability_from_the_quality_table(tmp_path: Path) -> None:
    first = dataset(tmp_path, "a", prepare(hearts()[:3, :, :5000]))
    first.fingerprints.save(tmp_path / "a.npz")
    pd.DataFrame({"record_id": ["001", "002", "003"], "usable": [1, 0, 1]}).to_csv(tmp_path / "a.csv", index=False)
    (found,) = audited(["a"], [tmp_path / "a.npz"], [tmp_path / "a.npy"], [tmp_path / "a.csv"])
    assert found.record_ids == ["001", "002", "003"]
    assert found.usable.tolist() == [True, False, True]
    pd.DataFrame({"record_id": ["001"], "usable": [1]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match="3 fingerprints, 1 records and 1 quality flags"):
        find_duplicates(audited(["a"], [tmp_path / "a.npz"], [tmp_path / "a.npy"], [tmp_path / "a.csv"]))


def pairs_of(*links: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(links, columns=["dataset_a", "record_a", "dataset_b", "record_b"])


def test_groups_join_patients_and_copies() -> None:
    table = pd.DataFrame({"record_id": list("123456"), "patient_id": ["p", "q", "q", "r", "s", "t"]}, index=range(3, 9))
    pairs = pairs_of(("x", "1", "x", "3"), ("x", "4", "x", "9"), ("x", "5", "x", "6"))
    groups = duplicate_groups(table, pairs, ["x"])
    assert groups.to_dict() == {3: "p", 4: "p", 5: "p", 6: "r", 7: "s", 8: "s"}
    assert duplicate_groups(table, pairs_of(), ["x"]).tolist() == table["patient_id"].tolist()


def test_groups_of_joined_data_sets() -> None:
    table = pd.DataFrame({"record_id": ["x:1", "x:2", "y:1"], "patient_id": ["x:a", "x:b", "y:a"]})
    assert duplicate_groups(table, pairs_of(("x", "2", "y", "1")), ["x", "y"]).tolist() == ["x:a", "x:b", "x:b"]


def test_groups_of_random_links_are_what_spreading_labels_gives() -> None:
    rng = np.random.default_rng(5)
    patients = rng.integers(0, 60, 100)
    links = rng.integers(0, 100, (40, 2))
    label = patients.copy()
    for _ in range(100):
        for a, b in links:
            joined = np.isin(label, label[[a, b]])
            label[joined] = label[[a, b]].min()
    table = pd.DataFrame({"record_id": [str(i) for i in range(100)], "patient_id": patients})
    groups = duplicate_groups(table, pairs_of(*[("x", str(a), "x", str(b)) for a, b in links]), ["x"])
    assert (pd.crosstab(groups, label) > 0).sum(axis=1).eq(1).all()
    assert groups.nunique() == len(np.unique(label))


def test_redundant_are_all_but_the_first() -> None:
    pairs = pairs_of(("x", "1", "x", "7"), ("x", "1", "y", "1"), ("x", "3", "y", "2"), ("y", "1", "y", "5"))
    found = redundant(pairs)
    assert list(found.columns) == ["dataset", "record_id"]
    assert set(found.itertuples(index=False, name=None)) == {("x", "7"), ("y", "1"), ("y", "2"), ("y", "5")}
    assert redundant(pairs_of()).empty


def test_one_signal_with_different_labels_is_said() -> None:
    table = pd.DataFrame({"record_id": list("abcdef"), "codes": ["1|2", "2|1", "1", "", None, "3"]})
    alike, different = [("x", "a", "x", "b"), ("x", "d", "x", "e")], [("x", "b", "x", "c"), ("x", "e", "x", "f")]
    assert contradictions(table, pairs_of(*alike, *different, ("x", "f", "x", "gone")), ["x"]) == [
        "2 pairs of recordings are one signal with different labels; those of the first are used"
    ]
    assert contradictions(table, pairs_of(*alike), ["x"]) == []
