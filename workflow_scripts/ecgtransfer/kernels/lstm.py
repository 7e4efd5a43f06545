"""The time loops of an LSTM on a CPU, forward and back, in few and large operations.

Definitions as in `torch.nn.LSTM`, and the ways to save time as in `ecgtransfer.kernels.gru`. The changed
variables are h / 2 for the state, 2c for the cell and, of each tanh(a), sigmoid(2a).
"""

import torch
from torch import Tensor


def pack(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> list[Tensor]:
    """Return the weights in the changed variables, from those of one direction of `torch.nn.LSTM`.

    Returns
    -------
    list of Tensor
        ``weight`` of all gates (4 hidden, hidden + inputs + 1), and for the way back ``to_state`` (hidden, 4 hidden)
        and ``to_input`` (inputs, 4 hidden).
    """
    hidden = w_hh.shape[1]
    scale = _gradient_scale(w_hh)
    weight = torch.cat([2 * w_hh, w_ih, (b_ih + b_hh)[:, None]], dim=1)
    weight[2 * hidden : 3 * hidden] *= 2
    return [weight, (w_hh * scale).t().contiguous(), (w_ih * scale).t().contiguous()]


def unpack(gradients: list[Tensor]) -> list[Tensor]:
    """Return the gradients of the weights of `torch.nn.LSTM`, from the sums that `backward` returns."""
    (of_all,) = gradients
    hidden = len(of_all) // 4
    of_all = of_all * _gradient_scale(of_all)
    return [of_all[:, hidden:-1].clone(), 2 * of_all[:, :hidden], of_all[:, -1].clone(), of_all[:, -1].clone()]


def _gradient_scale(of_gates: Tensor) -> Tensor:
    """Return the constants that `backward` leaves out of the gradients of the four gates, as a column."""
    return of_gates.new_tensor([2.0, 0.5, 4.0, 2.0]).repeat_interleave(len(of_gates) // 4)[:, None]


def kept_shapes(n_steps: int, n_inputs: int, hidden: int, n_records: int) -> list[tuple[int, int, int]]:
    """Return the shapes of what `forward` writes and `backward` reads: states with inputs, gates, 2c, sigmoid(2c)."""
    return [
        (n_steps + 1, hidden + n_inputs + 1, n_records),
        (n_steps, 4 * hidden, n_records),
        (n_steps + 1, hidden, n_records),
        (n_steps, hidden, n_records),
    ]


def forward(x: Tensor, out: Tensor, packed: list[Tensor], kept: list[Tensor], block: int, backwards: bool) -> None:
    """Write the states h of all steps to `out` (steps, hidden, records); parameters as in `gru.forward`."""
    weight = packed[0]
    states, gates, cells, squashed_cells = kept[0], kept[1], kept[2], kept[3]
    n_steps, n_inputs, hidden = x.size(0), x.size(1), cells.size(1)
    keeps_all = gates.size(0) >= n_steps
    x = x.flip(0) if backwards else x
    outs = out.unbind(0)
    states[0, :hidden] = 0.0
    states[:, hidden + n_inputs :] = 1.0
    cells[0] = 0.0
    for start in range(0, n_steps, block):
        n = min(block, n_steps - start)
        row = start if keeps_all else 0
        if row < start:
            states[0, :hidden] = states[block, :hidden]
            cells[0] = cells[block]
        state, gate = states[row : row + n + 1], gates[row : row + n]
        state[:n, hidden : hidden + n_inputs] = x[start : start + n]
        inputs, half_state, all_gates = state.unbind(0), state[:, :hidden].unbind(0), gate.unbind(0)
        i, f = gate[:, :hidden].unbind(0), gate[:, hidden : 2 * hidden].unbind(0)
        g, o = gate[:, 2 * hidden : 3 * hidden].unbind(0), gate[:, 3 * hidden :].unbind(0)
        c, s = cells[row : row + n + 1].unbind(0), squashed_cells[row : row + n].unbind(0)
        for t in range(n):
            torch.mm(weight, inputs[t], out=all_gates[t])
            all_gates[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1])
            c[t + 1].addcmul_(i[t], g[t], value=4.0)
            c[t + 1].sub_(i[t], alpha=2.0)
            torch.sigmoid(c[t + 1], out=s[t])
            torch.mul(o[t], s[t], out=half_state[t + 1])
            half_state[t + 1].sub_(o[t], alpha=0.5)
            step = start + t
            torch.add(half_state[t + 1], half_state[t + 1], out=outs[n_steps - 1 - step if backwards else step])


def backward(
    d_out: Tensor, packed: list[Tensor], kept: list[Tensor], d_x: Tensor | None, block: int, backwards: bool
) -> list[Tensor]:
    """Return the sums that `unpack` makes the weights' gradients of; parameters as in `gru.backward`."""
    to_state, to_input = packed[1], packed[2]
    states, gates, cells, squashed_cells = kept[0], kept[1], kept[2], kept[3]
    n_steps, hidden, n_records = squashed_cells.size(0), squashed_cells.size(1), squashed_cells.size(2)
    of_all = torch.zeros([4 * hidden, states.size(1)])
    factors = torch.empty([block, 5, hidden, n_records])
    difference = torch.empty([block, hidden, n_records])
    half = torch.full([1], 0.5)
    d_gates = torch.empty([4, hidden, n_records])
    d_all, d_three, d_o = d_gates.view(4 * hidden, n_records), d_gates[:3], d_gates[3]
    d_cell = torch.zeros([hidden, n_records])
    d_outs = d_out.unbind(0)
    d_state = d_outs[0 if backwards else n_steps - 1].clone()
    for start in range((n_steps - 1) // block * block, -1, -block):
        n = min(block, n_steps - start)
        gate, s = gates[start : start + n], squashed_cells[start : start + n]
        i, f = gate[:, :hidden], gate[:, hidden : 2 * hidden]
        g, o = gate[:, 2 * hidden : 3 * hidden], gate[:, 3 * hidden :]
        work = difference[:n]
        torch.sub(g, half, out=work)
        torch.ops.aten.sigmoid_backward(work, i, grad_input=factors[:n, 0])
        torch.ops.aten.sigmoid_backward(cells[start : start + n], f, grad_input=factors[:n, 1])
        torch.ops.aten.sigmoid_backward(i, g, grad_input=factors[:n, 2])
        torch.sub(s, half, out=work)
        torch.ops.aten.sigmoid_backward(work, o, grad_input=factors[:n, 3])
        torch.ops.aten.sigmoid_backward(o, s, grad_input=factors[:n, 4])
        by_three, by_o, by_cell = factors[:, :3].unbind(0), factors[:, 3].unbind(0), factors[:, 4].unbind(0)
        inputs, fs = states[start : start + n].transpose(1, 2).unbind(0), f.unbind(0)
        for back in range(n):
            t = n - 1 - back
            step = n_steps - 1 - start - t if backwards else start + t
            d_cell.addcmul_(d_state, by_cell[t], value=4.0)
            torch.mul(by_three[t], d_cell, out=d_three)
            torch.mul(by_o[t], d_state, out=d_o)
            of_all.addmm_(d_all, inputs[t])
            if d_x is not None:
                d_x[step].addmm_(to_input, d_all)
            if start + t > 0:
                d_cell.mul_(fs[t])
                torch.addmm(d_outs[step + 1 if backwards else step - 1], to_state, d_all, out=d_state)
    return [of_all]
