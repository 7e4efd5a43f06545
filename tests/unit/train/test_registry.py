"""The registry's figures are those of the models that it names, and docs/models.md shows them."""

import csv
import math
from pathlib import Path

import pytest
import torch
from docs.write_models_table import PAGE, with_table
from torch import nn

from ecgtransfer.errors import InputError
from ecgtransfer.kernels.layers import Recurrent
from ecgtransfer.train import registry
from ecgtransfer.train.flops import forward_flops
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.models.patch_transformer import TransformerBlock
from ecgtransfer.train.models.s4d import DiagonalStateSpace
from ecgtransfer.train.registry import REGISTRY, build_model, forward_flops_by_registry

torch.set_num_threads(1)

TABLE = Path(registry.__file__).with_suffix(".csv")

with TABLE.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
every_row = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


@every_row
def test_parameters_and_arithmetic(row: dict[str, str]) -> None:
    model = build_model(row["name"], 12, 1000, 5)
    found = {
        "parameters": str(sum(parameter.numel() for parameter in model.parameters())),
        "mflops": str(round(forward_flops(model, 12, 1000) / 1e6)),
    }
    assert {key: row[key] for key in found} == found, f"{row['name']} in {TABLE.name} should have {found}"


@every_row
def test_receptive_field(row: dict[str, str]) -> None:
    found = receptive_field(row["name"])
    assert row["receptive_field"] == found, f"{row['name']} in {TABLE.name} should have the receptive field {found}"


def receptive_field(name: str) -> str:
    """Return from how many samples one frame of what the neck sees is made; "all" if from all, or all before it.

    What is no number stays no number, so it goes back from the frame to every sample behind it, however small the
    weights between them.
    """
    n_samples = 4096
    model = without_maxima(build_model(name, 2, n_samples, 1)).eval()
    x = torch.randn(1, 2, n_samples, requires_grad=True)
    frames = model.sequence(x)

    def behind(frame: int) -> list[int]:
        not_a_number = torch.full_like(frames[:, :, frame], math.nan)
        (gradient,) = torch.autograd.grad(frames[:, :, frame], x, not_a_number, retain_graph=True)
        samples: list[int] = gradient.isnan().any(dim=1)[0].nonzero()[:, 0].tolist()
        return samples

    if len(behind(frames.shape[2] - 1)) == n_samples:
        return "all"
    samples = behind(frames.shape[2] // 2)
    assert 0 < samples[0] < samples[-1] < n_samples - 1, "neither all samples nor few enough to count them"
    return str(samples[-1] - samples[0] + 1)


def without_maxima(model: EcgModel) -> EcgModel:
    """Make maximum pooling average, for a gradient goes back to the largest sample only."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool1d | nn.MaxPool2d):
                average = nn.AvgPool1d if isinstance(child, nn.MaxPool1d) else nn.AvgPool2d
                setattr(module, name, average(child.kernel_size, child.stride, child.padding))
    return model


@every_row
def test_family_is_that_of_the_layers(row: dict[str, str]) -> None:
    kinds = [type(module) for module in build_model(row["name"], 12, 1000, 5).modules()]
    by_layer = {Recurrent: "recurrent", DiagonalStateSpace: "state space", TransformerBlock: "attention"}
    found = {family for layer, family in by_layer.items() if layer in kinds}
    assert {REGISTRY[row["name"]].family} == (found or {"convolutional"})


def test_page_has_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "`make docs` writes docs/models.md"
    assert all(f"| `{row['name']}` | {row['paper']} |" in page for row in ROWS)


def test_names_are_told_apart() -> None:
    assert len(REGISTRY) == len(ROWS)
    assert all(row["paper"] and "https://" in row["paper"] for row in ROWS)


def test_unknown_model_is_named() -> None:
    with pytest.raises(InputError, match=r"transfer\.models: 'vgg' is not a model; known are resnet1d18, "):
        build_model("vgg", 12, 64, 2)


def test_a_model_may_have_a_name_of_the_studys_own() -> None:
    flattened, pooled = (build_model("mine", 12, 100, 5, {"of": "gru", "head": head}) for head in ("flatten", "pool"))
    assert flattened.head.in_features > 10 * pooled.head.in_features
    assert pooled.state_dict().keys() == build_model("gru", 12, 100, 5, {"head": "pool"}).state_dict().keys()
    assert forward_flops_by_registry("mine", 1000, {"of": "gru"}) == forward_flops_by_registry("gru", 1000)
    with pytest.raises(InputError, match="'mine' is not a model"):
        build_model("mine", 12, 100, 5)
