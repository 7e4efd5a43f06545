"""The fast way from a recording to its filtered and resampled signal: zero-phase IIR and decimation as matrix products.

`block_filter` gives a callable for recordings of one rate and length. For Butterworth (or no band-pass), with or
without a notch, and polyphase resampling it computes what `ecgtransfer.kernels.filters.filter_and_resample` does, to
rounding in float32, some twenty times faster; any other choice is handed to that function.

How. Forward and backward filtering with the transfer function H is one filter with the symmetric impulse response
g[n] = sum over the poles p of q p^(|n|-1), q = residue of H at p times H(1/p), and a g[0] of its own. The signal is cut
into blocks. What a block of the result owes to its own block and the neighbours is a fixed matrix, into which the
polyphase FIR filter is multiplied ("near"). What it owes to all earlier blocks goes through one number per pole, the
state at the start of its left neighbour, to all later ones likewise ("far"). The states follow from each block's
moments, sum of x p^n over the block, by a recursion over blocks, here a scaled cumulative sum. Near parts, moments and
far parts are matrix products, each over all blocks of one recording at a time: which others are worked on with it never
shows in its bytes. Only sums and the like go over several recordings at once.

Ends. The recursion starts in the steady state of the outermost sample: on the left that is the same as holding this
sample for ever. On the right it is not, since the backward pass starts in the steady state of the *forward pass's*
last value; the difference is one further term per pole ("injection"). The polyphase filter must see the line through
the first and the last filtered sample instead of the filtered extension; the difference is again linear.
"""

from functools import lru_cache
from math import ceil
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecgtransfer.config.signals import Signals
from ecgtransfer.kernels.block_design import (
    Design,
    design_for,
    edge_outputs,
    ends_of_injection,
    injected,
    injection,
    line_terms,
    tail_samples,
)
from ecgtransfer.kernels.filters import extension_samples, filter_and_resample, iir_sections, resampling_ratio

N_LEADS = 12

MAX_RANGE = 1e25
"""Largest ratio of scales within one cumulative sum of the block recursion; float32 ends at 3e38."""

MOST_SLOTS = 8
"""Recordings whose results are worked out at once, which shares the cost of each numpy call."""

CACHED_SAMPLES = 60_000
"""Filters for longer recordings are rebuilt each time, so that they do not hold memory."""

Signal = npt.NDArray[np.float32]
Filters = tuple[str, float, float, int, float | None]
"""Design, low_hz, high_hz and order of the band-pass, notch_hz."""


class BlockFilter(Protocol):
    """Filters and resamples recordings of one rate and one length, some at a time; not to be shared between threads.

    Each recording is put into `input` and taken to a slot; then the results of all slots come at once.
    """

    n_slots: int
    input: Signal
    """Shape (12, n_samples), mV, float32 without NaN, rows strided."""

    def take(self, slot: int) -> None:
        """Work on the content of `input`, which may then change, and keep the result in a slot."""
        ...

    def results(self, n_slots: int) -> Signal:
        """Return what was taken to the first slots, filtered and resampled; each slot gives its result once.

        Shape (n_slots, 12, n_resampled), a new array.
        """
        ...

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        """Return `signal`, shape (12, n_samples), filtered and resampled, by way of slot 0."""
        ...


def block_filter(sampling_rate_hz: float, n_samples: int, settings: Signals, kernels: str = "fast") -> BlockFilter:
    """Return the filter for recordings of this rate and length under the config section ``signals``.

    ``hardware.kernels`` other than ``fast`` leaves all to `filter_and_resample`.

    Filters are kept for the lengths met last, so that asking for one per recording costs little.

    Raises
    ------
    InputError
        As `filter_and_resample`, some of them not before the filter runs.
    """
    band = settings.band_pass
    design = band.design
    fast = kernels == "fast" and design != "fir" and settings.resampling == "polyphase"
    if fast and not settings.remove_baseline:
        build = _cached_filter if n_samples <= CACHED_SAMPLES else _fast_filter
        notch_hz = settings.notch_hz
        filters = (design, band.low_hz, band.high_hz, band.order, notch_hz)
        found = build(float(sampling_rate_hz), n_samples, settings.sampling_rate_hz, band.edge_s, filters)
        if found is not None:
            return found
    return _PlainFilter(sampling_rate_hz, n_samples, settings)


class _PlainFilter:
    """`filter_and_resample` behind the interface of a block filter."""

    def __init__(self, sampling_rate_hz: float, n_samples: int, settings: Signals) -> None:
        self.n_slots = 1
        self.input = np.zeros((N_LEADS, n_samples), dtype=np.float32)
        self._sampling_rate_hz = sampling_rate_hz
        self._settings = settings

    def take(self, slot: int) -> None:
        self._result = filter_and_resample(self.input, self._sampling_rate_hz, self._settings).astype(np.float32)

    def results(self, n_slots: int) -> Signal:
        return self._result[None]

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        self.input[:] = signal
        self.take(0)
        result: Signal = self.results(1)[0]
        return result


class _FastFilter:
    """The buffers and matrices for one length, and the few products that turn a recording into its result."""

    def __init__(self, design: Design, n_samples: int, extension: int) -> None:
        block, n_far = design.block, len(design.far)
        self._design = design
        self._extension = extension
        self._n_out = -(-n_samples * design.up // design.down)
        first = max(ceil(extension / block), 1 + design.reach)
        last = first + (n_samples - 1) // block
        self._start = first * block
        self._end = self._start + n_samples + extension
        window = 1 + 2 * design.reach
        n_blocks = ceil(max(self._end / block, last + 1 + 2 * design.reach) / window) * window
        self._blocks = (first, last)
        memory = np.zeros((N_LEADS * n_blocks + window - 1) * block, dtype=np.float32)
        self._buffer = memory[: N_LEADS * n_blocks * block].reshape(N_LEADS, -1)
        self.input = self._buffer[:, self._start : self._start + n_samples]
        self.n_slots = n = min(MOST_SLOTS, max(1, CACHED_SAMPLES // n_samples))
        self._near = np.empty((n, N_LEADS * n_blocks, design.block_out), dtype=np.float32)
        """At i the part of block i + reach; likewise `_far`."""
        self._far = np.empty_like(self._near)
        self._moments = np.empty((n, N_LEADS * n_blocks, 4 * n_far), dtype=np.float32)
        self._outermost = np.empty((n, N_LEADS, 2), dtype=np.float32)
        self._states = np.zeros((n, N_LEADS, n_blocks, 2, n_far), dtype=np.complex64)
        """At i what block i + reach of the result needs: forward at the start of block i, backward at the end of the
        block 2 reach further on."""
        self._prepare_recursion(n_blocks)
        self._prepare_ends(n_samples)
        self._prepare_views(memory)

    def _prepare_recursion(self, n_blocks: int) -> None:
        pole = self._design.modes.pole[self._design.far]
        ratio = pole**self._design.block
        ratio = np.where(np.abs(ratio) * MAX_RANGE < 1, 1 / MAX_RANGE, ratio)  # as good as 0
        smallest = np.abs(ratio).min(initial=0.999)
        self._segment = max(1, min(int(np.log(MAX_RANGE) / -np.log(smallest)), n_blocks))
        in_order = ratio ** (1 + np.arange(n_blocks)[:, None] % self._segment)
        n_seen = n_blocks - 1 - 2 * self._design.reach
        falling = np.ones((n_blocks, 2, len(pole)), dtype=complex)
        falling[1:, 0] = in_order[:-1]
        falling[:n_seen, 1] = in_order[:n_seen][::-1]
        self._growing = (1 / np.stack([in_order, in_order[::-1]], axis=1)).astype(np.complex64)
        self._falling = falling.astype(np.complex64)
        self._over_segment = (ratio**self._segment).astype(np.complex64)
        self._steady = (1 / (1 - pole)).astype(np.complex64)

    def _prepare_ends(self, n_samples: int) -> None:
        design, block = self._design, self._design.block
        first, last = self._blocks
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
        self._ends = np.zeros((self.n_slots, N_LEADS, len(ends)), dtype=np.float32)
        at_end = (self._end - 1) // block
        self._injected = injected(design, self._end - at_end * block)  # in float64, since its terms may all but cancel
        self._injected_input = np.zeros((self.n_slots, N_LEADS, len(self._injected)))
        picked = [(0, at_end - 1)]  # forward or backward
        if design.half:
            picked = [(0, first - 2), (1, first - 1), (0, last - 1), (1, last), *picked]
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
        self._edge_input = np.zeros((self.n_slots, 2, N_LEADS, len(filtered)), dtype=np.float32)

    def _prepare_views(self, memory: Signal) -> None:
        """Slice here what `take` would slice for every recording, which takes as long as the work on it."""
        buffer, block, window = self._buffer, self._design.block, 1 + 2 * self._design.reach
        n_samples, (first, last) = self.input.shape[1], self._blocks
        from_left, from_right = buffer[:, : self._start + n_samples][:, ::-1], buffer[:, self._start :]
        self._sides_to_extend = [_to_extend(side, n_samples, self._extension) for side in (from_left, from_right)]
        self._blocks_of_input = buffer.reshape(-1, block)
        # A matrix cannot overlap itself: three of them hold every third block with its neighbours. What runs on into
        # the next lead makes rows that are never read.
        starts = [i * block for i in range(window)]
        self._windows_of_input = [memory[i : i + buffer.size].reshape(-1, window * block) for i in starts]
        near = self._near.reshape(self.n_slots, -1, window, self._design.block_out)
        self._near_of_windows = [[of_slot[:, i] for i in range(window)] for of_slot in near]
        self._outermost_of_input = buffer[:, :: buffer.shape[1] - 1]
        start = ((self._end - 1) // block - 1) * block
        n_injected = self._injected_input.shape[-1] - 2 * len(self._design.far)
        self._injected_of_input = buffer[:, start : start + n_injected]
        self._edges_of_input = [buffer[:, i * block : (i + 4) * block] for i in (first - 2, last - 1)]

    def __call__(self, signal: npt.ArrayLike) -> Signal:
        self.input[:] = signal
        self.take(0)
        result: Signal = self.results(1)[0]
        return result

    def take(self, slot: int) -> None:
        for outermost, mirrored, extension, beyond, held in self._sides_to_extend:
            np.subtract(2 * outermost, mirrored, out=extension)
            beyond[:] = held
        for windows, near in zip(self._windows_of_input, self._near_of_windows[slot], strict=True):
            np.matmul(windows, self._design.near_product, out=near)
        np.matmul(self._blocks_of_input, self._design.moments_product, out=self._moments[slot])
        self._outermost[slot] = self._outermost_of_input
        self._injected_input[slot, :, : self._injected_of_input.shape[1]] = self._injected_of_input
        if self._design.half:
            for edge_input, of_input in zip(self._edge_input[slot], self._edges_of_input, strict=True):
                edge_input[:, : of_input.shape[1]] = of_input

    def results(self, n_slots: int) -> Signal:
        self._recur(n_slots)
        return self._finish(n_slots)

    def _recur(self, n_slots: int) -> None:
        """Turn the blocks' moments into forward and backward states."""
        states = self._states[:n_slots]
        if not states.size:
            return
        moments = self._moments[:n_slots].view(np.complex64).reshape(states.shape)
        moments *= self._growing
        reach = self._design.reach
        n_seen = states.shape[2] - 1 - 2 * reach
        forward = moments[:, :, :-1, 0], states[:, :, 0, 0], states[:, :, 1:, 0]
        backward = moments[:, :, : 2 * reach : -1, 1], states[:, :, n_seen, 1], states[:, :, n_seen - 1 :: -1, 1]
        for side, (added, at_start, after) in enumerate((forward, backward)):
            at_start[:] = self._outermost[:n_slots, :, side, None] * self._steady
            state = at_start
            for start in range(0, added.shape[2], self._segment):
                segment = np.s_[:, :, start : start + self._segment]
                added[:, :, start] += state
                np.cumsum(added[segment], axis=2, out=after[segment])
                state = after[segment][:, :, -1] * self._over_segment
        states *= self._falling

    def _finish(self, n_slots: int) -> Signal:
        design, (first, _) = self._design, self._blocks
        near, far = self._near[:n_slots], self._far[:n_slots]
        states = self._states[:n_slots].view(np.float32).reshape(n_slots, near.shape[1], -1)
        np.matmul(states, design.far_product, out=far)
        start = (first - design.reach) * design.block_out
        kept = np.s_[..., start : start + self._n_out]
        by_lead = (n_slots, N_LEADS, -1)
        return self._end_terms(near.reshape(by_lead)[kept] + far.reshape(by_lead)[kept])

    def _end_terms(self, result: Signal) -> Signal:
        design, block, n_far, n_slots = self._design, self._design.block, len(self._design.far), len(result)
        of_state = self._states[:n_slots, :, self._picked, self._sides].view(np.float32)
        injected, ends = self._injected_input[:n_slots], self._ends[:n_slots]
        injected[..., injected.shape[-1] - 2 * n_far :] = of_state[:, :, -1]
        ends[..., 2:] = injected @ self._injected
        if design.half:
            edge_input = self._edge_input[:n_slots]
            of_sides = of_state[:, :, :4].reshape(n_slots, N_LEADS, 2, -1)
            edge_input[..., 4 * block :] = of_sides.transpose(0, 2, 1, 3)
            edges = np.matmul(edge_input, self._edges)
            ends[..., :2] = edges[..., -1].transpose(0, 2, 1)
            result[..., : self._n_edge] += edges[:, 0, :, :-1]
            result[..., -self._n_edge :] += edges[:, 1, :, :-1]
        result += ends @ self._spread
        return result


def _to_extend(buffer: Signal, n_samples: int, extension: int) -> tuple[Signal, ...]:
    """Return the views to extend a recording with that a buffer starts with.

    They are its outermost sample, the samples to mirror there, where their mirror image goes, all beyond, and the
    sample that is to be held there.
    """
    end = n_samples + extension
    outermost, mirrored = buffer[:, n_samples - 1, None], buffer[:, n_samples - 1 - extension : n_samples - 1][:, ::-1]
    return outermost, mirrored, buffer[:, n_samples:end], buffer[:, end:], buffer[:, end - 1, None]


@lru_cache(maxsize=16)
def _design(sampling_rate_hz: float, target_rate_hz: float, filters: Filters) -> Design | None:
    ratio = resampling_ratio(sampling_rate_hz, target_rate_hz)
    return design_for(iir_sections(sampling_rate_hz, *filters), ratio.numerator, ratio.denominator)


def _fast_filter(
    sampling_rate_hz: float, n_samples: int, target_rate_hz: float, edge_s: float, filters: Filters
) -> "_FastFilter | None":
    """Return the fast filter, or None where the reference has to do it."""
    design = _design(sampling_rate_hz, target_rate_hz, filters)
    if design is None or n_samples < 2:
        return None
    recursive = len(design.modes.pole) > 0
    return _FastFilter(design, n_samples, extension_samples(sampling_rate_hz, n_samples, edge_s) if recursive else 0)


_cached_filter = lru_cache(maxsize=32)(_fast_filter)
