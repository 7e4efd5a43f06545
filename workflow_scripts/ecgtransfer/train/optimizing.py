"""How weights move: the optimiser, and the learning rate of every step."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from ecgtransfer.train.settings import TrainingSettings

WARM_UP = 0.3  # share of one-cycle training with a rising rate, and the factors it starts and ends with
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1e-4
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam


class Adam:
    """Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980) or AdamW (Loshchilov & Hutter 2019, 1711.05101).

    The updates are those of `torch.optim`, ``fused``, in its form as functions: its classes import PyTorch's compiler
    when they are made, which takes over 1 s, longer than many a small cell trains.

    Parameters
    ----------
    groups
        Weights, each group with its factor on the learning rate. Those without a gradient are passed over.
    settings
        Which of the two, and ``weight_decay``.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[nn.Parameter], float]], settings: TrainingSettings) -> None:
        self._update = {"adamw": adamw, "adam": adam}[settings.optimizer]
        self._weight_decay = settings.weight_decay
        self._groups = [([_Moments(parameter) for parameter in parameters], factor) for parameters, factor in groups]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for moments in self._all():
            moments.parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the weights along their gradients, with this learning rate times their group's factor."""
        for group, factor in self._groups:
            moved = [moments for moments in group if moments.parameter.grad is not None]
            if not moved:
                continue
            self._update(
                [_as_stored(moments.parameter, moments.parameter) for moments in moved],
                [_as_stored(moments.parameter.grad, moments.parameter) for moments in moved],
                [moments.first for moments in moved],
                [moments.second for moments in moved],
                [],
                [moments.steps for moments in moved],
                fused=True,
                lr=rate * factor,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self._weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Return the moments of all weights, by names."""
        return {
            f"{number}.{name}": getattr(moments, name)
            for number, moments in enumerate(self._all())
            for name in ("first", "second", "steps")
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Overwrite the moments of all weights with what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    def _all(self) -> Iterator["_Moments"]:
        for group, _ in self._groups:
            yield from group


class _Moments:
    """Running means of a weight's gradient and its square, in the order of the weight's memory."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameter = parameter
        self.first, self.second = (_as_stored(torch.zeros_like(parameter), parameter) for _ in range(2))
        self.steps = torch.zeros((), device=parameter.device)


def _as_stored(tensor: Tensor | None, parameter: nn.Parameter) -> Tensor:
    """Return the numbers in the order of the parameter's memory: the kernels copy what is not contiguous."""
    assert tensor is not None
    if tensor.stride() != parameter.stride():
        tensor = torch.empty_like(parameter).copy_(tensor)
    return tensor.detach().as_strided((tensor.numel(),), (1,))


def learning_rates(settings: TrainingSettings, epoch: int, epochs: int, steps: int) -> Iterator[float]:
    """Yield the learning rate of every step of an epoch, counted from 1.

    ``one-cycle`` (Smith & Topin 2018, https://arxiv.org/abs/1708.07120) rises for `WARM_UP` of all steps and falls to
    nearly nothing, both along a cosine; ``cosine`` (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983) only
    falls.
    """
    for step in range(steps):
        done = ((epoch - 1) * steps + step) / (epochs * steps)
        factor = 1.0
        if settings.schedule == "cosine":
            factor = _cosine(1, 0, done)
        elif settings.schedule == "one-cycle" and done < WARM_UP:
            factor = _cosine(ONE_CYCLE_START, 1, done / WARM_UP)
        elif settings.schedule == "one-cycle":
            factor = _cosine(1, ONE_CYCLE_END, (done - WARM_UP) / (1 - WARM_UP))
        yield settings.learning_rate * factor


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
