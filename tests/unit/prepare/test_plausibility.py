"""What is impossible about a data set: simulated recordings, described correctly and with a mistake."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tiny_signals import write_records

from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.config.signals import Signals
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.plausibility import doubts_about

RATE_HZ = 250
SETTINGS = {"layout": "challenge-2021", "n_patients": 24, "sampling_rate_hz": RATE_HZ, "prevalence": {}}
KEPT, SCALED = Signals(scaling="none"), Signals(scaling="z-score")
Signal = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def signals() -> list[Signal]:
    """Return simulated recordings, in mV."""
    return [np.asarray(record.signal, dtype=np.float64) for record in simulate_corpus("ward", SETTINGS, 5)]


def described(folder: Path, signals: list[Signal], unit: str = "mV", leads: str = " ".join(LEADS)) -> pd.DataFrame:
    """Write signals as .npy files and return them described."""
    rows = []
    for number, signal in enumerate(signals):
        np.save(folder / f"{number}.npy", signal.astype(np.float32))
        rows.append((f"r{number}", f"{number}.npy", RATE_HZ, signal.shape[1], unit, "|".join(leads.split())))
    return pd.DataFrame(rows, columns=["record_id", "path", "sampling_rate_hz", "n_samples", "unit", "leads"])


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, signals: list[Signal]) -> tuple[pd.DataFrame, Path]:
    """Return recordings that match their description."""
    folder = tmp_path_factory.mktemp("ward")
    return described(folder, signals), folder


def renamed(*names: str) -> str:
    """Return the leads in standard order where some, by pairs, are called otherwise."""
    other = dict(zip(names[::2], names[1::2], strict=True))
    return "|".join(other.get(lead, lead) for lead in LEADS)


def z_scored(signal: Signal) -> Signal:
    return np.asarray((signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True))


def test_nothing_is_said_of_recordings_that_can_be(ward: tuple[pd.DataFrame, Path]) -> None:
    assert doubts_about(*ward, KEPT) == []


class TestLimbLeads:
    """Limb leads that are not what they are called."""

    def test_swapped_against_the_leads_of_the_entry(
        self, ward: tuple[pd.DataFrame, Path], signals: list[Signal]
    ) -> None:
        table, folder = ward
        with pytest.raises(InputError) as caught:
            doubts_about(table.assign(leads=renamed("aVL", "aVF", "aVF", "aVL")), folder, KEPT)
        off = [np.std(signal[5] - (signal[0] - signal[1] / 2)) for signal in signals]
        assert str(caught.value) == (
            f"{folder}: aVL and aVF seem swapped in 24 of 24 recordings examined (aVL = I - II / 2 is off by"
            f" {1000 * np.median(off):.3g} µV); fix `leads` of the data set or of its table"
        )

    @pytest.mark.parametrize(
        ("leads", "words"),
        [
            (renamed("aVR", "-aVR"), "aVR seems inverted"),
            (renamed("I", "II", "II", "I"), "I and II seem swapped"),
            ("|".join([*LEADS[6:], *LEADS[:6]]), "what is called V1, V2, V3, V4, V5, V6 seems to be I, II, III, aVR,"),
        ],
    )
    def test_other_mistakes(self, ward: tuple[pd.DataFrame, Path], leads: str, words: str) -> None:
        table, folder = ward
        with pytest.raises(InputError, match=words):
            doubts_about(table.assign(leads=leads), folder, KEPT)

    def test_swapped_in_the_headers(self, tmp_path: Path, signals: list[Signal]) -> None:
        names = tuple(renamed("aVL", "aVF", "aVF", "aVL").split("|"))
        table = write_records(tmp_path, signals[:5], RATE_HZ, leads=names)
        with pytest.raises(InputError, match=r"aVL and aVF seem swapped in 5 of 5 .*; fix the names of leads in its"):
            doubts_about(table, tmp_path, KEPT)

    def test_swapped_in_the_first_line_of_csv_files(self, tmp_path: Path, signals: list[Signal]) -> None:
        table = described(tmp_path, signals[:3])
        for number, signal in enumerate(signals[:3]):
            names = renamed("aVL", "aVF", "aVF", "aVL").split("|")
            pd.DataFrame(signal.T, columns=names).to_csv(tmp_path / f"{number}.csv", index=False)
        table = table.assign(path=[f"{number}.csv" for number in range(3)], leads="")
        with pytest.raises(InputError, match=r"aVL and aVF seem swapped in 3 of 3 .*; fix the names of leads in its"):
            doubts_about(table, tmp_path, KEPT)

    def test_swapped_in_rows_of_the_table_that_say_other_leads(self, ward: tuple[pd.DataFrame, Path]) -> None:
        table, folder = ward
        table = table.copy()
        table.loc[::4, "leads"] = renamed("aVL", "aVF", "aVF", "aVL")
        with pytest.raises(InputError, match="aVL and aVF seem swapped in 6 of 24 recordings"):
            doubts_about(table, folder, KEPT)

    def test_swapped_in_some_files_is_a_notice(self, tmp_path: Path, signals: list[Signal]) -> None:
        swapped = [signal[[0, 1, 2, 3, 5, 4, *range(6, 12)]] for signal in signals[:3]]
        table = described(tmp_path, [*swapped, *signals[3:]])
        (notice,) = doubts_about(table, tmp_path, KEPT)
        assert notice.startswith("aVL and aVF seem swapped in 3 of 24 recordings examined (aVL = I - II / 2 is off by")
        assert notice.endswith(", r0 for one")

    def test_leads_that_the_file_lacks_are_no_evidence(self, ward: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
        eight = [0, 1, *range(6, 12)]
        table = described(tmp_path, [np.load(ward[1] / path)[eight] for path in ward[0]["path"]])
        table["leads"] = "|".join(LEADS[lead] for lead in eight)
        assert doubts_about(table, tmp_path, KEPT) == []

    def test_swapped_after_they_were_scaled(self, tmp_path: Path, signals: list[Signal]) -> None:
        table = described(tmp_path, [z_scored(signal) for signal in signals], unit="none")
        assert doubts_about(table, tmp_path, SCALED) == []
        with pytest.raises(InputError, match="aVL and aVF seem swapped in 24 of 24 recordings examined; fix"):
            doubts_about(table.assign(leads=renamed("aVL", "aVF", "aVF", "aVL")), tmp_path, SCALED)

    def test_leads_that_add_up_in_no_order_are_a_notice(self, tmp_path: Path, signals: list[Signal]) -> None:
        apart = [np.array([np.roll(lead, 97 * row) for row, lead in enumerate(signal)]) for signal in signals]
        notices = doubts_about(described(tmp_path, apart), tmp_path, KEPT)
        assert notices[0].startswith("the limb leads do not add up in 24 of 24 recordings examined (")


@pytest.mark.parametrize("times", [0.4, 0.5, 2.0, 2.5])
def test_a_sampling_rate_that_is_too_high_or_too_low(ward: tuple[pd.DataFrame, Path], times: float) -> None:
    table, folder = ward
    (notice,) = doubts_about(table.assign(sampling_rate_hz=times * RATE_HZ), folder, KEPT)
    word = "high" if times > 1 else "low"
    assert notice.startswith(
        f"the sampling rate of {times * RATE_HZ:g} Hz seems too {word}: heart rate and QRS cannot be"
    )


def test_a_sampling_rate_at_which_no_beats_are_left(ward: tuple[pd.DataFrame, Path]) -> None:
    table, folder = ward
    (notice,) = doubts_about(table.assign(sampling_rate_hz=0.2 * RATE_HZ), folder, KEPT)
    assert notice.startswith("no similar beats are found in")
    (notice,) = doubts_about(table.assign(sampling_rate_hz=40.0), folder, KEPT)
    assert notice == "the sampling rate of 24 of 24 recordings examined is below 50 Hz: is it right?"


def test_a_rate_that_is_wrong_for_half_of_the_recordings(ward: tuple[pd.DataFrame, Path]) -> None:
    table, folder = ward
    table = table.assign(sampling_rate_hz=np.where(np.arange(24) < 13, 2.0, 1.0) * RATE_HZ)
    (notice,) = doubts_about(table, folder, KEPT)
    assert notice.startswith("the sampling rates seem too high: ")


class TestDirections:
    """Leads that are upside down, or in reverse order: they add up as well."""

    def test_all_inverted(self, ward: tuple[pd.DataFrame, Path]) -> None:
        table, folder = ward
        (notice,) = doubts_about(table.assign(leads="|".join(f"-{lead}" for lead in LEADS)), folder, KEPT)
        assert notice.startswith("QRS points the wrong way in I, II, V1, V6 of most of 24 recordings examined")

    def test_chest_leads_in_reverse_order(self, ward: tuple[pd.DataFrame, Path]) -> None:
        table, folder = ward
        (notice,) = doubts_about(table.assign(leads="|".join([*LEADS[:6], *LEADS[:5:-1]])), folder, KEPT)
        assert notice.startswith("QRS points the wrong way in V1, V6 of most of 24")

    def test_exchanged_arms(self, ward: tuple[pd.DataFrame, Path]) -> None:
        table, folder = ward
        leads = renamed("I", "-I", "II", "III", "III", "II", "aVR", "aVL", "aVL", "aVR")
        (notice,) = doubts_about(table.assign(leads=leads), folder, KEPT)
        assert notice.startswith("QRS points the wrong way in I of most of 24")


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        (renamed("V2", "V3", "V3", "V2"), "V2 and V3 seem swapped: then neighbours resemble each other more, in 24"),
        (renamed("V4", "-V4"), "V4 seems inverted: then neighbours resemble each other more, in 24"),
    ],
)
def test_chest_leads_out_of_order(ward: tuple[pd.DataFrame, Path], leads: str, words: str) -> None:
    table, folder = ward
    (notice,) = doubts_about(table.assign(leads=leads), folder, KEPT)
    assert notice.startswith(words)


def changed(signals: list[Signal], change: Callable[[Signal], None]) -> list[Signal]:
    copies = [signal.copy() for signal in signals]
    for signal in copies:
        change(signal)
    return copies


def test_one_lead_in_another_unit(tmp_path: Path, signals: list[Signal]) -> None:
    def enlarge(signal: Signal) -> None:
        signal[8] *= 1000

    (notice,) = doubts_about(described(tmp_path, changed(signals, enlarge)), tmp_path, KEPT)
    assert notice.startswith("lead V3 spans ")
    assert notice.endswith(
        " times what other leads span, the median of 24 recordings examined; its unit or gain seems wrong"
    )


def test_two_leads_that_are_one_signal(tmp_path: Path, signals: list[Signal]) -> None:
    def repeat(signal: Signal) -> None:
        signal[7] = signal[6]

    notices = doubts_about(described(tmp_path, changed(signals, repeat)), tmp_path, KEPT)
    assert notices[0] == "V1 and V2 are the same signal in 24 of 24 recordings examined"


def test_all_leads_that_are_one_signal(tmp_path: Path, signals: list[Signal]) -> None:
    def repeat(signal: Signal) -> None:
        signal[:] = signal[1]

    table = described(tmp_path, changed(signals[:3], repeat))
    with pytest.raises(InputError, match="all leads are the same signal in 3 of 3 recordings examined, r0 for one"):
        doubts_about(table, tmp_path, KEPT)

    def flatten(signal: Signal) -> None:
        signal[np.arange(12) != 1] = 0

    lone = changed(signals[:3], flatten)
    assert doubts_about(described(tmp_path, lone), tmp_path, KEPT) == []


@pytest.mark.parametrize("whole", [np.ptp, lambda signal: np.abs(signal).max()])
def test_recordings_that_were_scaled_as_a_whole(
    tmp_path: Path, signals: list[Signal], whole: Callable[[Signal], float]
) -> None:
    (notice,) = doubts_about(described(tmp_path, [signal / whole(signal) for signal in signals]), tmp_path, KEPT)
    assert notice.startswith("every recording was scaled to the same size in 24 of 24 recordings examined")


@pytest.mark.parametrize("name", ["min-max", "z-score"])
def test_samples_that_were_scaled(tmp_path: Path, signals: list[Signal], name: str) -> None:
    scaled = [signal / np.ptp(signal, axis=1)[:, None] if name == "min-max" else z_scored(signal) for signal in signals]
    table = described(tmp_path, scaled)
    (notice,) = doubts_about(table, tmp_path, KEPT)
    assert notice.startswith("every lead was scaled to the same size in 24 of 24 recordings examined")
    assert doubts_about(table, tmp_path, SCALED) == []


def test_recordings_that_cannot_be_read_are_passed_over(ward: tuple[pd.DataFrame, Path]) -> None:
    table, folder = ward
    assert doubts_about(table.assign(path="lost.npy"), folder, KEPT) == []
    assert doubts_about(table.iloc[:0], folder, KEPT) == []


def test_nothing_is_said_of_hearts_where_recordings_are_few(ward: tuple[pd.DataFrame, Path]) -> None:
    table, folder = ward
    leads = "|".join(f"-{lead}" for lead in LEADS)
    assert doubts_about(table.iloc[:5].assign(leads=leads, sampling_rate_hz=500.0), folder, KEPT) == []


def test_missing_samples_are_left_out(tmp_path: Path, signals: list[Signal]) -> None:
    def lose(signal: Signal) -> None:
        signal[3, 100:400] = np.nan
        signal[11] = np.nan

    table = described(tmp_path, changed(signals, lose))
    assert doubts_about(table, tmp_path, KEPT) == []
    with pytest.raises(InputError, match="I and II seem swapped"):
        doubts_about(table.assign(leads=renamed("I", "II", "II", "I")), tmp_path, KEPT)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_files_hold_ends_in_notices_or_one_line(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(8):
        signals = []
        for _ in range(int(rng.choice([1, 12]))):
            signal = rng.standard_normal((12, int(rng.choice([1, 5, 100, 1000, 4000])))) * 10.0 ** rng.integers(-30, 30)
            signal[rng.integers(12, size=4)] = rng.choice([0, np.nan, np.inf, 7])
            signal[rng.random(signal.shape) < rng.choice([0, 0.1])] = np.nan
            if rng.random() < 0.3:
                signal[:] = signal[0]
            signals.append(signal)
        table = described(tmp_path, signals, unit=str(rng.choice(["mV", "none"])))
        try:
            notices = doubts_about(table.assign(sampling_rate_hz=rng.choice([20, 99.7, 257.3, 49999])), tmp_path, KEPT)
        except InputError as error:
            notices = [str(error)]
        assert all("\n" not in notice for notice in notices)
