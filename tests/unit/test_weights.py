"""Weights as files, and what fine-tuning takes over from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from ecgtransfer.errors import InputError
from ecgtransfer.train.loop import fix_seeds
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import load_all_but_head, save_weights

torch.set_num_threads(1)

MODELS = [("resnet1d18", {}), ("gru", {"head": "pool"}), ("gru", {"head": "flatten"})]
every_model = pytest.mark.parametrize(("name", "options"), MODELS)


def seeded_model(seed: int, name: str, options: dict[str, Any], n_labels: int) -> nn.Module:
    """Return a model that has seen some records, so that its buffers are not those of a new one."""
    fix_seeds(seed)
    model = build_model(name, 12, 64, n_labels, options)
    if seed:
        model(3 * torch.randn(4, 12, 64) + 1)
    return model


@every_model
def test_file_holds_every_weight_and_buffer(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    model = seeded_model(1, name, options, 4)
    save_weights(model, name, ["AF", "Größe", "SB", "x"], tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["ecgtransfer"]) == {"model": name, "labels": ["AF", "Größe", "SB", "x"]}
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dict)
    assert stored.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert stored[key].dtype == tensor.numpy().dtype
        assert stored[key].tobytes() == tensor.numpy().tobytes(), key
    for _ in range(5):
        save_weights(model, name, ["AF", "Größe", "SB", "x"], tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.safetensors", "weights.safetensors"]


@every_model
def test_all_but_the_head_comes_from_the_source(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    source = seeded_model(1, name, options, 4)
    save_weights(source, name, list("abcd"), tmp_path / "weights.safetensors")
    scratch, finetuned = (seeded_model(0, name, options, 3) for _ in range(2))
    state_of_generator = torch.get_rng_state()
    transfer = load_all_but_head(finetuned, name, tmp_path / "weights.safetensors")
    assert torch.equal(torch.get_rng_state(), state_of_generator)  # the order of batches stays that of scratch
    differing = set()
    for key, tensor in finetuned.state_dict().items():
        if key.startswith("head."):
            assert torch.equal(tensor, scratch.state_dict()[key]), key
        else:
            assert torch.equal(tensor, source.state_dict()[key]), key
            differing |= {key} if not torch.equal(tensor, scratch.state_dict()[key]) else set()
    assert differing  # source and scratch are not the same to begin with
    assert all(parameter.requires_grad for parameter in finetuned.parameters())

    n_head = sum(parameter.numel() for parameter in finetuned.get_submodule("head").parameters())
    n_all = sum(parameter.numel() for parameter in finetuned.parameters())
    assert (transfer.transferred_weights, transfer.new_weights) == (n_all - n_head, n_head)


@pytest.mark.parametrize(
    ("name", "options", "transferred", "new"),
    [
        ("resnet1d18", {}, 4_114_053 - 513 * 5, 513 * 5),  # totals: Nguyen & Do 2025
        ("gru", {"head": "flatten"}, 34_200, 534_205 - 34_200),
        ("gru", {"head": "pool"}, 34_200, 201 * 5),
    ],
)
def test_share_of_weights_that_is_transferred(
    tmp_path: Path, name: str, options: dict[str, Any], transferred: int, new: int
) -> None:
    save_weights(build_model(name, 12, 1000, 10, options), name, list("abcdefghij"), tmp_path / "w.safetensors")
    transfer = load_all_but_head(build_model(name, 12, 1000, 5, options), name, tmp_path / "w.safetensors")
    assert (transfer.transferred_weights, transfer.new_weights) == (transferred, new)


def refused(model: nn.Module, path: Path, message: str) -> None:
    """Assert that weights are refused in one line that names the file, and that the model is as before."""
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(InputError, match=message) as refusal:
        load_all_but_head(model, "gru", path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def gru() -> nn.Module:
    return build_model("gru", 12, 64, 3, {"head": "pool"})


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_weights(gru(), "resnet1d18", ["a", "b", "c"], tmp_path / "weights.safetensors")
    refused(gru(), tmp_path / "weights.safetensors", "holds the weights of 'resnet1d18', expected 'gru'")


def test_weights_without_a_name_are_refused(tmp_path: Path) -> None:
    save_file({key: tensor.numpy() for key, tensor in gru().state_dict().items()}, tmp_path / "weights.safetensors")
    refused(gru(), tmp_path / "weights.safetensors", "holds the weights of '', expected 'gru'")


def test_layers_of_another_shape_are_named(tmp_path: Path) -> None:
    save_weights(build_model("gru", 8, 64, 3, {"head": "pool"}), "gru", ["a", "b", "c"], tmp_path / "w.safetensors")
    refused(gru(), tmp_path / "w.safetensors", r"layers recurrent\.weight_ih_l0 are not those of 'gru'")


@pytest.mark.parametrize(("absent", "added"), [("recurrent.bias_hh_l0", None), (None, "recurrent.weight_ih_l1")])
def test_missing_and_surplus_layers_are_named(tmp_path: Path, absent: str | None, added: str | None) -> None:
    tensors = {key: tensor.numpy() for key, tensor in gru().state_dict().items() if key != absent}
    if added:
        tensors[added] = np.zeros((300, 100), dtype=np.float32)
    save_file(tensors, tmp_path / "weights.safetensors", metadata={"ecgtransfer": '{"model": "gru"}'})
    refused(gru(), tmp_path / "weights.safetensors", f"layers {absent or added} are not those of 'gru'")


@pytest.mark.parametrize("damage", ["absent", "empty", "truncated", "text", "folder"])
def test_files_that_are_no_safetensors_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    if damage == "folder":
        path.mkdir()
    elif damage != "absent":
        save_weights(gru(), "gru", ["a", "b", "c"], path)
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "truncated": whole[:-10], "text": b"weights " * 100}[damage])
    refused(gru(), path, "is not a readable safetensors file")
