"""Weights averaged over the way that a training takes, which depend less on where it ends than those of one epoch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

EMA_SHARE = 0.1
"""Of all steps, those that an exponential average looks back on."""
SWA_FROM = 0.5
"""Share of the epochs after which those are averaged that follow."""


class Average:
    """A running mean of weights and buffers, counters as they are; this one takes in nothing."""

    def __init__(self) -> None:
        self._mean: dict[str, Tensor] = {}
        self._count = 0

    def after_step(self, model: nn.Module) -> None:
        """Take in the weights after a step, if they count."""

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take in the weights after an epoch, counted from 1, if they count."""

    @torch.no_grad()
    def _take_in(self, model: nn.Module, longest: float) -> None:
        """Take in the weights as one more of up to `longest`; with more, earlier ones fade."""
        now = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        self._count += 1
        if self._count == 1:
            self._mean = {name: tensor.clone() for name, tensor in now.items()}
            return
        floats = [name for name, tensor in now.items() if tensor.is_floating_point()]
        share = 1 / min(self._count, longest)
        torch._foreach_lerp_([self._mean[name] for name in floats], [now[name] for name in floats], share)
        for name in now.keys() - set(floats):
            self._mean[name].copy_(now[name])

    def weights(self, model: nn.Module) -> dict[str, Tensor]:
        """Return a copy of the mean so far; where nothing was taken in, of the weights of the model."""
        return {name: tensor.detach().clone() for name, tensor in (self._mean or model.state_dict()).items()}

    def state(self) -> dict[str, Tensor]:
        """Return all that `restore` needs."""
        return {**{f"mean.{name}": tensor for name, tensor in self._mean.items()}, "count": torch.tensor(self._count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        self._count = int(state["count"])
        self._mean = {
            name.removeprefix("mean."): tensor.clone() for name, tensor in state.items() if name.startswith("mean.")
        }


class ExponentialAverage(Average):
    """The mean over steps, each counting less than the next (Polyak & Juditsky 1992; Tarvainen & Valpola 2017).

    Parameters
    ----------
    n_steps
        Steps of the whole training.
    """

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self._longest = max(1.0, EMA_SHARE * n_steps)

    def after_step(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        self._take_in(model, self._longest)


class StochasticAverage(Average):
    """The mean over the epochs of the second half (Izmailov et al. 2018, arXiv 1803.05407).

    Statistics of batch normalisation are averaged, too, and not computed anew: frozen ones stay what they are.

    Parameters
    ----------
    n_epochs
        Of the whole training.
    """

    def __init__(self, n_epochs: int) -> None:
        super().__init__()
        self._after = SWA_FROM * n_epochs

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take in the weights after an epoch of the second half."""
        if epoch > self._after:
            self._take_in(model, float("inf"))


def average_of(choose_by: str, n_epochs: int, n_steps: int) -> Average:
    """Return the average that `choose_by` names, or none, of a training of so many epochs and steps."""
    if choose_by == "ema":
        return ExponentialAverage(n_steps)
    return StochasticAverage(n_epochs) if choose_by == "swa" else Average()
