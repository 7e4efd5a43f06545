"""The recurrent kernels against torch's own layers in float64, and what it does with memory."""

import copy
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ecgtransfer.kernels import recurrent
from ecgtransfer.kernels.layers import FastRecurrent, Recurrent
from ecgtransfer.kernels.recurrent import CHUNK, GRU, LSTM, Memory, RecurrentCell

torch.set_num_threads(1)

HIDDEN, INPUTS = 10, 5

Layer = nn.GRU | nn.LSTM
kinds = pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
both_ways = pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])


def new_layer(kind: type[Layer], bidirectional: bool = False, gain: float = 1.0) -> Layer:
    torch.manual_seed(0)
    layer = kind(INPUTS, HIDDEN, bidirectional=bidirectional)
    with torch.no_grad():
        for weight in layer.parameters():
            weight *= gain
    return layer


def outputs(x: Tensor, layer: Layer, memory: Memory) -> Tensor:
    """Return the states by compiled loops."""
    cell = recurrent.cell_for(x, layer)
    assert cell is not None
    return recurrent.outputs(x, layer, cell, memory)


def new_input(n_records: int, n_steps: int, seed: int = 1) -> Tensor:
    return torch.randn(n_records, INPUTS, n_steps, generator=torch.Generator().manual_seed(seed))


def trained(layer: Layer, x: Tensor, memory: Memory) -> tuple[Tensor, list[Tensor]]:
    """Return states, and the gradients of input and weights, of a loss that weighs all states differently."""
    x = x.clone().requires_grad_()
    states = outputs(x, layer, memory)
    return states.detach(), list(torch.autograd.grad(states, [x, *layer.parameters()], weighing(states)))


def trained_by_torch(layer: Layer, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    layer, x = copy.deepcopy(layer).to(dtype), x.to(dtype).requires_grad_()
    states = layer(x.permute(2, 0, 1))[0].permute(1, 2, 0)
    gradients = torch.autograd.grad(states, [x, *layer.parameters()], weighing(states))
    return states.detach(), list(gradients)


def weighing(states: Tensor) -> Tensor:
    return torch.randn(states.shape, generator=torch.Generator().manual_seed(2)).to(states.dtype)


@kinds
@both_ways
@pytest.mark.parametrize(
    ("n_records", "n_steps"), [(1, 1), (2, 16), (3, 17), (9, 40), (CHUNK + 5, 5)], ids=lambda size: str(size)
)
def test_states_and_gradients_are_those_of_torch(
    kind: type[Layer], bidirectional: bool, n_records: int, n_steps: int
) -> None:
    layer, x = new_layer(kind, bidirectional), new_input(n_records, n_steps)
    states, gradients = trained(layer, x, Memory())
    expected_states, expected_gradients = trained_by_torch(layer, x, torch.float64)
    assert states.shape == (n_records, HIDDEN * (2 if bidirectional else 1), n_steps)
    assert (states - expected_states).abs().max() < 1e-6
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        assert (gradient - expected).abs().max() <= 1e-5 * expected.abs().max()


@kinds
@both_ways
def test_long_signals_and_large_weights_are_as_exact_as_with_torch(kind: type[Layer], bidirectional: bool) -> None:
    """Rounding errors have a long way to grow, and gates are shut or open."""
    layer, x = new_layer(kind, bidirectional, gain=4.0), 3 * new_input(4, 300)
    exact = trained_by_torch(layer, x, torch.float64)
    for found, by_torch, expected in zip(
        _flat(trained(layer, x, Memory())), _flat(trained_by_torch(layer, x, torch.float32)), _flat(exact), strict=True
    ):
        error, error_of_torch = ((values - expected).abs().max() for values in (found, by_torch))
        assert error < 20 * error_of_torch
        assert error < 1e-4 * expected.abs().max()


def _flat(result: tuple[Tensor, list[Tensor]]) -> list[Tensor]:
    return [result[0], *result[1]]


@kinds
@both_ways
def test_same_bytes_whatever_was_in_memory(kind: type[Layer], bidirectional: bool) -> None:
    layer, x = new_layer(kind, bidirectional), new_input(40, 50)
    memory = Memory()
    first = trained(layer, x, memory)
    for idle in memory._idle:
        idle.fill_(torch.nan)
    for found, again in zip(_flat(first), _flat(trained(layer, x, memory)), strict=True):
        assert torch.equal(found, again)


@kinds
@both_ways
def test_without_gradients_the_same_states_and_nothing_kept(kind: type[Layer], bidirectional: bool) -> None:
    layer, x = new_layer(kind, bidirectional), new_input(3, 50)
    memory = Memory()
    expected = outputs(x, layer, Memory()).detach()
    with torch.no_grad():
        assert torch.equal(outputs(x, layer, memory), expected)
    assert torch.equal(outputs(x, layer.requires_grad_(False), memory), expected)
    assert not memory._idle


@kinds
def test_frozen_weights_let_the_gradient_through(kind: type[Layer]) -> None:
    layer, x = new_layer(kind), new_input(3, 20)
    (expected, *_) = trained(layer, x, Memory())[1]
    states = outputs(x.requires_grad_(), layer.requires_grad_(False), Memory())
    states.backward(weighing(states))
    assert x.grad is not None
    assert torch.equal(x.grad, expected)


@kinds
def test_two_passes_before_the_gradients_do_not_share_memory(kind: type[Layer]) -> None:
    layer, memory = new_layer(kind), Memory()
    one, other = new_input(20, 30, seed=3), new_input(20, 30, seed=4)
    expected = [sum(pair) for pair in zip(*(trained(layer, x, Memory())[1][1:] for x in (one, other)), strict=True)]
    states = [outputs(x, layer, memory) for x in (one, other)]
    torch.autograd.backward(states, [weighing(each) for each in states])
    for weight, gradient in zip(layer.parameters(), expected, strict=True):
        assert weight.grad is not None
        assert torch.allclose(weight.grad, torch.as_tensor(gradient), rtol=1e-5, atol=1e-5)


@kinds
@both_ways
def test_gradients_of_one_graph_twice(kind: type[Layer], bidirectional: bool) -> None:
    layer, memory = new_layer(kind, bidirectional), Memory()
    states = outputs(new_input(20, 30), layer, memory)
    loss = (states * weighing(states)).sum()
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    trained(layer, new_input(20, 30, seed=5), memory)  # overwrites what the first pass had kept
    for found, again in zip(first, torch.autograd.grad(loss, list(layer.parameters())), strict=True):
        assert torch.equal(found, again)
    with pytest.raises(RuntimeError, match="a second time"):
        torch.autograd.grad(loss, list(layer.parameters()))


def test_second_derivatives_are_refused() -> None:
    layer, x = new_layer(nn.GRU), new_input(2, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(outputs(x, layer, Memory()).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_weights_changed_before_the_gradients_are_an_error() -> None:
    layer = new_layer(nn.GRU)
    loss = outputs(new_input(2, 5), layer, Memory()).sum()
    with torch.no_grad():
        layer.weight_hh_l0 += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_memory_is_used_again() -> None:
    memory = Memory()
    large, small = memory.take(100), memory.take(50)
    assert large.data_ptr() != small.data_ptr()
    memory.give_back([large, small])
    assert memory.take(60) is large
    assert memory.take(50) is small
    memory.give_back([small])
    assert memory.take(51).numel() == 51  # takes the place of the small one
    assert not memory._idle


@kinds
def test_training_steps_take_no_new_memory(kind: type[Layer]) -> None:
    layer, memory = new_layer(kind), Memory()
    trained(layer, new_input(40, 30), memory)
    kept = {array.data_ptr() for array in memory._idle}
    trained(layer, new_input(38, 30), memory)  # the last batch of an epoch may be smaller
    assert {array.data_ptr() for array in memory._idle} == kept
    assert kept


def test_copies_have_memory_of_their_own() -> None:
    memory = Memory()
    memory.give_back([torch.zeros(5)])
    assert not copy.deepcopy(memory)._idle


@pytest.mark.parametrize("cell", [GRU, LSTM], ids=["GRU", "LSTM"])
def test_time_loops_are_compiled(cell: RecurrentCell) -> None:
    """Else a loop that is no TorchScript any more would leave all to torch's layers."""
    compiled = recurrent._compiled(cell)
    assert compiled is not None
    for loop in (compiled.forward, compiled.backward):
        assert isinstance(loop, torch.jit.ScriptFunction)


@kinds
@both_ways
def test_compiled_or_not_the_same_bytes(
    kind: type[Layer], bidirectional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = new_layer(kind, bidirectional), new_input(40, 35)
    compiled = trained(layer, x, Memory())
    monkeypatch.setattr(recurrent, "_compiled", lambda cell: cell)
    for found, expected in zip(_flat(trained(layer, x, Memory())), _flat(compiled), strict=True):
        assert torch.equal(found, expected)


@pytest.fixture(params=["raises", "is missing"])
def no_compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take TorchScript away, as a version of torch may."""

    def script(*_: Any) -> None:
        raise NotImplementedError("not in this Python\nat all")

    if request.param == "raises":
        monkeypatch.setattr(torch.jit, "script", script)
    else:
        monkeypatch.delattr(torch.jit, "script")
    recurrent._compiled.cache_clear()
    yield
    recurrent._compiled.cache_clear()


@kinds
@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_plain_layer_computes_and_the_log_says_so_once(
    kind: type[Layer], caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    plain = Recurrent(kind(INPUTS, HIDDEN, batch_first=True))
    fast, x = FastRecurrent(plain), new_input(3, 20)
    for _ in range(2):
        assert torch.equal(fast(x), plain(x))
    (warning,) = caplog.messages
    assert "torch's own" in warning
    assert "\n" not in warning


def test_every_record_is_in_one_chunk() -> None:
    for n_records in (1, 7, 16, 31, 32, 33, 64, 100, 255, 256, 257, 1000):
        chunks = recurrent._chunks(n_records)
        rows = [row for chunk in chunks for row in range(n_records)[chunk]]
        assert rows == list(range(n_records))
        sizes = [chunk.stop - chunk.start for chunk in chunks]
        assert max(sizes) <= CHUNK
        assert all(size % 8 == 0 for size in sizes[:-1])
    assert len(recurrent._chunks(256)) == 1


@kinds
def test_what_it_is_for(kind: type[Layer]) -> None:
    layer, x = new_layer(kind), new_input(2, 5)
    assert recurrent.cell_for(x, layer) is not None
    for other in (x.double(), x.to("meta"), x[:0]):
        assert recurrent.cell_for(other, layer) is None
    assert recurrent.cell_for(x.double(), copy.deepcopy(layer).double()) is None
    with torch.autocast("cpu"):
        assert recurrent.cell_for(x, layer) is None


@kinds
def test_a_forked_process_computes_the_same(kind: type[Layer]) -> None:
    layer, x = new_layer(kind), new_input(40, 20)
    states, _ = trained(layer, x, Memory())
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def forked() -> None:
        sender.send(trained(layer, x, Memory())[0].numpy().tobytes())

    process = context.Process(target=forked, daemon=True)
    process.start()
    assert receiver.poll(60)
    assert receiver.recv() == states.numpy().tobytes()
    process.join(60)
    assert process.exitcode == 0


class _AsModule(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.memory = layer, Memory()

    def forward(self, x: Tensor) -> Tensor:
        return outputs(x, self.layer, self.memory)


def test_data_parallel_training(tmp_path: Path) -> None:
    layer, x = new_layer(nn.GRU), new_input(20, 15)
    _, expected = trained(layer, x, Memory())
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        model = DistributedDataParallel(_AsModule(layer))
        for _ in range(2):
            model.zero_grad()
            states = model(x)
            (states * weighing(states)).sum().backward()
    finally:
        distributed.destroy_process_group()
    for weight, gradient in zip(layer.parameters(), expected[1:], strict=True):
        assert weight.grad is not None
        assert torch.equal(weight.grad, gradient)
