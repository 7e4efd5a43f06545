"""The fast way from a recording to its filtered and resampled signal: zero-phase IIR and decimation as matrix products.

`plan` gives a callable for recordings of one rate and length. For Butterworth (or no band-pass), with or without a
notch, and polyphase resampling it computes what `ecgtransfer.prepare.filters.filter_and_resample` does, to rounding
in float32, some fifteen times faster; any other choice is handed to that function.

How. Forward and backward filtering with the transfer function H is one filter with the symmetric impulse response
g[n] = sum over the poles p of q p^(|n|-1), q = residue of H at p times H(1/p), and a g[0] of its own. The signal is cut
into blocks. What a block of the result owes to its own block and the neighbours is a fixed matrix, into which the
polyphase FIR filter is multiplied ("near"). What it owes to all earlier blocks goes through one number per pole, the
state at the start of its left neighbour, to all later ones likewise ("far"). The states follow from each block's
moments, sum of x p^n over the block, by a recursion over blocks, here a scaled cumulative sum. Near parts and moments
of a recording are one matrix product.

Ends. The recursion starts in the steady state of the outermost sample: on the left that is the same as holding this
sample for ever. On the right it is not, since the backward pass starts in the steady state of the *forward pass's*
last value; the difference is one further term per pole ("injection"). The polyphase filter must see the line through
the first and the last filtered sample instead of the filtered extension; the difference is again linear.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ecgtransfer.prepare.block_design import (
    Design,
    design_for,
    edge_outputs,
    ends_of_injection,
    injected,
    injection,
    line_terms,
    tail_samples,
)
from ecgtransfer.prepare.filters import extension_samples, filter_and_resample, iir_sections, resampling_ratio

N_LEADS = 12

MAX_RANGE = 1e250
"""Largest ratio of scales within one cumulative sum of the block recursion; float64 ends at 1e308."""

CACHED_SAMPLES = 60_000
"""Plans for longer recordings are built anew each time, so that they do not hold memory."""

Signal = npt.NDArray[np.float32]
Filters = tuple[str, float, float, int, float | None]
"""Design, low_hz, high_hz and order of the band-pass, notch_hz."""


class Plan(Protocol):
    """Filters and resamples recordings of one rate and one length; not to be shared between threads."""

    input: Signal
    """Shape (12, n_samples), float32, rows strided: where a caller may put a recording before `run`."""

    def run(self) -> Signal:
        """Return what lies in `input` filtered and resampled, a new array of shape (12, n_resampled)."""
        ...

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        """Return `signal`, shape (12, n_samples), mV without NaN, filtered and resampled."""
        ...


def plan(sampling_rate_hz: float, n_samples: int, settings: Mapping[str, Any]) -> Plan:
    """Return the plan for recordings of this rate and length under the config section ``signals``.

    Plans are kept for the lengths met last, so that asking for one per recording costs little.

    Raises
    ------
    InputError
        As `filter_and_resample`, some of them not before the plan runs.
    """
    band = settings["band_pass"]
    design = band.get("design", "butterworth")
    fast = design != "fir" and settings.get("resampling", "polyphase") == "polyphase"
    if fast and not settings.get("remove_baseline"):
        build = _cached_plan if n_samples <= CACHED_SAMPLES else _fast_plan
        notch_hz = settings.get("notch_hz")
        filters = (design, band["low_hz"], band["high_hz"], band["order"], notch_hz)
        found = build(float(sampling_rate_hz), n_samples, settings["sampling_rate_hz"], band["edge_s"], filters)
        if found is not None:
            return found
    return _ReferencePlan(sampling_rate_hz, n_samples, settings)


class _ReferencePlan:
    """`filter_and_resample` behind the interface of a plan."""

    def __init__(self, sampling_rate_hz: float, n_samples: int, settings: Mapping[str, Any]) -> None:
        self.input = np.zeros((N_LEADS, n_samples), dtype=np.float32)
        self._sampling_rate_hz = sampling_rate_hz
        self._settings = settings

    def run(self) -> Signal:
        return filter_and_resample(self.input, self._sampling_rate_hz, self._settings).astype(np.float32)

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        self.input[:] = signal
        return self.run()


class _FastPlan:
    """The buffers and matrices for one length, and the few products that make up a run."""

    def __init__(self, design: Design, n_samples: int, extension: int) -> None:
        block, n_far = design.block, len(design.far)
        self._design = design
        self._extension = extension
        self._n_out = -(-n_samples * design.up // design.down)
        first = max(ceil(extension / block), 1 + design.reach)
        last = first + (n_samples - 1) // block
        self._start = first * block
        self._end = self._start + n_samples + extension
        n_blocks = max(ceil(self._end / block), last + 1 + 2 * design.reach)
        self._blocks = (first, last, n_blocks)
        self._buffer = np.zeros((N_LEADS, n_blocks * block), dtype=np.float32)
        self.input = self._buffer[:, self._start : self._start + n_samples]
        self._parts = np.empty((len(design.first_product), N_LEADS * n_blocks), dtype=np.float32)
        self._sum = np.zeros((design.block_out, N_LEADS * n_blocks), dtype=np.float32)
        self._states = np.zeros((2, n_far, N_LEADS, n_blocks + 1), dtype=np.complex128)
        self._state_rows = np.zeros((2, n_far, 2, N_LEADS, n_blocks), dtype=np.float32)
        self._prepare_recursion(n_blocks)
        self._prepare_ends(n_samples)

    def _prepare_recursion(self, n_blocks: int) -> None:
        pole = self._design.modes.pole[self._design.far]
        ratio = pole**self._design.block
        smallest = np.abs(ratio).min(initial=0.999)
        length = min(int(np.log(MAX_RANGE) / -np.log(smallest)), n_blocks)
        self._growing = ratio[:, None, None] ** -np.arange(1.0, length + 1)
        self._falling = ratio[:, None, None] ** np.arange(1.0, length + 1)
        self._segments = [(i, min(i + length, n_blocks)) for i in range(0, n_blocks, length)]
        self._steady = 1 / (1 - pole)[:, None]

    def _prepare_ends(self, n_samples: int) -> None:
        design, block = self._design, self._design.block
        first, last, n_blocks = self._blocks
        n_poles = len(design.modes.pole)
        tail = min(n_samples, tail_samples(design.modes.pole))
        tail += (n_samples - tail) % design.down
        ends = np.eye(2 + 2 * n_poles, 2)
        ends[2:] = ends_of_injection(design, n_samples, self._extension)
        spread = ends @ line_terms(design, n_samples, self._n_out)
        response = injection(design, tail, self._extension)
        spread[2:, self._n_out - response.shape[1] :] += response
        self._spread = spread.astype(np.float32)
        """From the first and the last filtered sample and the injection to the result."""
        self._ends = np.zeros((N_LEADS, len(ends)), dtype=np.float32)
        at_end = (self._end - 1) // block
        self._injected = injected(design, self._end - at_end * block)  # in float64, since its terms may all but cancel
        self._injected_input = np.zeros((N_LEADS, len(self._injected)))
        picked = [(0, at_end - 1)]  # forward or backward; the backward states are held in reverse
        if design.half:
            backward = [n_blocks - (first + 2), n_blocks - (last + 3)]
            picked = [(0, first - 2), (1, backward[0]), (0, last - 1), (1, backward[1]), *picked]
            self._n_edge = edge_outputs(design, self._n_out)
            self._prepare_edges(n_samples, n_samples - 1 - (last - first) * block)
        self._sides, self._picked = np.array(picked).T

    def _prepare_edges(self, n_samples: int, n_before: int) -> None:
        design, half, n_edge = self._design, self._design.half, self._n_edge
        left = design.fir(np.arange(n_edge), np.arange(-half, 0))
        right = design.fir(self._n_out + np.arange(-n_edge, 0), n_samples + np.arange(half))
        filtered, at = design.filtered, (design.block, n_before)
        outside = (filtered[:, at[0] - half : at[0]], filtered[:, at[1] + 1 : at[1] + 1 + half])
        of_side = [
            np.column_stack([-values @ fir.T, filtered[:, i]])
            for values, fir, i in zip(outside, (left, right), at, strict=True)
        ]
        self._edges = np.stack(of_side).astype(np.float32)
        """From four blocks and the states around them to minus what the samples outside add, and to the end sample."""
        self._edge_input = np.zeros((2, N_LEADS, len(filtered)), dtype=np.float32)

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        self.input[:] = signal
        return self.run()

    def run(self) -> Signal:
        self._extend()
        np.matmul(self._design.first_product, self._buffer.reshape(-1, self._design.block).T, out=self._parts)
        self._recur()
        return self._finish()

    def _extend(self) -> None:
        buffer, start, end, n = self._buffer, self._start, self._end, self._extension
        stop = end - n
        np.subtract(2 * buffer[:, start, None], buffer[:, start + n : start : -1], out=buffer[:, start - n : start])
        buffer[:, : start - n] = buffer[:, start - n, None]
        np.subtract(2 * buffer[:, stop - 1, None], buffer[:, stop - 2 : stop - 2 - n : -1], out=buffer[:, stop:end])
        buffer[:, end:] = buffer[:, end - 1, None]

    def _recur(self) -> None:
        """Turn the blocks' moments into forward states at block starts, and backward states at block ends, reversed."""
        states = self._states
        if not states.size:
            return
        n_near = len(self._parts) - 4 * states.shape[1]
        moments = self._parts[n_near:].reshape(2, states.shape[1], 2, N_LEADS, -1)
        for numbers, of_numbers in ((states.real, moments[:, :, 0]), (states.imag, moments[:, :, 1])):
            numbers[0, :, :, 1:] = of_numbers[0]
            numbers[1, :, :, 1:] = of_numbers[1, :, :, ::-1]
        np.multiply(self._buffer[:, 0], self._steady, out=states[0, :, :, 0])
        np.multiply(self._buffer[:, -1], self._steady, out=states[1, :, :, 0])
        for start, stop in self._segments:
            part = states[..., start + 1 : stop + 1]
            part *= self._growing[..., : stop - start]
            np.cumsum(states[..., start : stop + 1], axis=-1, out=states[..., start : stop + 1])
            part *= self._falling[..., : stop - start]
        reach, n_blocks = self._design.reach, states.shape[-1] - 1
        inner = slice(reach, n_blocks - reach)
        of_state = states.view(np.float64).reshape(*states.shape, 2)
        rows = self._state_rows.transpose(0, 1, 3, 4, 2)
        rows[0, :, :, inner] = of_state[0, :, :, : n_blocks - 2 * reach]
        rows[1, :, :, inner] = of_state[1, :, :, n_blocks - 1 - 2 * reach :: -1]

    def _finish(self) -> Signal:
        design, block_out = self._design, self._design.block_out
        first, last, n_blocks = self._blocks
        parts, total = self._parts, self._sum
        np.matmul(design.far_product, self._state_rows.reshape(-1, N_LEADS * n_blocks), out=total)
        if design.reach:
            total[:, 1:] += parts[:block_out, :-1]
            total += parts[block_out : 2 * block_out]
            total[:, :-1] += parts[2 * block_out : 3 * block_out, 1:]
        else:
            total += parts[:block_out]
        result = np.empty((N_LEADS, last + 1 - first, block_out), dtype=np.float32)
        result[:] = total.reshape(block_out, N_LEADS, n_blocks)[:, :, first : last + 1].transpose(1, 2, 0)
        return self._end_terms(result.reshape(N_LEADS, -1)[:, : self._n_out])

    def _end_terms(self, result: Signal) -> Signal:
        design, block, n_far = self._design, self._design.block, len(self._design.far)
        first, last, _ = self._blocks
        of_state = self._states[self._sides, :, :, self._picked].view(np.float64)
        of_state = of_state.reshape(len(self._picked), n_far, N_LEADS, 2).transpose(2, 0, 1, 3)
        n_injected = self._injected_input.shape[1] - 2 * n_far
        at_end = (self._end - 1) // block - 1
        self._injected_input[:, :n_injected] = self._buffer[:, at_end * block : at_end * block + n_injected]
        self._injected_input[:, n_injected:] = of_state[:, -1].reshape(N_LEADS, -1)
        self._ends[:, 2:] = self._injected_input @ self._injected
        if design.half:
            for side, start in enumerate((first - 2, last - 1)):
                self._edge_input[side, :, : 4 * block] = self._buffer[:, start * block : (start + 4) * block]
            self._edge_input[:, :, 4 * block :] = of_state[:, :4].reshape(N_LEADS, 2, -1).transpose(1, 0, 2)
            edges = np.matmul(self._edge_input, self._edges)
            self._ends[:, :2] = edges[:, :, -1].T
            result[:, : self._n_edge] += edges[0, :, :-1]
            result[:, -self._n_edge :] += edges[1, :, :-1]
        return result + self._ends @ self._spread


@lru_cache(maxsize=16)
def _design(sampling_rate_hz: float, target_rate_hz: float, filters: Filters) -> Design | None:
    ratio = resampling_ratio(sampling_rate_hz, target_rate_hz)
    return design_for(iir_sections(sampling_rate_hz, *filters), ratio.numerator, ratio.denominator)


def _fast_plan(
    sampling_rate_hz: float, n_samples: int, target_rate_hz: float, edge_s: float, filters: Filters
) -> "_FastPlan | None":
    """Return the fast plan, or None where the reference has to do it."""
    design = _design(sampling_rate_hz, target_rate_hz, filters)
    if design is None or n_samples < 2:
        return None
    recursive = len(design.modes.pole) > 0
    return _FastPlan(design, n_samples, extension_samples(sampling_rate_hz, n_samples, edge_s) if recursive else 0)


_cached_plan = lru_cache(maxsize=32)(_fast_plan)
