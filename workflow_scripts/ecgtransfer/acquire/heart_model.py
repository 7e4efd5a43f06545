"""What a heartbeat looks like: a moving dipole, its P, QRS and T waves as Gaussians, and its projection on the body.

After McSharry et al. 2003 (doi:10.1109/TBME.2003.808805) and, in three dimensions, Sameni et al. 2007
(doi:10.1155/2007/43407): each wave is a Gaussian on the phase circle, written here in seconds, with the phases of
repolarisation stretched by the square root of the RR interval (Bazett). Dipoles lie along the Frank axes: x to the
left, y to the feet, z to the back. Dower's lead vectors (Dower, Machado, Osborne 1980, doi:10.1002/clc.4960030204)
project them on the leads and so on the nine electrodes, where noise is added before leads are formed.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

N_ELECTRODES = 9
"""Right arm, left arm, left leg, V1-V6, in this order."""

_DOWER = np.array(
    [
        (0.632, -0.235, 0.059),  # I
        (0.235, 1.066, -0.132),  # II
        (-0.515, 0.157, -0.917),  # V1
        (0.044, 0.164, -1.387),  # V2
        (0.882, 0.098, -1.277),  # V3
        (1.213, 0.127, -0.601),  # V4
        (1.125, 0.127, -0.086),  # V5
        (0.831, 0.076, 0.230),  # V6
    ]
)


def _electrodes_from_dower_leads() -> FloatArray:
    # The central terminal, the mean of the three limb electrodes, is taken as zero.
    matrix = np.zeros((N_ELECTRODES, 8))
    matrix[:3, :2] = [(-1 / 3, -1 / 3), (2 / 3, -1 / 3), (-1 / 3, 2 / 3)]
    matrix[3:, 2:] = np.eye(6)
    return matrix


def _leads_from_electrodes() -> FloatArray:
    right, left, leg = np.eye(N_ELECTRODES)[:3]
    terminal = (right + left + leg) / 3
    limb = [left - right, leg - right, leg - left]
    augmented = [right - (left + leg) / 2, left - (right + leg) / 2, leg - (right + left) / 2]
    return np.array([*limb, *augmented, *(np.eye(N_ELECTRODES)[3:] - terminal)])


_TO_ELECTRODES = _electrodes_from_dower_leads()
LEADS_FROM_ELECTRODES = _leads_from_electrodes()
"""Shape (12, 9): the twelve leads as differences of electrode potentials."""

# QRS waves: centre and width in ms after QRS onset, dipole in mV.
_QRS: dict[str, list[tuple[float, float, tuple[float, float, float]]]] = {
    "normal": [
        (18, 7.5, (-0.13, -0.05, -0.36)),  # septum: to the right and front (r in V1, q in V6)
        (41, 10.5, (1.10, 0.58, 0.10)),  # free walls: left, down
        (64, 9.5, (-0.04, -0.12, 0.62)),  # base: back and up (S in V1-V3)
    ],
    "CLBBB": [
        (22, 10.0, (0.08, 0.10, -0.05)),
        (54, 19.0, (0.66, 0.34, 0.72)),  # septum from right to left: no q in I and V6
        (106, 20.0, (0.74, 0.16, 1.00)),  # late free wall: second summit of the notched R
    ],
    "CRBBB": [
        (18, 7.5, (-0.13, -0.05, -0.36)),
        (41, 10.5, (1.10, 0.58, 0.10)),
        (62, 9.0, (0.0, -0.06, 0.40)),
        (105, 18.0, (-0.52, -0.04, -0.62)),  # late right ventricle: R' in V1, wide S in I and V6
    ],
}
_T_DIPOLE = {"normal": (0.25, 0.18, -0.14), "CLBBB": (-0.24, -0.05, -0.34), "CRBBB": (0.25, 0.18, 0.10)}
_ST_DIPOLE = {"normal": (0.01, 0.01, -0.015), "CLBBB": (-0.05, -0.02, -0.11), "CRBBB": (0.01, 0.01, 0.02)}
_P_DIPOLES = ((0.035, 0.075, -0.055), (0.055, 0.06, 0.045))  # right, then left atrium
_ECTOPIC_P_DIPOLES = (
    ((-0.02, -0.09, -0.02), (0.01, -0.07, 0.02)),  # low in the atria: negative in II, III, aVF
    ((-0.06, 0.05, 0.03), (-0.05, 0.06, -0.07)),  # left atrium: negative in I, positive in V1
    ((0.07, 0.02, -0.08), (0.02, 0.01, 0.08)),  # low in the right atrium: flat in the lower leads
)
_PVC_DIPOLES = (
    (0.20, 1.15, 0.85),  # outflow tract of the right ventricle
    (0.75, -0.85, 0.75),  # its apex
    (-0.95, 0.50, -0.60),  # left ventricle
)


@dataclass(frozen=True)
class Waves:
    """Gaussian waves of one kind of beat.

    Wave i is centred `centre_s[i] + centre_per_sqrt_rr[i] * sqrt(RR)` s after QRS onset, its standard deviation is
    composed likewise, its dipole at the centre is `dipole_mv[i]` (x, y, z).
    """

    centre_s: FloatArray
    centre_per_sqrt_rr: FloatArray
    width_s: FloatArray
    width_per_sqrt_rr: FloatArray
    dipole_mv: FloatArray

    @classmethod
    def of(cls, centre_s: ArrayLike, width_s: ArrayLike, dipole_mv: ArrayLike) -> Self:
        """Return waves whose times do not depend on the rate."""
        centre, width = np.asarray(centre_s, dtype=float), np.asarray(width_s, dtype=float)
        return cls(centre, np.zeros_like(centre), width, np.zeros_like(centre), np.asarray(dipole_mv, dtype=float))

    def turned(self, matrix: FloatArray) -> Self:
        """Return the waves with each dipole multiplied by `matrix`, shape (3, 3)."""
        return replace(self, dipole_mv=self.dipole_mv @ matrix.T)

    def followed_by(self, other: Self) -> Self:
        """Return the waves of both."""
        return type(self)(
            *(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True))
        )


@dataclass(frozen=True)
class Repolarisation:
    """What one recording does to ST segment and T wave: an added ST dipole, a T dipole in place of the usual, in mV."""

    st_shift: FloatArray
    t_instead: FloatArray | None


@dataclass(frozen=True)
class Heart:
    """One patient's heart and chest: what all recordings of the patient share.

    `lead_vectors` has shape (9, 3): electrode potential in mV per mV of dipole. The T and ST dipoles have shape (3,).
    """

    lead_vectors: FloatArray
    sinus_p: Waves
    ectopic_p: Waves
    qrs: Waves
    premature_ventricular: Waves
    qt_s: float
    t_gain: float
    t_dipole: FloatArray
    st_dipole: FloatArray


def draw_heart(conduction: str, hypertrophy: bool, long_pr: bool, female: bool, rng: np.random.Generator) -> Heart:
    """Draw a patient's heart.

    Parameters
    ----------
    conduction : ``"normal"``, ``"CLBBB"`` or ``"CRBBB"``.
    hypertrophy : left ventricular hypertrophy: Sokolow-Lyon voltage (S in V1 + R in V5) above 3.5 mV, without it below.
    long_pr : first degree AV block: PR interval of 212-290 ms instead of 130-192 ms.
    female : smaller voltages, slightly longer QT.
    rng : source of what differs between patients.
    """
    lead_vectors = _DOWER * (1 + 0.08 * rng.standard_normal(_DOWER.shape))
    axis = _rotation(rng.normal((0, 0, -8), (9, 9, 14)))
    t_axis = _rotation(rng.normal((0, 0, -4), (8, 8, 11)))
    shape = 1 + 0.12 * rng.standard_normal((4, 3))
    stretch = rng.uniform(0.92, 1.08) * (1.06 if hypertrophy else 1.0)
    voltage = rng.uniform(3.7, 5.2) if hypertrophy else np.clip(rng.normal(2.35, 0.45), 1.5, 3.3) - 0.15 * female
    normal_qrs = _qrs_waves("normal", hypertrophy, shape, stretch).turned(axis)
    gain = voltage / _sokolow_lyon_mv(normal_qrs, lead_vectors)
    t_gain = float(np.clip(rng.lognormal(0.0, 0.22), 0.65, 1.5))
    p_gain = rng.uniform(0.8, 1.25)
    pr_s = rng.uniform(0.212, 0.290) if long_pr else rng.uniform(0.130, 0.192)
    ectopic_p = np.array(_ECTOPIC_P_DIPOLES[rng.integers(len(_ECTOPIC_P_DIPOLES))])
    return Heart(
        lead_vectors=_TO_ELECTRODES @ lead_vectors,
        sinus_p=_p_waves(pr_s, p_gain * np.array(_P_DIPOLES)).turned(t_axis),
        ectopic_p=_p_waves(rng.uniform(0.12, 0.15), p_gain * ectopic_p),
        qrs=_qrs_waves(conduction, hypertrophy, shape, stretch).turned(gain * axis),
        premature_ventricular=_premature_ventricular_waves(np.sqrt(voltage / 2.2), rng),
        qt_s=rng.normal(0.40, 0.012) + 0.01 * female + 0.04 * (conduction != "normal"),
        t_gain=t_gain,
        t_dipole=t_gain * t_axis @ np.array(_T_DIPOLE[conduction]),
        st_dipole=t_gain * t_axis @ np.array(_ST_DIPOLE[conduction]),
    )


def beat_waves(heart: Heart, p_waves: Waves | None, repolarisation: Repolarisation) -> Waves:
    """Return the waves of a beat that reaches the ventricles through the AV node, with these P waves or none."""
    qrs_end_s = float((heart.qrs.centre_s + 2.2 * heart.qrs.width_s).max())
    t_dipole = heart.t_dipole if repolarisation.t_instead is None else heart.t_gain * repolarisation.t_instead
    ventricles = heart.qrs.followed_by(
        _st_waves(qrs_end_s, heart.qt_s, heart.st_dipole + repolarisation.st_shift)
    ).followed_by(_t_waves(heart.qt_s, t_dipole))
    return ventricles if p_waves is None else p_waves.followed_by(ventricles)


def dipole_of_beats(
    n_samples: int, sampling_rate_hz: float, onset_s: FloatArray, sqrt_rr: FloatArray, gain: FloatArray, waves: Waves
) -> FloatArray:
    """Return the dipole of beats of one kind, shape (3, n_samples), mV: each Gaussian is added on its support only."""
    centre = (onset_s[:, None] + waves.centre_s + sqrt_rr[:, None] * waves.centre_per_sqrt_rr).ravel()
    width = (waves.width_s + sqrt_rr[:, None] * waves.width_per_sqrt_rr).ravel()
    dipole = (gain[:, None, None] * waves.dipole_mv).reshape(-1, 3)
    first = np.ceil((centre - 4 * width) * sampling_rate_hz).astype(np.int64)
    length = np.floor((centre + 4 * width) * sampling_rate_hz).astype(np.int64) - first + 1
    wave = np.repeat(np.arange(len(centre)), length)
    sample = np.arange(len(wave)) - np.repeat(np.cumsum(length) - length - first, length)
    inside = (sample >= 0) & (sample < n_samples)
    wave, sample = wave[inside], sample[inside]
    height = np.exp(-0.5 * ((sample / sampling_rate_hz - centre[wave]) / width[wave]) ** 2)
    return np.array([np.bincount(sample, height * dipole[wave, axis], n_samples) for axis in range(3)])


def _qrs_waves(conduction: str, hypertrophy: bool, shape: FloatArray, stretch: float) -> Waves:
    centre, width, dipole = (np.array(column) for column in zip(*_QRS[conduction], strict=True))
    dipole = dipole * shape[: len(dipole)]
    if hypertrophy:  # the thick wall pulls the loop to the left and to the back
        dipole[1:] *= (1.15, 0.75, 1.3)
    return Waves.of(0.001 * stretch * centre, 0.001 * stretch * width, dipole)


def _sokolow_lyon_mv(qrs: Waves, lead_vectors: FloatArray) -> float:
    time_s = np.arange(0.0, 0.12, 0.004)
    loop = np.exp(-0.5 * ((time_s[:, None] - qrs.centre_s) / qrs.width_s) ** 2) @ qrs.dipole_mv
    v1, v5 = loop @ lead_vectors[2], loop @ lead_vectors[6]
    return float(v5.max() - v1.min())


def _p_waves(pr_s: float, dipole_mv: ArrayLike) -> Waves:
    # Right, then left atrium; the first wave begins (2.2 standard deviations before its centre) at -PR.
    return Waves.of(np.array([0.033, 0.064]) - pr_s, [0.015, 0.016], dipole_mv)


def _st_waves(qrs_end_s: float, qt_s: float, dipole_mv: FloatArray) -> Waves:
    """Return a plateau from the end of QRS to the summit of T: five equidistant Gaussians whose sum is flat."""
    share = np.linspace(0.0, 1.0, 5)
    to_t = qt_s - 0.10
    return Waves(
        centre_s=(1 - share) * (qrs_end_s + 0.005),
        centre_per_sqrt_rr=share * to_t,
        width_s=np.full(5, -0.2 * qrs_end_s),
        width_per_sqrt_rr=np.full(5, 0.2 * to_t),
        dipole_mv=np.outer(np.full(5, 0.25 / (0.2 * np.sqrt(2 * np.pi))), dipole_mv),
    )


def _t_waves(qt_s: float, dipole_mv: FloatArray) -> Waves:
    """Return a T wave that rises slowly, falls fast and ends `qt_s * sqrt(RR)` after QRS onset."""
    return Waves(
        centre_s=np.zeros(2),
        centre_per_sqrt_rr=np.array([qt_s - 0.130, qt_s - 0.088]),
        width_s=np.zeros(2),
        width_per_sqrt_rr=np.array([0.043, 0.036]),
        dipole_mv=np.outer([0.38, 0.80], dipole_mv),
    )


def _premature_ventricular_waves(gain: float, rng: np.random.Generator) -> Waves:
    """Return a wide QRS from one focus without a P wave, and a T wave against it."""
    main = (
        gain
        * rng.uniform(0.9, 1.4)
        * np.array(_PVC_DIPOLES[rng.integers(len(_PVC_DIPOLES))])
        * rng.normal(1.0, 0.12, 3)
    )
    late = main * rng.normal(0.7, 0.12, 3)
    stretch = rng.uniform(0.92, 1.1)
    qrs = Waves.of(stretch * np.array([0.058, 0.104]), stretch * np.array([0.022, 0.021]), [main, late])
    against = -rng.uniform(0.28, 0.4) * main
    return qrs.followed_by(_st_waves(0.150 * stretch, 0.44, 0.25 * against)).followed_by(_t_waves(0.44, against))


def _rotation(degrees: FloatArray) -> FloatArray:
    """Return the rotation about the x, then y, then z axis."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([(1, 0, 0), (0, cx, -sx), (0, sx, cx)])
    about_y = np.array([(cy, 0, sy), (0, 1, 0), (-sy, 0, cy)])
    about_z = np.array([(cz, -sz, 0), (sz, cz, 0), (0, 0, 1)])
    return np.asarray(about_z @ about_y @ about_x)
