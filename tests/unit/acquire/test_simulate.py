"""Simulated recordings, measured as a cardiologist would: rates, intervals, widths, ST levels, voltages."""

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, periodogram, sosfiltfilt

from ecgtransfer.acquire.heart_rhythm import BeatKind, Rhythm, beat_train
from ecgtransfer.acquire.simulate import DEFAULT_PREVALENCE, SNOMED_CODES, corpus_settings, simulate_corpus
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS

RATE = 500
NOBODY = dict.fromkeys(DEFAULT_PREVALENCE, 0.0)


def records(*diagnoses, n_patients=12, seed=3, prevalence=None, **settings):
    """Return recordings of patients who all have these diagnoses and no others; without noise unless asked for."""
    if prevalence is None:
        prevalence = NOBODY | dict.fromkeys(diagnoses, 1.0)
    corpus = {"layout": "ptb-xl", "n_patients": n_patients, "noise": 0.0, "prevalence": prevalence} | settings
    return list(simulate_corpus("testing", corpus, seed))


def lead(record, name):
    return record.signal[LEADS.index(name)].astype(float)


def slope(record):
    """Return the steepness of all leads together, mV/ms."""
    return np.sqrt((np.gradient(record.signal.astype(float), 1000 / RATE, axis=1) ** 2).sum(axis=0))


def qrs_samples(record, share=0.12):
    """Return where the energy at 10-25 Hz in 100 ms peaks above this share of its largest: the QRS complexes."""
    band = sosfiltfilt(butter(2, (10, 25), "bandpass", fs=RATE, output="sos"), record.signal)
    energy = np.convolve((band**2).sum(axis=0), np.hanning(RATE // 10), mode="same")
    peaks, _ = find_peaks(energy, height=share * energy.max(), distance=int(0.3 * RATE))
    return peaks[(peaks > 0.4 * RATE) & (peaks < record.signal.shape[1] - 0.5 * RATE)]


def rr_s(record):
    return np.diff(qrs_samples(record)) / RATE


def qrs_bounds(record, peak):
    """Return the first and last sample around `peak` whose slope is above a tenth of the steepest."""
    start = peak - int(0.11 * RATE)
    steep = np.flatnonzero((around := slope(record)[start : peak + int(0.11 * RATE)]) > 0.10 * around.max())
    return start + steep[0], start + steep[-1]


def qrs_ms(record):
    return np.median([np.diff(qrs_bounds(record, peak))[0] for peak in qrs_samples(record)]) * 1000 / RATE


def pr_ms(record):
    """Return the median time from P onset (a tenth of the P wave's height in lead II) to QRS onset."""
    measured = []
    for peak in qrs_samples(record):
        onset = qrs_bounds(record, peak)[0]
        before = lead(record, "II")[onset - int(0.34 * RATE) : onset - int(0.02 * RATE)]
        before = before - before[-1]
        top = find_peaks(before, prominence=0.02)[0][-1]
        rising = before[: top + 1]
        below = np.flatnonzero(rising - min(rising.min(), 0) < 0.1 * before[top])
        measured.append((int(0.34 * RATE) - (below[-1] if len(below) else 0)) * 1000 / RATE)
    return np.median(measured)


def st_mv(record):
    """Return the level 60-80 ms after J against the PR segment, median over beats, for each lead."""
    levels = []
    for peak in qrs_samples(record):
        onset, end = qrs_bounds(record, peak)
        level = record.signal[:, end + int(0.06 * RATE) : end + int(0.08 * RATE)].mean(axis=1)
        levels.append(level - record.signal[:, onset - 8 : onset - 3].mean(axis=1))
    return dict(zip(LEADS, np.median(levels, axis=0), strict=True))


def t_mv(record):
    """Return the T wave at its largest, signed, against the PR segment, median over beats, for each lead."""
    waves = []
    for peak in qrs_samples(record):
        onset, end = qrs_bounds(record, peak)
        wave = record.signal[:, end + int(0.09 * RATE) : end + int(0.28 * RATE)]
        wave = wave - record.signal[:, onset - 8 : onset - 3].mean(axis=1, keepdims=True)
        waves.append(wave[np.arange(12), np.abs(wave).argmax(axis=1)])
    return dict(zip(LEADS, np.median(waves, axis=0), strict=True))


def sokolow_lyon_mv(record):
    return np.median(
        [
            lead(record, "V5")[peak - 40 : peak + 40].max() - lead(record, "V1")[peak - 40 : peak + 40].min()
            for peak in qrs_samples(record)
        ]
    )


def test_limb_leads_and_augmented_leads_follow_from_one_another_with_noise():
    for record in records(n_patients=3, noise=2.0):
        i, ii, iii, avr, avl, avf = record.signal[:6].astype(float)
        np.testing.assert_allclose(ii, i + iii, atol=1e-5)
        np.testing.assert_allclose(avr, -(i + ii) / 2, atol=1e-5)
        np.testing.assert_allclose(avl, (i - iii) / 2, atol=1e-5)
        np.testing.assert_allclose(avf, (ii + iii) / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("diagnosis", "slowest", "fastest"), [("NSR", 60, 100), ("SB", 40, 60), ("STach", 100, 145), ("AF", 50, 145)]
)
def test_rate(diagnosis, slowest, fastest):
    chosen = [] if diagnosis == "NSR" else [diagnosis]
    rates = [60 / rr_s(record).mean() for record in records(*chosen)]
    assert slowest < min(rates) and max(rates) < fastest


def test_fibrillation_is_irregular_and_has_no_p_wave():
    def variation(record):
        return rr_s(record).std() / rr_s(record).mean()

    def p_mv(record):  # what remains before the QRS when beats are averaged
        peaks = qrs_samples(record)
        peaks = peaks[1:][np.diff(peaks) > 0.62 * RATE]  # those before which the last T wave has ended
        beats = [lead(record, "II")[peak - int(0.22 * RATE) : peak - int(0.07 * RATE)] for peak in peaks]
        return np.ptp(np.mean(beats, axis=0))

    fibrillating, sinus = records("AF", duration_s=60), records(duration_s=60)
    assert min(variation(record) for record in fibrillating) > 0.12
    assert max(variation(record) for record in sinus) < 0.06
    assert min(p_mv(record) for record in sinus) > 0.06
    assert np.median([p_mv(record) for record in fibrillating]) < 0.04


def test_fibrillatory_waves_have_their_frequency():
    for record in records("AF", duration_s=30, n_patients=4):
        quiet = lead(record, "V1").copy()
        for peak in qrs_samples(record):  # blank the QRS and T waves
            quiet[peak - 30 : peak + int(0.36 * RATE)] = 0
        hz, power = periodogram(quiet, RATE)
        assert 3.5 < hz[(hz > 2.5)][power[hz > 2.5].argmax()] < 9


def test_width_of_qrs():
    assert max(qrs_ms(record) for record in records()) < 112
    assert max(qrs_ms(record) for record in records("LVH")) < 120
    assert min(qrs_ms(record) for record in records("CLBBB")) >= 120
    assert min(qrs_ms(record) for record in records("CRBBB")) >= 120


def test_pr_interval():
    normal = [pr_ms(record) for record in records()]
    assert min(normal) > 110 and max(normal) < 200
    assert min(pr_ms(record) for record in records("IAVB")) > 200


def test_left_bundle_branch_block_has_qs_in_v1_and_a_broad_r_in_v6_with_opposed_t_waves():
    for record in records("CLBBB"):
        for peak in qrs_samples(record):
            v1, v6 = (lead(record, name)[peak - 50 : peak + 35] for name in ("V1", "V6"))
            assert -v1.min() > 3 * v1.max() and v6.max() > 3 * -v6[:60].min()
        assert t_mv(record)["V1"] > 0.1 and t_mv(record)["V6"] < -0.05


def test_right_bundle_branch_block_ends_with_r_in_v1_and_s_in_i_and_v6():
    for record in records("CRBBB"):
        for peak in qrs_samples(record):
            onset, end = qrs_bounds(record, peak)
            late = slice(onset + (end - onset) // 2, end)
            level = record.signal[:, onset - 8 : onset - 3].mean(axis=1)
            assert lead(record, "V1")[late].max() - level[LEADS.index("V1")] > 0.3
            assert lead(record, "I")[late].min() - level[LEADS.index("I")] < -0.1
            assert lead(record, "V6")[late].min() - level[LEADS.index("V6")] < -0.2


def test_hypertrophy_exceeds_the_sokolow_lyon_voltage_and_normal_hearts_do_not():
    assert min(sokolow_lyon_mv(record) for record in records("LVH")) > 3.5
    normal = [sokolow_lyon_mv(record) for record in records()]
    assert max(normal) < 3.5 and min(normal) > 1.0


def test_normal_morphology():
    for record in records(n_patients=30):
        peaks = qrs_samples(record)
        r_wave = {name: np.median([lead(record, name)[p - 30 : p + 30].max() for p in peaks]) for name in LEADS}
        assert r_wave["V1"] < r_wave["V4"] and 0.5 < r_wave["V5"] < 2.6
        assert abs(lead(record, "aVR").min()) > lead(record, "aVR").max()
        assert 0.05 < t_mv(record)["V5"] < 0.7 and t_mv(record)["aVR"] < 0
        st = st_mv(record)  # up to 0.2 mV is normal in the leads over the septum
        assert max(abs(level) for name, level in st.items() if name not in ("V2", "V3", "V4")) < 0.1
        assert max(st.values()) < 0.2


def test_st_segment_and_t_wave():
    for record in records("STD"):
        assert any(max(st_mv(record)[name] for name in pair) < -0.05 for pair in (("V5", "V6"), ("II", "aVF")))
    for record in records("STE"):
        assert max(st_mv(record).values()) > 0.1
        assert max(st_mv(record).values()) > -min(st_mv(record).values())
    regions = {"lateral": ("I", "V5", "V6"), "anterior": ("V2", "V3"), "inferior": ("III", "aVF")}
    for record in records("TInv"):
        assert any(all(t_mv(record)[name] < -0.04 for name in names) for names in regions.values())


def test_premature_beats_come_early_and_ventricular_ones_are_wide():
    for diagnosis, wide, pause in (("PVC", True, (1.9, 2.1)), ("PAC", False, (1.5, 1.95))):
        # The same patients without premature beats have the same rate.
        for record, regular in zip(records(diagnosis, duration_s=20), records(duration_s=20), strict=True):
            peaks = qrs_samples(record, share=0.01)  # a wide complex is less steep
            intervals = np.diff(peaks)
            usual = np.median(rr_s(regular)) * RATE
            early = [k for k in range(1, len(intervals)) if intervals[k - 1] < 0.88 * usual]
            assert early
            for k in early:
                assert pause[0] * 0.94 < (intervals[k - 1] + intervals[k]) / usual < pause[1] * 1.06
                onset, end = qrs_bounds(record, peaks[k])
                assert ((end - onset) * 1000 / RATE >= 115) == wide


@pytest.mark.parametrize("rate", [43, 56, 75, 104, 138])
@pytest.mark.parametrize("fibrillating", [False, True])
def test_every_five_seconds_show_each_kind_of_premature_beat(rate, fibrillating):
    atrial, ventricular = BeatKind.ATRIAL, BeatKind.VENTRICULAR
    for premature in [(ventricular,)] if fibrillating else [(ventricular,), (atrial,), (atrial, ventricular)]:
        rhythm = Rhythm(60 / rate, fibrillating, 0.25, 0.03, premature)
        for seed in range(20):
            beats = beat_train(rhythm, 60.0, np.random.default_rng(seed))
            for kind in premature:
                onsets = beats.onset_s[beats.kind == kind]
                assert onsets[0] < 4.5 and onsets[-1] > 55.5 and np.diff(onsets).max() < 4.5


def test_same_seed_same_recordings_whatever_else_is_simulated():
    few = records(n_patients=3, noise=1.0, records_per_patient=1.5)
    many = records(n_patients=6, noise=1.0, records_per_patient=1.5)
    for first, second in zip(few, many, strict=False):
        assert (first.record_id, first.patient_id, first.codes) == (second.record_id, second.patient_id, second.codes)
        np.testing.assert_array_equal(first.signal, second.signal)
    assert not np.array_equal(few[0].signal, records(n_patients=1, noise=1.0, seed=4)[0].signal)
    assert len({record.signal.tobytes() for record in many}) == len(many)


def test_prevalence_is_as_set():
    prevalence = DEFAULT_PREVALENCE | {"AF": 0.3, "LVH": 0.02}
    everyone = records(n_patients=900, prevalence={"AF": 0.3, "LVH": 0.02}, duration_s=1, sampling_rate_hz=100)
    for diagnosis, share in prevalence.items():
        found = np.mean([SNOMED_CODES[diagnosis] in record.codes for record in everyone])
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / len(everyone)), diagnosis
    rhythms = {SNOMED_CODES[rhythm] for rhythm in ("NSR", "SB", "STach", "AF")}
    for record in everyone:
        names = {name for name, code in SNOMED_CODES.items() if code in record.codes}
        assert len(rhythms & set(record.codes)) == 1
        assert not {"AF", "IAVB"} <= names and not {"AF", "PAC"} <= names and not {"CLBBB", "CRBBB"} <= names
        assert 18 <= record.age_years <= 89 and record.sex in ("male", "female")


def test_a_patient_keeps_age_sex_and_chronic_diagnoses():
    everyone = records(n_patients=200, records_per_patient=2.0, prevalence={}, duration_s=1, sampling_rate_hz=100)
    assert len(everyone) == pytest.approx(400, abs=60)
    chronic = {SNOMED_CODES[name] for name in ("AF", "IAVB", "CLBBB", "CRBBB", "LVH")}
    seen = {}
    for record in everyone:
        lasting = (record.age_years, record.sex, chronic & set(record.codes))
        assert seen.setdefault(record.patient_id, lasting) == lasting
    assert len(seen) == 200


def test_amplitude_and_noise_scale_the_heart_and_the_noise():
    clean, doubled = (records(n_patients=2, amplitude=gain) for gain in (1.0, 2.0))
    noisy, noisier = (records(n_patients=2, noise=level) for level in (1.0, 3.0))
    for one, two, first, third in zip(clean, doubled, noisy, noisier, strict=True):
        np.testing.assert_allclose(two.signal, 2 * one.signal, atol=1e-5)
        noise = first.signal - one.signal
        np.testing.assert_allclose(third.signal - one.signal, 3 * noise, atol=1e-4)
        assert 0.003 < noise.std() < 0.15


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_hum_has_its_frequency(mains_hz):
    clean = records(n_patients=5)
    for one, noisy in zip(clean, records(n_patients=5, noise=1.0, mains_hz=mains_hz), strict=True):
        hz, power = periodogram((noisy.signal - one.signal).astype(float), RATE)
        power = power.sum(axis=0)
        near = (np.abs(hz - mains_hz) < 8) & (np.abs(hz - mains_hz) > 0.5)
        assert power[np.abs(hz - mains_hz).argmin()] > 10 * np.median(power[near])


@pytest.mark.parametrize("sampling_rate_hz", [250, 1000])
def test_the_same_heart_at_another_sampling_rate(sampling_rate_hz):
    reference = records("CRBBB", n_patients=1)[0].signal
    other = records("CRBBB", n_patients=1, sampling_rate_hz=sampling_rate_hz)[0]
    assert other.signal.shape == (12, 10 * sampling_rate_hz)
    shared = min(RATE, sampling_rate_hz)
    # Gaussians end at four standard deviations, on one sample or the next.
    np.testing.assert_allclose(
        other.signal[:, :: sampling_rate_hz // shared], reference[:, :: RATE // shared], atol=2e-3
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "edf"}, "layout"),
        ({"n_patients": 0}, "n_patients"),
        ({"records_per_patient": 0.5}, "records_per_patient"),
        ({"layout": "challenge-2021", "records_per_patient": 1.5}, "records_per_patient"),
        ({"patients": 3}, "unknown key patients"),
        ({"prevalence": {"SNR": 0.1}}, "unknown diagnosis SNR"),
        ({"prevalence": {"AF": 1.2}}, "AF"),
        ({"prevalence": {"AF": 0.9}}, "add up to 1"),
        ({"prevalence": {"NSR": 0.9}}, "add up to 1"),
        ({"prevalence": {"STD": 0.6, "STE": 0.6}}, "exclude"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(InputError, match=message) as error:
        corpus_settings("west", {"layout": "ptb-xl", "n_patients": 5} | wrong)
    assert "simulate.west" in str(error.value) and "\n" not in str(error.value)
