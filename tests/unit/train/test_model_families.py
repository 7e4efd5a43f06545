"""Convolutional networks against a second, plain writing of what their papers and their authors' code compute."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgtransfer.kernels.images import as_images
from ecgtransfer.train.registry import build_model

torch.set_num_threads(1)

N_SAMPLES = 101  # which no stride divides


class Reference:
    """Reads the weights of a model in the order in which the network uses them."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(5)
        self.model = build_model(name, 12, N_SAMPLES, 3)
        self.x = torch.randn(4, 12, N_SAMPLES)
        for norm in self.model.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):  # otherwise its parts could be mistaken
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.normal_(norm.bias, std=0.1)
        for _ in range(10):
            self.model(self.x)
        self.model.eval()
        self.state = {key: value for key, value in self.model.state_dict().items() if "num_batches" not in key}
        self.waiting = list(self.state)

    def take(self, *shape: int | None) -> Tensor:
        """Return the next tensor, which must have `shape`; None means any size."""
        tensor = self.state[self.waiting.pop(0)]
        assert len(tensor.shape) == len(shape)
        assert all(wanted in (None, size) for wanted, size in zip(shape, tensor.shape, strict=True))
        return tensor

    def conv(self, y: Tensor, n_out: int, kernel: int, stride: int = 1, bias: bool = False) -> Tensor:
        weight = self.take(n_out, y.shape[1], kernel)
        return functional.conv1d(y, weight, self.take(n_out) if bias else None, stride, padding=kernel // 2)

    def norm(self, y: Tensor) -> Tensor:
        scale, shift, mean, variance = (self.take(y.shape[1]) for _ in range(4))
        return functional.batch_norm(y, mean, variance, scale, shift)

    def linear(self, y: Tensor, n_out: int) -> Tensor:
        return functional.linear(y, self.take(n_out, y.shape[1]), self.take(n_out))

    def benchmark_head(self, y: Tensor) -> Tensor:
        pooled = torch.cat([functional.adaptive_max_pool1d(y, 1), functional.adaptive_avg_pool1d(y, 1)], 1).flatten(1)
        return self.linear(self.norm(self.linear(self.norm(pooled), 128).relu()), 3)

    def check(self, logits: Tensor) -> None:
        assert not self.waiting
        own = self.model(self.x)
        assert own.std() > 1e-3
        assert (own - logits).abs().max() < 1e-5 * own.abs().max()


@pytest.mark.parametrize(("name", "blocks"), [("resnet1d18", (2, 2, 2, 2)), ("resnet1d50", (3, 4, 6, 3))])
def test_resnets_of_nguyen_and_do(name: str, blocks: Sequence[int]) -> None:
    reference = Reference(name)
    conv, norm, deep = reference.conv, reference.norm, name == "resnet1d50"
    y = functional.max_pool1d(norm(conv(reference.x, 64, 7, 2)).relu(), 3, stride=2, padding=1)
    for number, (width, n_blocks) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
        n_out = 4 * width if deep else width
        for block in range(n_blocks):
            stride = 2 if number > 0 and block == 0 else 1
            if deep:
                inner = norm(conv(norm(conv(y, width, 1)).relu(), width, 3, stride)).relu()
                inner = norm(conv(inner, n_out, 1))
            else:
                inner = norm(conv(norm(conv(y, width, 3, stride)).relu(), width, 3))
            y = (inner + (norm(conv(y, n_out, 1, stride)) if stride > 1 or y.shape[1] != n_out else y)).relu()
    reference.check(reference.linear(reference.linear(y.mean(dim=2), 512).relu(), 3))


@pytest.mark.parametrize(("name", "blocks"), [("xresnet1d18", (2, 2, 2, 2)), ("xresnet1d50", (3, 4, 6, 3))])
def test_xresnets(name: str, blocks: Sequence[int]) -> None:
    reference = Reference(name)
    conv, norm, deep = reference.conv, reference.norm, name == "xresnet1d50"
    y = reference.x
    for width, stride in ((32, 2), (32, 1), (64, 1)):
        y = norm(conv(y, width, 5, stride)).relu()
    y = functional.max_pool1d(y, 3, stride=2, padding=1)
    n_out = 256 if deep else 64
    for number, n_blocks in enumerate(blocks):
        for block in range(n_blocks):
            stride = 2 if number > 0 and block == 0 else 1
            if deep:
                inner = norm(conv(norm(conv(y, 64, 1)).relu(), 64, 5, stride)).relu()
                inner = norm(conv(inner, n_out, 1))
            else:
                inner = norm(conv(norm(conv(y, 64, 5, stride)).relu(), 64, 5))
            if stride == 2:  # the average of a last frame without neighbour is that frame
                y = torch.stack([pair.mean(dim=2) for pair in y.split(2, dim=2)], dim=2)
            y = (inner + (y if y.shape[1] == n_out else norm(conv(y, n_out, 1)))).relu()
    reference.check(reference.benchmark_head(y))


def test_resnet1d_wang() -> None:
    reference = Reference("resnet1d_wang")
    conv, norm = reference.conv, reference.norm
    y = norm(conv(reference.x, 128, 7)).relu()
    for stride in (1, 2, 2):
        inner = norm(conv(norm(conv(y, 128, 5, stride)).relu(), 128, 3))
        y = (inner + (y if stride == 1 else norm(conv(y, 128, 1, stride)))).relu()
    reference.check(reference.benchmark_head(y))


def test_inception1d() -> None:
    reference = Reference("inception1d")
    conv, norm = reference.conv, reference.norm
    y = reference.x
    for _ in range(2):
        group_input = y
        for _ in range(3):
            narrow = conv(y, 32, 1)
            branches = [conv(narrow, 32, kernel) for kernel in (39, 19, 9)]
            branches.append(conv(functional.max_pool1d(y, 3, stride=1, padding=1), 32, 1))
            y = norm(torch.cat(branches, dim=1)).relu()
        y = (y + norm(conv(group_input, 128, 1))).relu()
    reference.check(reference.benchmark_head(y))


def test_densenet1d121() -> None:
    reference = Reference("densenet1d121")
    conv, norm = reference.conv, reference.norm
    y = functional.max_pool1d(norm(conv(reference.x, 64, 7, 2, bias=True)).relu(), 3, stride=2, padding=1)
    for n_layers in (6, 12, 24, 16):
        if n_layers > 6:
            y = functional.avg_pool1d(conv(norm(y).relu(), y.shape[1] // 2, 1, bias=True), 2)
        for _ in range(n_layers):
            inner = conv(norm(y).relu(), 128, 1, bias=True)
            y = torch.cat([y, conv(norm(inner).relu(), 32, 3, bias=True)], dim=1)
    assert y.shape[1] == 1024
    reference.check(reference.linear(norm(y).relu().mean(dim=2), 3))


@pytest.mark.parametrize(("name", "blocks"), [("small_resnet1d18", (2, 2, 2, 2)), ("small_resnet1d50", (3, 4, 6, 3))])
def test_small_resnets(name: str, blocks: Sequence[int]) -> None:
    reference = Reference(name)
    norm, deep = reference.norm, name == "small_resnet1d50"

    def padded(y: Tensor, stride: int) -> Tensor:
        """Pad as TensorFlow's SAME does for a kernel of 3: even lengths before a stride of 2 only at the end."""
        return functional.pad(y, (0, 1) if stride == 2 and y.shape[2] % 2 == 0 else (1, 1))

    def conv(y: Tensor, n_out: int, kernel: int, stride: int = 1) -> Tensor:
        y = padded(y, stride) if kernel == 3 else y
        return functional.conv1d(y, reference.take(n_out, y.shape[1], kernel), stride=stride)

    y = norm(conv(reference.x, 64, 3, 2)).relu()
    y = functional.max_pool1d(padded(y, 2), 3, stride=2)
    n_out = 256 if deep else 64
    for n_blocks in blocks:
        for stride in (2, *[1] * (n_blocks - 1)):
            if deep:
                inner = norm(conv(norm(conv(y, 64, 1)).relu(), 64, 3, stride)).relu()
                inner = norm(conv(inner, n_out, 1)).relu()
            else:
                inner = norm(conv(norm(conv(y, 64, 3, stride)).relu(), 64, 3)).relu()
            y = inner + (norm(conv(y, n_out, 1, 2)) if stride == 2 else y)
    pooled = torch.cat([y.amax(dim=2), y.mean(dim=2)], dim=1)
    reference.check(reference.linear(pooled, 3))


def image_of(layer: nn.Module) -> nn.Sequential:
    """Return the fast form of a layer, alone in a chain."""
    parts = nn.ModuleList([nn.Sequential(layer)])
    as_images(parts)
    (image,) = parts
    assert isinstance(image, nn.Sequential)
    return image


@pytest.mark.parametrize("n_in", [12, 48])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (3, 4), (5, 1), (5, 2), (39, 1)])
def test_image_layers_compute_1d_convolutions(n_in: int, kernel: int, stride: int) -> None:
    """Whether few or many channels, frames that the stride divides or not, one frame, or none behind the last."""
    for n_frames in (1, 2, 3, 32, 33, 34):
        plain = nn.Conv1d(n_in, 20, kernel, stride, padding=kernel // 2, bias=False).double()
        image = image_of(plain)
        x = torch.randn(3, n_in, n_frames, dtype=torch.float64)
        results = []
        for layer in (plain, image):
            given = x.clone().requires_grad_()
            output = layer(given)
            (output * torch.linspace(1, 2, output.shape[2])).square().sum().backward()
            results.append((output, given.grad, next(layer.parameters()).grad))
        for expected, found in zip(*results, strict=True):
            torch.testing.assert_close(found, expected)


def test_only_the_wanted_gradients_are_computed() -> None:
    layer = image_of(nn.Conv1d(48, 20, 3, padding=1, bias=False))
    layer(torch.randn(2, 48, 9)).sum().backward()
    assert layer[0].weight.grad is not None
    layer.requires_grad_(False)
    layer[0].weight.grad = None
    x = torch.randn(2, 48, 9, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer[0].weight.grad is None


@pytest.mark.parametrize("other", [{"bias": True}, {"padding": 0}, {"padding": 2, "dilation": 2}, {"groups": 4}])
def test_convolutions_that_would_come_out_differently_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be an image"):
        image_of(nn.Conv1d(48, 20, 3, **{"padding": 1, "bias": False, **other}))


def kernels_of(model: nn.Module) -> list[nn.Conv1d]:
    return [module for module in model.modules() if isinstance(module, nn.Conv1d)]


BENCHMARK = ("xresnet1d50", "inception1d", "resnet1d_wang")


@pytest.mark.parametrize("name", ["resnet1d50", "densenet1d121", *BENCHMARK])
def test_kernels_start_as_in_the_originals(name: str) -> None:
    """He et al. 2015, equations 10 (per input) and 14 (per output of a layer, which Nguyen & Do took)."""
    torch.manual_seed(0)
    model: Any = build_model(name, 12, 64, 5)
    ratios = []
    for kernel in kernels_of(model):
        n_terms = (kernel.out_channels if name == "resnet1d50" else kernel.in_channels) * kernel.kernel_size[0]
        ratios.append(kernel.weight.std().item() / math.sqrt(2 / n_terms))
    assert min(ratios) > 0.9
    assert max(ratios) < 1.1


@pytest.mark.parametrize("name", BENCHMARK)
def test_linear_layers_of_the_benchmark_start_likewise(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, 12, 64, 50)
    for layer in (model.neck[3], model.head):  # type: ignore[index]
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / layer.in_features), rel=0.1)
        assert (layer.bias == 0).all()


PARAMETERS = {
    # Nguyen & Do 2025, from their code, by number of labels
    "resnet1d18": {2: 4_112_514, 5: 4_114_053, 7: 4_115_079, 9: 4_116_105, 10: 4_116_618},
    "resnet1d50": {2: 17_009_282, 5: 17_010_821, 7: 17_011_847, 9: 17_012_873, 10: 17_013_386},
    "resnet1d101": {2: 29_316_738, 5: 29_318_277, 7: 29_319_303, 9: 29_320_329, 10: 29_320_842},
    # Avetisyan et al. 2023, from their code
    "densenet1d121": {1: 5_535_681},
    "small_resnet1d18": {1: 218_113},
    "small_resnet1d50": {1: 938_881},
    "small_resnet1d101": {1: 1_717_889},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_numbers_of_parameters_of_the_literature(name: str) -> None:
    for n_labels, expected in PARAMETERS[name].items():
        with torch.device("meta"):
            model = build_model(name, 12, 1000, n_labels)
        assert sum(parameter.numel() for parameter in model.parameters()) == expected
