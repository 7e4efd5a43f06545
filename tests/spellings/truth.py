"""The truth that all spellings are of: 50 simulated recordings, whose they are, what they show, and what follows."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgtransfer.acquire.simulate import SNOMED_CODES, simulate_corpus

REPOSITORY = Path(__file__).parents[2]
RATE_HZ = 100
N_RECORDINGS, N_SAMPLES = 50, 5 * RATE_HZ
YEAR = 2020
"""All recordings are of this year."""

SIGNALS: dict[str, Any] = {
    "sampling_rate_hz": 50, "duration_s": 4, "notch_hz": None, "remove_baseline": False, "resampling": "polyphase",
    "band_pass": {"design": "butterworth", "low_hz": 0.5, "high_hz": 20, "order": 3, "edge_s": 1.0},
    "scaling": "none", "crop": "start", "pad_short_records": True, "max_flat_leads": 6, "max_nan_fraction": 0.2,
    "implausible_gain": {"ratio": 4.0, "action": "flag"},
}  # fmt: skip
"""The config section ``signals``."""
LABELS: dict[str, Any] = {"include": "all", "top": None, "min_records": 4}
"""The config section ``labels``, as far as `harmonize_labels` sees it."""

_PREVALENCE = {"SB": 0.25, "STach": 0.1, "AF": 0.2, "LVH": 0.4, "TInv": 0.3, "PVC": 0.2, "STE": 0.15}
_SETTINGS: dict[str, Any] = {
    "layout": "ptb-xl", "n_patients": 22, "records_per_patient": 2.6, "sampling_rate_hz": RATE_HZ, "duration_s": 5,
    "prevalence": _PREVALENCE, "noise": 0.7,
}  # fmt: skip
_SEED = 20
_UNLABELLED = SNOMED_CODES["NSR"]
"""What this hospital does not write down: a recording with nothing else has no label."""


@dataclass(frozen=True)
class Recording:
    """One recording and all that is known of it.

    `number` and `patient` and `site` count from 0, `month` and `fold` from 1. `microvolts` has shape (12, samples), the
    leads in standard order; all are multiples of 5 µV, and the limb leads agree with one another exactly.
    """

    number: int
    patient: int
    site: int
    month: int
    fold: int
    age: int
    sex: str
    codes: tuple[str, ...]
    microvolts: NDArray[np.int64]

    @property
    def day(self) -> int:
        """Return the day of the month on which it was recorded."""
        return self.number % 28 + 1


@cache
def corpus() -> tuple[Recording, ...]:
    """Return the recordings: several per patient, at four sites, in five months, some without a label."""
    recordings = []
    for number, record in zip(range(N_RECORDINGS), simulate_corpus("truth", _SETTINGS, _SEED), strict=False):
        patient = int(record.patient_id) - 1
        recordings.append(
            Recording(
                number=number,
                patient=patient,
                site=(patient + (number % 10 == 9)) % 4,  # some patients are seen at two
                month=number % 5 + 1,
                fold=patient % 10 + 1,
                age=record.age_years,
                sex=record.sex,
                codes=tuple(code for code in record.codes if code != _UNLABELLED),
                microvolts=_of_exact_leads(record.signal),
            )
        )
    assert len(recordings) == N_RECORDINGS
    return tuple(recordings)


def _of_exact_leads(millivolts: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a signal in µV: I, II and the chest leads in steps of 10 µV, the others by Einthoven and Goldberger."""
    rounded = 10 * np.rint(100 * millivolts.astype(float)).astype(np.int64)
    one, two = rounded[:2]
    limbs = np.stack([one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2])
    return np.concatenate([limbs, rounded[6:]])


def microvolts_of(recordings: Sequence[Recording]) -> NDArray[np.float64]:
    """Return the signals of recordings, shape (recordings, 12, samples), µV."""
    return np.stack([recording.microvolts for recording in recordings]).astype(float)


def prepared(microvolts: NDArray[np.float64], rate_hz: int = RATE_HZ) -> NDArray[np.float64]:
    """Return what the section `SIGNALS` makes of signals, by scipy: shape (recordings, 12, samples), µV."""
    band = SIGNALS["band_pass"]
    sections = butter(band["order"], (band["low_hz"], band["high_hz"]), btype="bandpass", fs=rate_hz, output="sos")
    filtered = sosfiltfilt(sections, microvolts, axis=-1, padlen=round(band["edge_s"] * rate_hz))
    resampled = resample_poly(filtered, 1, rate_hz // SIGNALS["sampling_rate_hz"], axis=-1, padtype="line")
    return resampled[..., : SIGNALS["duration_s"] * SIGNALS["sampling_rate_hz"]]


@cache
def _column_of(table: str, column: str) -> dict[str, str]:
    with (REPOSITORY / "config/labels" / table).open(encoding="utf-8", newline="") as file:
        return {row["snomed_ct"]: row[column] for row in csv.DictReader(file)}


def labels_of(codes: Sequence[Sequence[str]]) -> tuple[list[str], NDArray[np.int64], dict[str, int]]:
    """Return the names of the labels that stay; which recordings have which, shape (recordings, labels); the others.

    Of the others, which too few recordings have or lack, is returned how many have them.
    """
    counts_as, names = _column_of("equivalent.csv", "counts_as"), _column_of("snomed.csv", "abbreviation")
    said = [{names[counts_as.get(code, code)] for code in of_one} for of_one in codes]
    counts = Counter(label for of_one in said for label in of_one)
    least = LABELS["min_records"]
    kept = sorted((name for name, n in counts.items() if least <= n <= len(said) - least), key=str.casefold)
    by_count = sorted(counts, key=lambda name: (-counts[name], name.casefold()))
    rare = {name: counts[name] for name in by_count if name not in kept}
    return kept, np.array([[name in of_one for name in kept] for of_one in said], dtype=np.int64), rare
