"""The time loops of a GRU on a CPU, forward and back, in few and large operations.

Definitions as in `torch.nn.GRU`. Three changes of variables save time:

- torch's sigmoid takes a third of the time of its tanh on a CPU, so n = tanh(a) is computed as s = sigmoid(2a), which
  is (n + 1) / 2. The state h is kept as u = (h + 1) / 2: where h is a mixture of n and the last h, u is the same
  mixture of s and the last u.
- The recurrent product takes in the step's inputs and a 1, below u: input weights and biases cost no operation of
  their own. Only the new gate's inputs stay apart, for the reset gate does not scale them; they are computed for many
  steps at once.
- The gradient of each gate is that of the state times a factor known from the forward pass. The factors are computed
  for many steps at once; what is left to the loop are one multiplication and the matrix products.

`forward` and `backward` are also valid TorchScript, see `ecgtransfer.kernels.recurrent`.
"""

import torch
from torch import Tensor


def pack(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> list[Tensor]:
    """Return the weights in the changed variables, from those of one direction of `torch.nn.GRU`.

    Returns
    -------
    list of Tensor
        ``weight`` of all gates (3 hidden, hidden + inputs + 1), ``weight_new`` of the new gate's inputs
        (hidden, inputs + 1), and for the way back ``to_state`` (hidden, 3 hidden) and ``to_input`` (inputs, 4 hidden).
    """
    hidden = w_hh.shape[1]
    scale = _gradient_scale(w_hh)
    of_input, of_one = w_ih.clone(), b_hh - w_hh.sum(dim=1)
    of_input[2 * hidden :] = 0
    of_one[: 2 * hidden] += b_ih[: 2 * hidden]
    weight = torch.cat([2 * w_hh, of_input, of_one[:, None]], dim=1)
    weight[2 * hidden :] *= 2
    weight_new = 2 * torch.cat([w_ih, b_ih[:, None]], dim=1)[2 * hidden :]
    to_state = (w_hh * scale).t().contiguous()
    to_input = torch.cat([of_input * scale, 4 * w_ih[2 * hidden :]]).t().contiguous()
    return [weight, weight_new, to_state, to_input]


def unpack(gradients: list[Tensor]) -> list[Tensor]:
    """Return the gradients of the weights of `torch.nn.GRU`, from the sums that `backward` returns."""
    of_all, of_new = gradients
    hidden = len(of_new)
    of_all, of_new = of_all * _gradient_scale(of_all), 4 * of_new
    b_hh = of_all[:, -1]
    w_hh = 2 * of_all[:, :hidden] - b_hh[:, None]
    w_ih = torch.cat([of_all[: 2 * hidden, hidden:-1], of_new[:, :-1]])
    b_ih = torch.cat([b_hh[: 2 * hidden], of_new[:, -1]])
    return [w_ih, w_hh, b_ih, b_hh]


def _gradient_scale(of_gates: Tensor) -> Tensor:
    """Return the constants that `backward` leaves out of the gradients of the three gates, as a column."""
    return of_gates.new_tensor([2.0, 2.0, 4.0]).repeat_interleave(len(of_gates) // 3)[:, None]


def kept_shapes(n_steps: int, n_inputs: int, hidden: int, n_records: int) -> list[tuple[int, int, int]]:
    """Return the shapes of what `forward` writes and `backward` reads: states with inputs, gates, and the new gate."""
    return [
        (n_steps + 1, hidden + n_inputs + 1, n_records),
        (n_steps, 3 * hidden, n_records),
        (n_steps, hidden, n_records),
    ]


def forward(x: Tensor, out: Tensor, packed: list[Tensor], kept: list[Tensor], block: int, backwards: bool) -> None:
    """Write the states h of all steps to `out` (steps, hidden, records).

    Parameters
    ----------
    x
        Inputs (steps, inputs, records).
    packed
        Of `pack`.
    kept
        Memory of `kept_shapes`, of all steps for a `backward` to come, or else of `block` steps, used again and again.
    block
        Steps whose arrays are prepared at once.
    backwards
        Whether to read from the last step to the first.
    """
    weight, weight_new = packed[0], packed[1]
    states, gates, new_gates = kept[0], kept[1], kept[2]
    n_steps, n_inputs, hidden = x.size(0), x.size(1), new_gates.size(1)
    keeps_all = gates.size(0) >= n_steps
    minus_one = torch.full([1], -1.0)
    x = x.flip(0) if backwards else x
    outs = out.unbind(0)
    states[0, :hidden] = 0.5
    states[:, hidden + n_inputs :] = 1.0
    for start in range(0, n_steps, block):
        n = min(block, n_steps - start)
        row = start if keeps_all else 0
        if row < start:
            states[0, :hidden] = states[block, :hidden]
        state, gate, new = states[row : row + n + 1], gates[row : row + n], new_gates[row : row + n]
        state[:n, hidden : hidden + n_inputs] = x[start : start + n]
        torch.bmm(weight_new.expand(n, -1, -1), state[:n, hidden:], out=new)
        inputs, u, s = state.unbind(0), state[:, :hidden].unbind(0), new.unbind(0)
        all_gates, r_and_z = gate.unbind(0), gate[:, : 2 * hidden].unbind(0)
        r, z, of_state = (
            gate[:, :hidden].unbind(0),
            gate[:, hidden : 2 * hidden].unbind(0),
            gate[:, 2 * hidden :].unbind(0),
        )
        for t in range(n):
            torch.mm(weight, inputs[t], out=all_gates[t])
            r_and_z[t].sigmoid_()
            s[t].addcmul_(r[t], of_state[t])
            s[t].sigmoid_()
            torch.lerp(s[t], u[t], z[t], out=u[t + 1])
            step = start + t
            torch.add(minus_one, u[t + 1], alpha=2.0, out=outs[n_steps - 1 - step if backwards else step])


def backward(
    d_out: Tensor, packed: list[Tensor], kept: list[Tensor], d_x: Tensor | None, block: int, backwards: bool
) -> list[Tensor]:
    """Return the sums over steps and records that `unpack` makes the weights' gradients of.

    Parameters
    ----------
    d_out
        The gradient of `out`, (steps, hidden, records).
    packed, kept, block, backwards
        As in `forward`; they are not changed.
    d_x
        Where to write the gradient of the inputs, (steps, inputs, records); None leaves it out.
    """
    to_state, to_input = packed[2], packed[3]
    states, gates, new_gates = kept[0], kept[1], kept[2]
    n_steps, hidden, n_records = new_gates.size(0), new_gates.size(1), new_gates.size(2)
    of_all = torch.zeros([3 * hidden, states.size(1)])
    of_new = torch.zeros([hidden, states.size(1) - hidden])
    factors = torch.empty([block, 4, hidden, n_records])
    difference = torch.empty([block, hidden, n_records])
    one = torch.full([1], 1.0)
    d_gates = torch.empty([4, hidden, n_records])
    d_all, d_three, d_new = d_gates.view(4 * hidden, n_records), d_gates[:3].view(3 * hidden, n_records), d_gates[3]
    d_outs = d_out.unbind(0)
    d_state = d_outs[0 if backwards else n_steps - 1].clone()
    for start in range((n_steps - 1) // block * block, -1, -block):
        n = min(block, n_steps - start)
        state, gate, s = states[start : start + n], gates[start : start + n], new_gates[start : start + n]
        r, z, of_state = gate[:, :hidden], gate[:, hidden : 2 * hidden], gate[:, 2 * hidden :]
        by_r, by_z, by_state, by_new = factors[:n, 0], factors[:n, 1], factors[:n, 2], factors[:n, 3]
        work = difference[:n]
        torch.sub(state[:, :hidden], s, out=work)
        torch.ops.aten.sigmoid_backward(work, z, grad_input=by_z)
        torch.sub(one, z, out=work)
        torch.ops.aten.sigmoid_backward(work, s, grad_input=by_new)
        torch.mul(by_new, r, out=by_state)
        torch.ops.aten.sigmoid_backward(of_state, r, grad_input=by_r)
        by_r.mul_(by_new)
        inputs = state.transpose(1, 2)
        all_inputs, new_inputs = inputs.unbind(0), inputs[:, :, hidden:].unbind(0)
        factor, zs = factors.unbind(0), z.unbind(0)
        for back in range(n):
            t = n - 1 - back
            step = n_steps - 1 - start - t if backwards else start + t
            torch.mul(factor[t], d_state, out=d_gates)
            of_all.addmm_(d_three, all_inputs[t])
            of_new.addmm_(d_new, new_inputs[t])
            if d_x is not None:
                d_x[step].addmm_(to_input, d_all)
            if start + t > 0:
                torch.addcmul(d_outs[step + 1 if backwards else step - 1], zs[t], d_state, out=d_state)
                d_state.addmm_(to_state, d_three)
    return [of_all, of_new]
