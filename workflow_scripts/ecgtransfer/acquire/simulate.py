"""Simulated corpora: patients, their diagnoses, and 12-lead recordings with the noise of real electrodes.

A corpus replaces a downloaded data set where none is available: the diagnoses are known for sure, and two corpora
differ in amplitude, noise and prevalence as two hospitals do. `native_layouts` writes one as real files.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.acquire import heart_model
from ecgtransfer.acquire.heart_model import Heart, Repolarisation
from ecgtransfer.acquire.heart_rhythm import BeatKind, Rhythm, beat_train, fibrillatory_waves
from ecgtransfer.errors import InputError

SNOMED_CODES = {
    "NSR": "426783006",
    "SB": "426177001",
    "STach": "427084000",
    "AF": "164889003",
    "IAVB": "270492004",
    "CLBBB": "733534002",
    "CRBBB": "713427006",
    "PVC": "427172004",
    "PAC": "284470004",
    "STD": "429622005",
    "STE": "164931005",
    "LVH": "164873001",
    "TInv": "59931005",
}
"""SNOMED CT code of each diagnosis that the simulator knows, by the abbreviation of the PhysioNet Challenge 2021."""

DEFAULT_PREVALENCE = {
    "SB": 0.10,
    "STach": 0.10,
    "AF": 0.10,
    "IAVB": 0.08,
    "CLBBB": 0.07,
    "CRBBB": 0.08,
    "PVC": 0.10,
    "PAC": 0.08,
    "STD": 0.10,
    "STE": 0.08,
    "LVH": 0.12,
    "TInv": 0.12,
}
"""Share of recordings with each diagnosis; the rhythm of all others is normal sinus rhythm (NSR)."""

LAYOUTS = ("ptb-xl", "challenge-2021")

# Directions of the ST dipole (Frank axes) that shift the ST segment of a region by about 1 mV.
_ST_DEPRESSION = {"lateral": (-0.90, -0.50, 0.0), "inferior": (-0.50, -0.80, 0.0)}
_ST_ELEVATION = {"inferior": (0.10, 0.95, 0.0), "anterior": (0.25, 0.10, -0.70), "lateral": (0.85, -0.20, 0.0)}
# T dipoles in mV that invert the T wave of a region.
_INVERTED_T = {
    "lateral": (-0.27, 0.03, -0.08),
    "anterior": (-0.05, 0.12, 0.22),
    "inferior": (0.10, -0.26, -0.10),
}


@dataclass(frozen=True)
class CorpusSettings:
    """What makes one simulated corpus; the config section ``simulate.<corpus>``.

    `records_per_patient` is a mean. `amplitude` multiplies the heart's voltages, `noise` those of baseline wander, hum
    and muscle. `prevalence` overrides `DEFAULT_PREVALENCE` by abbreviation.
    """

    layout: str
    n_patients: int
    prevalence: Mapping[str, float]
    records_per_patient: float = 1.0
    sampling_rate_hz: int = 500
    duration_s: float = 10.0
    amplitude: float = 1.0
    noise: float = 1.0
    mains_hz: float = 50.0


@dataclass(frozen=True)
class SimulatedRecord:
    """One recording: 12 leads in standard order, shape (12, n_samples), float32 mV; `sex` is ``male`` or ``female``."""

    record_id: str
    patient_id: str
    age_years: int
    sex: str
    codes: tuple[str, ...]
    signal: NDArray[np.float32]
    sampling_rate_hz: int


@dataclass(frozen=True)
class _Patient:
    age_years: int
    sex: str
    chronic: frozenset[str]
    heart: Heart
    base_rr_s: float
    n_records: int


def corpus_settings(name: str, settings: Mapping[str, Any]) -> CorpusSettings:
    """Return the checked settings of the corpus `name`.

    Raises
    ------
    InputError
        If a key is unknown or a value out of range.
    """
    where = f"config, simulate.{name}"
    known = {field.name for field in fields(CorpusSettings)}
    if unknown := sorted(set(settings) - known):
        raise InputError(f"{where}: unknown key {unknown[0]}; known are {', '.join(sorted(known))}")
    if settings.get("layout") not in LAYOUTS:
        raise InputError(f"{where}.layout: expected one of {', '.join(LAYOUTS)}, found {settings.get('layout')}")
    prevalence = _checked_prevalence(settings.get("prevalence", {}), f"{where}.prevalence")
    corpus = CorpusSettings(**{"n_patients": 0, **settings, "prevalence": prevalence})
    limits = {"n_patients": 1, "records_per_patient": 1, "sampling_rate_hz": 100, "duration_s": 1, "noise": 0}
    for key, least in limits.items():
        if not getattr(corpus, key) >= least:
            raise InputError(f"{where}.{key}: expected a number of at least {least}, found {getattr(corpus, key)}")
    if corpus.layout == "challenge-2021" and corpus.records_per_patient != 1:
        raise InputError(
            f"{where}.records_per_patient: expected 1, found {corpus.records_per_patient}, as the layout "
            "challenge-2021 has no patient ids; set 1 or the layout ptb-xl"
        )
    return corpus


def _checked_prevalence(given: Mapping[str, float], where: str) -> dict[str, float]:
    if unknown := sorted(set(given) - set(SNOMED_CODES)):
        raise InputError(f"{where}: unknown diagnosis {unknown[0]}; known are {', '.join(SNOMED_CODES)}")
    for diagnosis, share in given.items():
        if not 0 <= share <= 1:
            raise InputError(f"{where}.{diagnosis}: expected a share between 0 and 1, found {share}")
    prevalence = {**DEFAULT_PREVALENCE, **given}
    sinus_rhythm = 1 - prevalence["SB"] - prevalence["STach"] - prevalence["AF"]
    if sinus_rhythm < -1e-9 or abs(prevalence.setdefault("NSR", sinus_rhythm) - sinus_rhythm) > 1e-6:
        raise InputError(f"{where}: NSR, SB, STach and AF must add up to 1; leave NSR out to give it the rest")
    for first, second in (("CLBBB", "CRBBB"), ("STD", "STE")):
        if prevalence[first] + prevalence[second] > 1:
            raise InputError(f"{where}: {first} and {second} exclude one another, so they must not exceed 1 together")
    return prevalence


def simulate_corpus(name: str, settings: Mapping[str, Any], seed: int) -> Iterator[SimulatedRecord]:
    """Yield the recordings of a corpus, patient after patient.

    Patients keep chronic diagnoses (AF, IAVB, bundle branch block, LVH) in all their recordings; rate, premature beats
    and changes of ST and T belong to a recording. Each recording has its own random stream, from seed, corpus, patient
    and number: it is the same whatever else is simulated.

    Parameters
    ----------
    name : name of the corpus; it takes part in the random streams.
    settings : see `CorpusSettings`.
    seed : the study's seed.

    Raises
    ------
    InputError
        If the settings are wrong.
    """
    corpus = corpus_settings(name, settings)
    stream = [seed, zlib.crc32(name.encode())]
    number = 0
    for patient_number in range(corpus.n_patients):
        patient = _draw_patient(corpus, np.random.default_rng([*stream, patient_number]))
        for visit in range(patient.n_records):
            number += 1
            rng = np.random.default_rng([*stream, patient_number, visit + 1])
            diagnoses = _draw_diagnoses(patient, corpus.prevalence, rng)
            yield SimulatedRecord(
                record_id=f"{number:05d}",
                patient_id=str(patient_number + 1),
                age_years=patient.age_years,
                sex=patient.sex,
                codes=tuple(code for diagnosis, code in SNOMED_CODES.items() if diagnosis in diagnoses),
                signal=_draw_signal(patient, diagnoses, corpus, rng),
                sampling_rate_hz=corpus.sampling_rate_hz,
            )


def _draw_patient(corpus: CorpusSettings, rng: np.random.Generator) -> _Patient:
    prevalence = corpus.prevalence
    chronic = set()
    if rng.random() < prevalence["AF"]:
        chronic.add("AF")
    elif rng.random() < prevalence["IAVB"] / max(1 - prevalence["AF"], 1e-9):  # AV block needs a P wave
        chronic.add("IAVB")
    chronic |= _one_of(("CLBBB", "CRBBB"), prevalence, rng)
    if rng.random() < prevalence["LVH"]:
        chronic.add("LVH")
    female = rng.random() < 0.48
    conduction = next((block for block in ("CLBBB", "CRBBB") if block in chronic), "normal")
    age = rng.normal(68, 11) if chronic else rng.normal(54, 17)
    return _Patient(
        age_years=int(np.clip(age, 18, 89)),
        sex="female" if female else "male",
        chronic=frozenset(chronic),
        heart=heart_model.draw_heart(conduction, "LVH" in chronic, "IAVB" in chronic, female, rng),
        base_rr_s=60 / np.clip(rng.normal(75, 9), 64, 92),
        n_records=1 + int(rng.poisson(corpus.records_per_patient - 1)),
    )


def _one_of(alternatives: tuple[str, str], prevalence: Mapping[str, float], rng: np.random.Generator) -> set[str]:
    draw = rng.random() - prevalence[alternatives[0]]
    if draw < 0:
        return {alternatives[0]}
    return {alternatives[1]} if draw < prevalence[alternatives[1]] else set()


def _draw_diagnoses(patient: _Patient, prevalence: Mapping[str, float], rng: np.random.Generator) -> set[str]:
    diagnoses = set(patient.chronic)
    without_af = max(1 - prevalence["AF"], 1e-9)
    if "AF" not in diagnoses:
        sinus = {rhythm: prevalence[rhythm] / without_af for rhythm in ("SB", "STach")}
        diagnoses |= _one_of(("SB", "STach"), sinus, rng) or {"NSR"}
        if rng.random() < prevalence["PAC"] / without_af:  # fibrillating atria have no premature beats
            diagnoses.add("PAC")
    diagnoses |= _one_of(("STD", "STE"), prevalence, rng)
    return diagnoses | {diagnosis for diagnosis in ("PVC", "TInv") if rng.random() < prevalence[diagnosis]}


def _draw_signal(
    patient: _Patient, diagnoses: set[str], corpus: CorpusSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    n_samples = round(corpus.duration_s * corpus.sampling_rate_hz)
    dipole = _draw_dipole(patient, diagnoses, corpus, n_samples, rng)
    # The electrodes sit a little differently each time.
    lead_vectors = patient.heart.lead_vectors * (1 + 0.03 * rng.standard_normal(patient.heart.lead_vectors.shape))
    electrodes = (corpus.amplitude * lead_vectors @ dipole).astype(np.float32)
    if corpus.noise > 0:
        electrodes += np.float32(corpus.noise) * _electrode_noise(
            n_samples, corpus.sampling_rate_hz, corpus.mains_hz, rng
        )
    return heart_model.LEADS_FROM_ELECTRODES.astype(np.float32) @ electrodes


def _draw_dipole(
    patient: _Patient, diagnoses: set[str], corpus: CorpusSettings, n_samples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    heart, rate = patient.heart, corpus.sampling_rate_hz
    rhythm = _draw_rhythm(patient, diagnoses, rng)
    beats = beat_train(rhythm, corpus.duration_s, rng)
    breath = np.sin(2 * np.pi * rhythm.respiration_hz * beats.onset_s + rng.uniform(0, 2 * np.pi))
    gain = 1 + 0.04 * breath + 0.02 * rng.standard_normal(len(beats.onset_s))
    repolarisation = _draw_repolarisation(diagnoses, rng)
    normal_p = None if rhythm.fibrillating else heart.sinus_p
    waves_of_kind = {
        BeatKind.NORMAL: heart_model.beat_waves(heart, normal_p, repolarisation),
        BeatKind.ATRIAL: heart_model.beat_waves(heart, heart.ectopic_p, repolarisation),
        BeatKind.VENTRICULAR: heart.premature_ventricular,
    }
    dipole = np.zeros((3, n_samples))
    for kind in np.unique(beats.kind):
        these = beats.kind == kind
        dipole += heart_model.dipole_of_beats(
            n_samples, rate, beats.onset_s[these], beats.sqrt_rr[these], gain[these], waves_of_kind[BeatKind(kind)]
        )
    if rhythm.fibrillating:
        dipole += fibrillatory_waves(n_samples, rate, rng)
    return dipole


def _draw_rhythm(patient: _Patient, diagnoses: set[str], rng: np.random.Generator) -> Rhythm:
    if "AF" in diagnoses:
        mean_rr_s = 60 / rng.uniform(62, 125)
    elif "SB" in diagnoses:
        mean_rr_s = 60 / rng.uniform(43, 57)
    elif "STach" in diagnoses:
        mean_rr_s = 60 / rng.uniform(104, 138)
    else:
        mean_rr_s = patient.base_rr_s * rng.uniform(0.96, 1.03)
    return Rhythm(
        mean_rr_s=float(mean_rr_s),
        fibrillating="AF" in diagnoses,
        respiration_hz=rng.uniform(0.18, 0.32),
        respiratory_share=rng.uniform(0.005, 0.035) * (0.3 if "STach" in diagnoses else 1.0),
        premature=tuple(
            kind
            for diagnosis, kind in (("PAC", BeatKind.ATRIAL), ("PVC", BeatKind.VENTRICULAR))
            if diagnosis in diagnoses
        ),
    )


def _draw_repolarisation(diagnoses: set[str], rng: np.random.Generator) -> Repolarisation:
    # In hypertrophy, depression and inversion are those of strain: lateral.
    strained = "LVH" in diagnoses
    shift: NDArray[np.float64] = np.zeros(3)
    if "STD" in diagnoses:
        shift = rng.uniform(0.14, 0.25) * _of_region(_ST_DEPRESSION, strained, rng)
    elif "STE" in diagnoses:
        shift = rng.uniform(0.13, 0.28) * _of_region(_ST_ELEVATION, False, rng)
    inverted = rng.uniform(0.65, 1.1) * _of_region(_INVERTED_T, strained, rng) if "TInv" in diagnoses else None
    return Repolarisation(shift, inverted)


def _of_region(
    dipoles: Mapping[str, tuple[float, float, float]], lateral: bool, rng: np.random.Generator
) -> NDArray[np.float64]:
    drawn = list(dipoles)[rng.integers(len(dipoles))]
    return np.array(dipoles["lateral" if lateral else drawn]) * rng.normal(1.0, 0.12, 3)


def _electrode_noise(
    n_samples: int, sampling_rate_hz: float, mains_hz: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return wander, hum and muscle noise of the nine electrodes, shape (9, n_samples), mV; each is independent."""
    n = heart_model.N_ELECTRODES
    time_s = (np.arange(n_samples) / sampling_rate_hz).astype(np.float32)
    hz = np.array([*rng.uniform([0.03, 0.08, 0.18], [0.08, 0.18, 0.4]), mains_hz], dtype=np.float32)
    level_mv = np.array([0.016, 0.012, 0.014, 0.004]) * rng.lognormal(0.0, 0.45, 4)
    phase = np.float32(2 * np.pi) * hz[:, None] * time_s
    weights = level_mv * rng.standard_normal((2, n, 4))
    noise = weights[0].astype(np.float32) @ np.sin(phase) + weights[1].astype(np.float32) @ np.cos(phase)
    # Muscle: white noise through (1 - z^-2)(1 + z^-1), a band around a fifth of the sampling rate, in bursts.
    white = rng.standard_normal((n, n_samples + 3), dtype=np.float32)
    muscle = white[:, 3:] + white[:, 2:-1] - white[:, 1:-2] - white[:, :-3]
    burst = 1 + 0.6 * np.sin(np.float32(2 * np.pi * rng.uniform(0.1, 0.4)) * time_s + np.float32(rng.uniform(0, 6)))
    muscle_mv = 0.007 * rng.lognormal(0.0, 0.5) * rng.lognormal(0.0, 0.3, n) / 2
    noise = noise + muscle_mv.astype(np.float32)[:, None] * burst.astype(np.float32) * muscle
    return np.asarray(noise)
