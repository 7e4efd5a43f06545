"""How much arithmetic a model does for one recording, counted and not measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ecgtransfer.train.models.base import AGE_SEX_INPUTS, EcgModel


def forward_flops(model: EcgModel, n_leads: int, n_samples: int) -> int:
    """Return the floating-point operations of a forward pass in evaluation, per recording.

    Parameters
    ----------
    model
        Is not changed.
    n_leads, n_samples
        Shape of the recording.

    Notes
    -----
    A multiplication and the addition behind it are two operations. Those of convolutions and matrix products are
    counted, as is usual; normalisation, activations, pooling and Fourier transforms are not, unless a module defines
    it: a module with a method ``flops(n_frames)`` returns what it costs for an input (1, channels, n_frames), and that
    replaces what is counted inside of it. For PyTorch's recurrent layers and those derived from them, every weight of a
    matrix is used once per frame.
    """
    device = next(model.parameters()).device
    recording = torch.zeros(1, n_leads, n_samples, device=device)
    age_sex = None if model.age_sex is None else torch.zeros(1, AGE_SEX_INPUTS, device=device)
    counter = FlopCounterMode(display=False)
    declared = _Declared(counter)
    handles = []
    for module in model.modules():
        if _declares(module):
            handles.append(module.register_forward_pre_hook(declared.enter))
            handles.append(module.register_forward_hook(declared.leave))
    try:
        # With gradients on and attention as plain products, no fused operation hides what it does.
        with _in_evaluation(model), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model(recording, age_sex)
    finally:
        for handle in handles:
            handle.remove()
    return int(counter.get_total_flops() + declared.correction)


class _Declared:
    """Hooks that replace what a counter has seen inside of modules by what these define themselves."""

    def __init__(self, counter: FlopCounterMode) -> None:
        self.counter = counter
        self.counted_before: list[int] = []  # one per declaring module that is running, the outermost first
        self.correction = 0

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.counted_before.append(self.counter.get_total_flops())

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen = self.counter.get_total_flops() - self.counted_before.pop()
        if not self.counted_before:
            self.correction += _flops_of(module, inputs[0]) - seen


def _declares(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase) or hasattr(module, "flops")


def _flops_of(module: nn.Module, x: torch.Tensor) -> int:
    if isinstance(module, nn.RNNBase) and not hasattr(module, "flops"):
        n_frames = x.shape[1 if module.batch_first else 0]
        return 2 * n_frames * sum(weight.numel() for weight in module.parameters() if weight.dim() == 2)
    return int(module.flops(x.shape[2]))  # type: ignore[operator]


@contextmanager
def _in_evaluation(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation, and each of its modules back into the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
