"""The fixed matrices of block-wise zero-phase filtering and resampling, for `ecgtransfer.kernels.block_filters`.

Everything here is worked out in float64 from the second-order sections and the polyphase filter's taps, and depends on
the length of a recording only through the few lengths that the functions take.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin, resample_poly

MIN_BLOCK = 32
"""Smallest block in samples: shorter ones make the matrix products inefficient."""

MAX_BLOCK = 512
"""Largest block; rates without a simple ratio would need longer ones, whose matrices take too much memory."""

SIMD_WIDTH = 16
"""Matrix products are fastest for a multiple of this many float32 in a row of the result."""

NEGLIGIBLE = 1e-6
"""What a pole may at most contribute, per unit of input, from beyond the neighbouring blocks, to be left out there."""

MAX_GROWTH = 100.0
"""Sum of the poles' contributions per unit of input beyond which float32 would show."""

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Integers = npt.NDArray[np.int_]


@dataclass(frozen=True)
class Modes:
    """One pass H and both passes G of a cascade of second-order sections as sums over its poles.

    Of a pair of conjugate poles one is kept and counts twice. With h and g the impulse responses, for n >= 1:
    h[n] = sum of Re(weight * one_pass * pole^(n-1)) and g[n] = g[-n] = the same with `both_passes`.
    """

    pole: Complex
    weight: Real
    one_pass: Complex
    both_passes: Complex
    reflected: Complex
    """H(1/pole), which is `both_passes` over `one_pass`."""
    h0: float
    g0: float


def _modes(sections: Real) -> Modes:
    poles = np.array([pole for section in sections for pole in np.roots(section[3:])], dtype=np.complex128)
    which = np.flatnonzero(poles.imag >= 0)
    kept = poles[which]
    weight = np.where(kept.imag > 0, 2.0, 1.0)
    powers = kept[:, None] ** np.arange(3)
    reflected = np.prod(powers @ sections[:, :3].T / (powers @ sections[:, 3:].T), axis=1)
    numerator = np.prod(powers @ sections[:, 2::-1].T, axis=1)
    distance = kept[:, None] - poles[None]
    distance[np.arange(len(kept)), which] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a double pole: see Design.is_sound
        one_pass = numerator / np.prod(distance, axis=1)
    both_passes = one_pass * reflected
    at_0_hz = np.prod(sections[:, :3].sum(axis=1) / sections[:, 3:].sum(axis=1))
    g0 = at_0_hz**2 - 2 * np.sum((weight * both_passes / (1 - kept)).real)
    return Modes(kept, weight, one_pass, both_passes, reflected, float(np.prod(sections[:, 0])), float(g0))


def _powers(pole: Complex, exponents: Integers) -> Complex:
    """Return pole^exponent, shape (poles, exponents)."""
    return np.asarray(pole[:, None] ** exponents[None])


def _real_rows(values: Complex) -> Real:
    """Return rows that multiply states, real and imaginary parts in turn, to the real part of a complex product."""
    return np.stack([values.real, -values.imag], axis=1).reshape(-1, values.shape[1])


def _real_columns(values: Complex) -> Real:
    """Return the real and the imaginary part of each row in turn."""
    return np.stack([values.real, values.imag], axis=1).reshape(-1, values.shape[1])


def _smallest_block(half: int, down: int) -> int:
    return ceil(max(half, MIN_BLOCK) / down) * down


def _reach(up: int, down: int) -> int:
    """Return how far the filter of `scipy.signal.resample_poly` reaches, in input samples."""
    return 0 if up == down else ceil(10 * max(up, down) / up)


def design_for(sections: Real, up: int, down: int) -> "Design | None":
    """Return the design of these second-order sections and this ratio of rates, or None where it would not do well."""
    if _smallest_block(_reach(up, down), down) > MAX_BLOCK:
        return None
    design = Design(sections, up, down)
    return design if design.is_sound() else None


class Design:
    """Everything that does not depend on the recording's length: the fixed matrices of one chain of filters."""

    def __init__(self, sections: Real, up: int, down: int) -> None:
        self.modes = _modes(sections)
        self.up, self.down = up, down
        self.taps, self.centre = np.ones(1), 0
        if up != down:  # the filter of scipy.signal.resample_poly
            self.centre = 10 * max(up, down)
            self.taps = up * firwin(2 * self.centre + 1, 1 / max(up, down), window=("kaiser", 5.0))
        self.half = _reach(up, down)
        """Reach of the polyphase filter in input samples."""
        self.reach = 1 if self.half else 0
        """Neighbouring blocks to each side whose part in the result is computed sample by sample."""
        smallest = _smallest_block(self.half, down)
        lengths = range(smallest, min(3 * smallest, MAX_BLOCK) + 1, ceil(smallest / 20 / down) * down)
        self.block = min(lengths, key=self._cost)
        self.block_out = self.block * up // down
        self.far = self._far_modes(self.block)
        """Indices of the poles that reach beyond the neighbouring blocks."""
        self._fill()

    def is_sound(self) -> bool:
        """Return whether the poles are far enough apart for their contributions not to cancel each other."""
        modes = self.modes
        growth = np.sum(modes.weight * np.abs(modes.both_passes) / (1 - np.abs(modes.pole)))
        return bool(growth <= MAX_GROWTH)

    def fir(self, outputs: Integers, inputs: Integers) -> Real:
        """Return the polyphase filter as a matrix, shape (outputs, inputs), both counted from the same sample."""
        at = outputs[:, None] * self.down - inputs[None] * self.up + self.centre
        return np.where((at >= 0) & (at < len(self.taps)), self.taps[np.clip(at, 0, len(self.taps) - 1)], 0.0)

    def _g(self, outputs: Integers, inputs: Integers) -> Real:
        """Return both IIR passes as a matrix, shape (outputs, inputs)."""
        lag = np.abs(outputs[:, None] - inputs[None])
        amplitude = self.modes.weight * self.modes.both_passes
        response = (amplitude @ _powers(self.modes.pole, np.arange(lag.max() + 1))).real
        return np.asarray(np.concatenate([[self.modes.g0], response])[lag])

    def _far_response(self, block: int) -> tuple[Complex, Complex]:
        """Return what states at both ends of the neighbourhood give to a block, each shape (poles, outputs)."""
        inputs = np.arange(-self.half, block + self.half)
        fir = self.fir(np.arange(block * self.up // self.down), inputs).T
        amplitude = (self.modes.weight * self.modes.both_passes)[:, None]
        margin = self.reach * block
        after = _powers(self.modes.pole, inputs + margin)
        before = _powers(self.modes.pole, np.maximum(block + margin - 1 - inputs, 0))
        return amplitude * (after @ fir), amplitude * (before @ fir)

    def _far_modes(self, block: int) -> npt.NDArray[np.intp]:
        one_pass = self.modes.one_pass * self.modes.pole**block  # which the injection takes up, see `injected`
        both_passes = [np.abs(response).max(axis=1) for response in self._far_response(block)]
        reached = np.maximum.reduce([*both_passes, np.abs(one_pass)])
        return np.flatnonzero(reached / (1 - np.abs(self.modes.pole)) > NEGLIGIBLE)

    def _cost(self, block: int) -> float:
        """Return about how many multiplications a sample takes; a number in the block recursion weighs more."""
        n_far = len(self._far_modes(block))
        per_output = ceil(block * self.up / self.down / SIMD_WIDTH) * SIMD_WIDTH
        return (1 + 2 * self.reach) * per_output + 8 * n_far + 1000 * n_far / block

    def _fill(self) -> None:
        block, reach, far = self.block, self.reach, self.far
        within = np.arange(block)
        inputs = np.arange(-self.half, block + self.half)
        near = self.fir(np.arange(self.block_out), inputs) @ self._g(
            inputs, np.arange(-reach * block, (1 + reach) * block)
        )
        pole = self.modes.pole[far]
        powers = _real_columns(_powers(pole, within))
        self.near_product = np.ascontiguousarray(near.T, dtype=np.float32)
        """From a block's samples and its neighbours' to the block of the result."""
        self.moments_product = np.ascontiguousarray(np.concatenate([powers[:, ::-1], powers]).T, dtype=np.float32)
        """From the samples of a block to its moments, forward and backward."""
        response = [_real_rows(of_side[far]) for of_side in self._far_response(block)]
        self.far_product = np.concatenate(response).astype(np.float32)
        """From forward and backward states to a block of the result."""
        outputs = np.arange(2 * block)
        amplitude = (self.modes.weight * self.modes.both_passes)[far, None]
        self.filtered = np.concatenate(
            [
                self._g(outputs, np.arange(-block, 3 * block)).T,
                _real_rows(amplitude * _powers(pole, outputs + block)),
                _real_rows(amplitude * _powers(pole, 3 * block - 1 - outputs)),
            ]
        )
        """From four blocks and the states at their ends to the filtered samples of the inner two, not yet resampled."""


@lru_cache(maxsize=16)
def injection(design: Design, n_tail: int, extension: int) -> Real:
    """Return the response to the injection in the last samples of a recording, shape (2 poles, outputs)."""
    modes = design.modes
    response = (modes.weight * modes.both_passes)[:, None] * _powers(
        modes.pole, n_tail - 1 + extension - np.arange(n_tail)
    )
    if design.up == design.down:
        return _real_rows(response)
    return np.asarray(resample_poly(_real_rows(response), design.up, design.down, axis=1))


def tail_samples(pole: Complex) -> int:
    """Return after how many samples the slowest pole has decayed."""
    slowest = np.abs(pole).max(initial=0.0)
    return ceil(np.log(1e-12) / np.log(slowest)) if slowest > 0 else 1


def ends_of_injection(design: Design, n_samples: int, extension: int) -> Real:
    """Return the injection's part in the first and in the last sample before resampling, shape (2 poles, 2)."""
    modes = design.modes
    exponents = np.array([n_samples - 1 + extension, extension])
    return _real_rows((modes.weight * modes.both_passes)[:, None] * _powers(modes.pole, exponents))


def line_terms(design: Design, n_samples: int, n_out: int) -> Real:
    """Return what the first and the last filtered sample add through the line through them, shape (2, outputs).

    The line takes the place of all samples outside the recording, as `scipy.signal.resample_poly` has it.
    """
    terms = np.zeros((2, n_out))
    outputs = np.arange(n_out)
    n_edge = edge_outputs(design, n_out)
    for some, outside in (
        (outputs[:n_edge], np.arange(-design.half, 0)),
        (outputs[n_out - n_edge :], n_samples + np.arange(design.half)),
    ):
        share = outside / (n_samples - 1)
        terms[:, some] += np.stack([1 - share, share]) @ design.fir(some, outside).T
    return terms


def edge_outputs(design: Design, n_out: int) -> int:
    """Return how many samples of the result see samples outside the recording, at each end."""
    return min(ceil(design.half * design.up / design.down) + 1, n_out) if design.half else 0


@lru_cache(maxsize=16)
def injected(design: Design, n_last: int) -> Real:
    """Return the matrix from the end of the extension to the injection, shape (block + n_last + 2 far poles, 2 poles).

    Rows: the samples of the last block but one, the `n_last` samples of the last block that belong to the extension,
    the forward states at the start of both.
    """
    modes, far = design.modes, design.far
    n_samples = design.block + n_last
    powers = _powers(modes.pole, np.arange(n_samples + 1))
    states = np.zeros((len(modes.pole), n_samples + 2 * len(far)), dtype=complex)  # at the end, forward
    previous = states.copy()  # one sample earlier
    states[:, :n_samples] = powers[:, :n_samples][:, ::-1]
    previous[:, : n_samples - 1] = powers[:, : n_samples - 1][:, ::-1]
    for i, mode in enumerate(far):
        columns = slice(n_samples + 2 * i, n_samples + 2 * i + 2)
        states[mode, columns] = powers[mode, n_samples] * np.array([1, 1j])
        previous[mode, columns] = powers[mode, n_samples - 1] * np.array([1, 1j])
    last = ((modes.weight * modes.one_pass) @ previous).real
    last[n_samples - 1] += modes.h0
    weighted = modes.one_pass[:, None] * states
    pairs = 1 / (1 - modes.pole[:, None] * modes.pole[None])
    twins = (modes.weight == 2) / (1 - modes.pole[:, None] * modes.pole[None].conj())
    steady = 1 / (1 - modes.pole)
    rows = (steady[:, None] * last - pairs @ weighted - twins @ weighted.conj()) / modes.reflected[:, None]
    rows[:, n_samples - 1] -= steady
    return _real_columns(rows).T
