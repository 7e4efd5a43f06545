"""A GRU or LSTM layer on a CPU, several times as fast in training as torch's own, and numerically the same.

torch's layers make many small operations per time step, each with a new array, and still more for the gradients. Here
a step is one matrix product and a few operations in arrays that are ready (`gru`, `lstm`), for up to `CHUNK` records at
a time. The time loops are compiled to TorchScript, which is deprecated and ends with Python 3.14; where they cannot be
compiled, torch's own layers are used, and the log reports it once.
"""

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ecgtransfer.kernels import gru, lstm

logger = logging.getLogger(__name__)

CHUNK = 256
"""Records at a time, at most: more make no step more efficient."""
STEPS_AT_ONCE = 16
"""Time steps whose arrays are prepared together, in operations that are not the loop's."""
FLOATS_PER_CACHE_LINE = 16


@dataclass(frozen=True)
class RecurrentCell:
    """The functions of a recurrent cell, see `gru`."""

    pack: Callable[[Tensor, Tensor, Tensor, Tensor], list[Tensor]]
    unpack: Callable[[list[Tensor]], list[Tensor]]
    kept_shapes: Callable[[int, int, int, int], list[tuple[int, int, int]]]
    forward: Callable[[Tensor, Tensor, list[Tensor], list[Tensor], int, bool], None]
    backward: Callable[[Tensor, list[Tensor], list[Tensor], Tensor | None, int, bool], list[Tensor]]


GRU, LSTM = (
    RecurrentCell(kernel.pack, kernel.unpack, kernel.kept_shapes, kernel.forward, kernel.backward)
    for kernel in (gru, lstm)
)


class Memory:
    """Large arrays that are used again in the next training step: to get fresh ones from the system takes long.

    It belongs to a layer, and a copy of the layer has its own.
    """

    def __init__(self) -> None:
        self._idle: list[Tensor] = []

    def take(self, n_floats: int) -> Tensor:
        """Return an array of at least `n_floats`, which no other caller gets until it is returned."""
        for position, array in enumerate(self._idle):
            if array.numel() >= n_floats:
                return self._idle.pop(position)
        if self._idle:
            self._idle.pop()  # too small now, so probably for good
        return torch.empty(n_floats)

    def give_back(self, arrays: Sequence[Tensor]) -> None:
        """Allow others to overwrite arrays that `take` returned."""
        self._idle += arrays

    def __reduce__(self) -> tuple[type["Memory"], tuple[()]]:
        return Memory, ()


def cell_for(x: Tensor, layer: nn.GRU | nn.LSTM) -> RecurrentCell | None:
    """Return what lets `outputs` replace the call of a layer; None if it cannot: it is for float32 on a CPU."""
    fits = (
        all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in (x, *layer.parameters()))
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )
    return _compiled(GRU if isinstance(layer, nn.GRU) else LSTM) if fits else None


def outputs(x: Tensor, layer: nn.GRU | nn.LSTM, cell: RecurrentCell, memory: Memory) -> Tensor:
    """Return the states of a layer at all steps, from a state of zeros.

    Parameters
    ----------
    x
        Inputs, (records, inputs, steps).
    layer
        Of one level, with biases. Only its weights are used.
    cell
        Of the layer, see `cell_for`.
    memory
        The layer's own.

    Returns
    -------
    Tensor
        (records, hidden, steps), of a bidirectional layer (records, 2 hidden, steps). Its memory is that of
        (steps, hidden, records).
    """
    weights = list(layer.parameters())
    by_steps = x.permute(2, 1, 0)
    states: Tensor
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights)):
        states = _Layer.apply(by_steps, cell, memory, *weights)  # type: ignore[no-untyped-call]
    else:
        states = _run(cell, by_steps.detach(), [weight.detach() for weight in weights], None)[0]
    return states.permute(2, 1, 0)


@dataclass(frozen=True)
class _Part:
    """One direction of some records."""

    direction: int
    records: slice
    states: slice
    packed: list[Tensor]
    array: Tensor
    kept: list[Tensor]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cell: RecurrentCell, memory: Memory, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, *weights)
        ctx.cell, ctx.memory = cell, memory
        states, ctx.parts = _run(cell, x, weights, memory)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        cell: RecurrentCell = ctx.cell
        # A second pass through one graph finds the memory of the first returned, and recomputes its content.
        parts: list[_Part] = ctx.parts or _run(cell, x, weights, ctx.memory)[1]
        ctx.parts = None
        d_states = d_states.contiguous()
        n_directions = len(weights) // 4
        d_x = d_states.new_zeros(n_directions, *x.shape) if ctx.needs_input_grad[0] else None
        sums: list[list[list[Tensor]]] = [[] for _ in range(n_directions)]
        for part in parts:
            d_inputs = None if d_x is None else d_x[part.direction, :, :, part.records]
            d_outputs = d_states[:, part.states, part.records]
            sums[part.direction].append(
                cell.backward(d_outputs, part.packed, part.kept, d_inputs, STEPS_AT_ONCE, part.direction == 1)
            )
        ctx.memory.give_back([part.array for part in parts])
        gradients: list[Tensor] = []
        for of_parts in sums:
            gradients += cell.unpack([torch.stack(same).sum(dim=0) for same in zip(*of_parts, strict=True)])
        return (None if d_x is None else d_x.sum(dim=0), None, None, *gradients)


def _run(
    cell: RecurrentCell, x: Tensor, weights: Sequence[Tensor], memory: Memory | None
) -> tuple[Tensor, list[_Part]]:
    """Return states (steps, hidden, records), and with `memory` what `backward` needs."""
    n_steps, n_inputs, n_records = x.shape
    n_directions, hidden = len(weights) // 4, weights[1].shape[1]
    states = x.new_empty(n_steps, n_directions * hidden, n_records)
    parts = []
    for direction in range(n_directions):
        packed = cell.pack(*(weight.detach() for weight in weights[4 * direction : 4 * direction + 4]))
        for records in _chunks(n_records):
            n_kept = n_steps if memory else min(n_steps, STEPS_AT_ONCE)
            shapes = cell.kept_shapes(n_kept, n_inputs, hidden, records.stop - records.start)
            n_floats = sum(map(_padded_size, shapes))
            array = memory.take(n_floats) if memory else x.new_empty(n_floats)
            rows = slice(direction * hidden, (direction + 1) * hidden)
            parts.append(_Part(direction, records, rows, packed, array, _views(array, shapes)))
    for part in parts:
        inputs, outputs = x[:, :, part.records], states[:, part.states, part.records]
        cell.forward(inputs, outputs, part.packed, part.kept, STEPS_AT_ONCE, part.direction == 1)
    return states, parts


def _chunks(n_records: int) -> list[slice]:
    """Return how records are shared out: as few chunks as possible, of about one size, in multiples of 8."""
    size = math.ceil(n_records / math.ceil(n_records / CHUNK) / 8) * 8
    return [slice(first, min(first + size, n_records)) for first in range(0, n_records, size)]


def _padded_size(shape: tuple[int, ...]) -> int:
    """Return the floats of an array, up to where the next one may begin."""
    return math.ceil(math.prod(shape) / FLOATS_PER_CACHE_LINE) * FLOATS_PER_CACHE_LINE


def _views(array: Tensor, shapes: list[tuple[int, int, int]]) -> list[Tensor]:
    pieces = array[: sum(map(_padded_size, shapes))].split([_padded_size(shape) for shape in shapes])
    return [piece[: math.prod(shape)].view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


@cache
def _compiled(cell: RecurrentCell) -> RecurrentCell | None:
    """Return a cell with its time loops as TorchScript; None, with a warning, where torch cannot do that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            loops = [torch.jit.script(loop) for loop in (cell.forward, cell.backward)]
    except Exception as error:  # how it ends is not known
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        logger.warning("recurrent layers are computed by torch's own, which takes longer: no TorchScript (%s)", reason)
        return None
    return replace(cell, forward=loops[0], backward=loops[1])
