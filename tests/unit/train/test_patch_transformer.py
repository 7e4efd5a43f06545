"""The transformer against torch's own encoder layer, and how it cuts and places patches."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.models.patch_transformer import (
    PATCH,
    WIDTH,
    Patches,
    TransformerBlock,
    patch_transformer,
    sinusoidal_positions,
)

torch.set_num_threads(1)


def new_model(n_samples: int = 200) -> EcgModel:
    torch.manual_seed(0)
    return patch_transformer(12, n_samples, 3).eval()


def by_torch(block: TransformerBlock) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(WIDTH, 3, 4 * WIDTH, activation="gelu", batch_first=True, norm_first=True)
    weights = block.state_dict()
    names = {
        "attention_norm.": "norm1.",
        "queries_keys_values.": "self_attn.in_proj_",
        "attention_out.0.": "self_attn.out_proj.",
        "mlp.0.": "norm2.",
        "mlp.1.": "linear1.",
        "mlp.3.": "linear2.",
    }
    layer.load_state_dict(
        {theirs + kind: weights[ours + kind] for ours, theirs in names.items() for kind in ("weight", "bias")}
    )
    return layer.eval()


def test_a_block_is_a_transformer_encoder_layer() -> None:
    torch.manual_seed(0)
    block = TransformerBlock().eval()
    for weight in block.parameters():
        nn.init.normal_(weight, std=0.1)
    x = torch.randn(3, WIDTH, 17)
    expected = by_torch(block).train(False)(x.transpose(1, 2)).transpose(1, 2)
    assert torch.allclose(block(x), expected, atol=1e-5)
    assert not torch.allclose(block(x), x, atol=0.1)


def test_patches_are_products_with_their_samples() -> None:
    torch.manual_seed(0)
    patches, x = Patches(12).eval(), torch.randn(2, 12, 60)
    weight, bias = (patches.embedding.get_parameter(name).detach().double().numpy() for name in ("weight", "bias"))
    found = patches(x).detach() - sinusoidal_positions(3)
    for number in range(3):
        samples = x[:, :, number * PATCH : (number + 1) * PATCH].double().numpy()
        assert np.allclose(found[:, :, number], np.tensordot(samples, weight, ([1, 2], [1, 2])) + bias, atol=1e-5)


def test_positions_are_sines_and_cosines() -> None:
    found = sinusoidal_positions(60)
    assert found.shape == (WIDTH, 60)
    for channel in (0, 1, 50, 95):
        for patch in (0, 1, 59):
            angle = patch / 10_000 ** (channel / (WIDTH / 2))
            assert math.isclose(found[channel, patch], math.sin(angle), abs_tol=1e-5)
            assert math.isclose(found[channel + WIDTH // 2, patch], math.cos(angle), abs_tol=1e-5)


@pytest.mark.parametrize("n_samples", [64, 101, 997, 1000])
def test_the_last_patch_is_filled_up_with_zeros(n_samples: int) -> None:
    model = new_model(n_samples)
    x = torch.randn(2, 12, n_samples)
    n_patches = math.ceil(n_samples / PATCH)
    longer = torch.zeros(2, 12, n_patches * PATCH)
    longer[:, :, :n_samples] = x
    with torch.no_grad():
        assert model.sequence(x).shape == (2, WIDTH, n_patches)
        assert torch.equal(model(x), model(longer))


def test_order_of_patches_matters() -> None:
    model, x = new_model(), torch.randn(1, 12, 200)
    patches = list(x.split(PATCH, dim=2))
    with torch.no_grad():
        assert not torch.allclose(model(torch.cat(patches[::-1], dim=2)), model(x), atol=1e-3)


def test_every_patch_attends_to_every_other() -> None:
    model, x = new_model(), torch.randn(1, 12, 200, requires_grad=True)

    def samples_behind(patch: int, frames: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(frames[0, :, patch].square().sum(), x, retain_graph=True)
        return (gradient != 0).any(dim=1)[0]

    assert samples_behind(0, model.stages[0](x)).sum() == PATCH
    frames = model.stages[1](model.stages[0](x))
    assert samples_behind(0, frames).all()
    assert samples_behind(9, frames).all()


def test_features_are_the_mean_of_normalised_patches() -> None:
    model, x = new_model(), torch.randn(2, 12, 200)
    with torch.no_grad():
        frames = model.sequence(x).double()
        normal = (frames - frames.mean(dim=1, keepdim=True)) / frames.std(dim=1, unbiased=False, keepdim=True)
        assert torch.allclose(model.features(x), normal.mean(dim=2).float(), atol=1e-4)
