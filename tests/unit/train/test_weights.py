"""Weights as files, what fine-tuning takes over from them, and weights that were trained elsewhere."""

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from toy_model import inputs, toy_model

from ecgtransfer.errors import InputError
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import import_outside_weights, load_all_but_head, save_tensors, save_weights

torch.set_num_threads(1)


def used_model(seed: int = 1, **options: Any) -> EcgModel:
    """Return a model that has seen some records, so that its buffers are not those of a new one."""
    model = toy_model(seed, **options)
    model(*inputs(seed))
    return model.eval()


def without(beginning: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(beginning)}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def test_file_holds_every_weight_and_buffer(tmp_path: Path) -> None:
    model = used_model(n_labels=4)
    save_weights(model, "toy", ["AF", "Größe", "SB", "x"], tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["ecgtransfer"]) == {"model": "toy", "labels": ["AF", "Größe", "SB", "x"]}
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dict)
    assert stored.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert stored[key].dtype == tensor.numpy().dtype
        assert stored[key].tobytes() == tensor.numpy().tobytes(), key
    for _ in range(5):
        save_tensors(model.state_dict(), "toy", ["AF", "Größe", "SB", "x"], tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.safetensors", "weights.safetensors"]


@pytest.mark.parametrize("age_sex", [False, True])
def test_all_but_the_head_comes_from_the_source(tmp_path: Path, age_sex: bool) -> None:
    source = used_model(n_labels=4, age_sex=age_sex) if age_sex else toy_model(1, n_labels=4, age_sex=False)
    save_weights(source, "toy", list("abcd"), tmp_path / "weights.safetensors")
    scratch, finetuned = (toy_model(0, n_labels=3, age_sex=age_sex) for _ in range(2))
    state_of_generator = torch.get_rng_state()
    transfer = load_all_but_head(finetuned, "toy", tmp_path / "weights.safetensors")
    assert torch.equal(torch.get_rng_state(), state_of_generator)  # the order of batches stays that of scratch
    for key, tensor in finetuned.state_dict().items():
        origin = scratch if key.startswith("head.") else source
        assert torch.equal(tensor, origin.state_dict()[key]), key
    assert not same(without("head.", source.state_dict()), without("head.", scratch.state_dict()))
    assert all(parameter.requires_grad for parameter in finetuned.parameters())

    n_head = sum(parameter.numel() for parameter in finetuned.head.parameters())
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


def test_of_weights_of_stages_alone_everything_else_stays_new(tmp_path: Path) -> None:
    source, model, new = used_model(), toy_model(), toy_model()
    save_weights(source, "toy", [], tmp_path / "w.safetensors", stages_only=True)
    transfer = load_all_but_head(model, "toy", tmp_path / "w.safetensors")
    for name, tensor in model.state_dict().items():
        origin = source if name.startswith("stages.") else new
        assert torch.equal(tensor, origin.state_dict()[name]), name
    n_stages = sum(parameter.numel() for parameter in model.stages.parameters())
    n_others = sum(parameter.numel() for parameter in model.parameters()) - n_stages
    assert (transfer.transferred_weights, transfer.new_weights) == (n_stages, n_others)


def refused(path: Path, message: str, **options: Any) -> None:
    """Assert that weights are refused in one line that names the file, and that the model is as before."""
    model = toy_model(**options)
    with pytest.raises(InputError, match=message) as refusal:
        load_all_but_head(model, "toy", path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)
    assert same(model.state_dict(), toy_model(**options).state_dict())


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_weights(toy_model(), "resnet1d18", ["a", "b"], tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", "holds the weights of 'resnet1d18', expected 'toy'")


def test_weights_without_a_name_are_refused(tmp_path: Path) -> None:
    save_file(toy_model().state_dict(), tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", "holds the weights of '', expected 'toy'")


def test_layers_of_another_shape_are_named_with_both(tmp_path: Path) -> None:
    save_weights(toy_model(n_leads=8), "toy", ["a", "b"], tmp_path / "w.safetensors")
    refused(
        tmp_path / "w.safetensors",
        r": of another shape: stages\.0\.0\.weight is \(4, 8, 3\), expected \(4, 3, 3\); delete the file so that",
    )


def test_missing_and_unknown_layers_are_named(tmp_path: Path) -> None:
    tensors = without("neck.1.bias", toy_model().state_dict()) | {"stages.3.0.weight": torch.zeros(2)}
    save_tensors(tensors, "toy", [], tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", r"not those of 'toy': missing: neck\.1\.bias; unknown: stages\.3\.0\.weight; ")


@pytest.mark.parametrize(("n_absent", "ending"), [(5, "; delete"), (6, r" and 1 more; delete"), (9, r" and 4 more; ")])
def test_five_layers_are_named_and_the_rest_counted(tmp_path: Path, n_absent: int, ending: str) -> None:
    names = [name for name in toy_model().state_dict() if not name.startswith("head.")][:n_absent]
    tensors = {name: tensor for name, tensor in toy_model().state_dict().items() if name not in names}
    save_tensors(tensors, "toy", [], tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", f": missing: {', '.join(names[:5])}{ending}")


def test_model_with_age_and_sex_wants_their_layers(tmp_path: Path) -> None:
    save_weights(toy_model(age_sex=False), "toy", ["a", "b"], tmp_path / "without.safetensors")
    refused(tmp_path / "without.safetensors", r"missing: age_sex\.0\.weight, age_sex\.0\.bias;")
    save_weights(toy_model(), "toy", ["a", "b"], tmp_path / "with.safetensors")
    refused(tmp_path / "with.safetensors", r"unknown: age_sex\.0\.", age_sex=False)


@pytest.mark.parametrize("damage", ["absent", "empty", "truncated", "text", "folder"])
def test_files_that_are_no_safetensors_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    if damage == "folder":
        path.mkdir()
    elif damage != "absent":
        save_weights(toy_model(), "toy", ["a", "b"], path)
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "truncated": whole[:-10], "text": b"weights " * 100}[damage])
    refused(path, "is not a readable safetensors file")


# Weights from outside.

SOURCE = used_model(n_labels=7).state_dict()
BODY = without("head.", SOURCE)


def imported(path: Path, names: dict[str, str] | None = None) -> dict[str, Tensor]:
    return import_outside_weights(path, "toy", toy_model(), names)


def not_imported(path: Path, message: str, names: dict[str, str] | None = None) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        imported(path, names)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        SOURCE,
        OrderedDict(BODY),
        {"state_dict": SOURCE, "epoch": 3},
        {"model": SOURCE, "optimizer": torch.optim.Adam(toy_model().parameters()).state_dict()},
        {"weights": BODY, "config": {"lr": 0.1}},
    ],
    ids=["bare", "without-head", "state_dict", "model", "any-name"],
)
@pytest.mark.parametrize("as_zip", [True, False])
def test_state_dicts_are_imported(tmp_path: Path, content: dict[str, Any], as_zip: bool) -> None:
    torch.save(content, tmp_path / "theirs.pt", _use_new_zipfile_serialization=as_zip)
    assert same(imported(tmp_path / "theirs.pt"), BODY)


def test_imported_weights_enter_a_model_like_those_of_a_source(tmp_path: Path) -> None:
    save_file(SOURCE, tmp_path / "theirs.safetensors")
    own = toy_model()
    tensors = import_outside_weights(tmp_path / "theirs.safetensors", "toy", own)
    assert list(tensors) == [name for name in own.state_dict() if not name.startswith("head.")]
    assert same(own.state_dict(), toy_model().state_dict())
    save_tensors(tensors, "toy", [], tmp_path / "ours.safetensors")
    assert same(load_file(tmp_path / "ours.safetensors"), BODY)
    transfer = load_all_but_head(own, "toy", tmp_path / "ours.safetensors")
    assert same(without("head.", own.state_dict()), BODY)
    n_head = sum(parameter.numel() for parameter in own.head.parameters())
    assert transfer.new_weights == n_head
    source = used_model(n_labels=7)
    assert torch.equal(own.eval().features(*inputs(3)), source.features(*inputs(3)))


def test_layers_get_our_names(tmp_path: Path) -> None:
    theirs = {f"backbone.{number}": tensor for number, tensor in enumerate(BODY.values())}
    names = dict(zip(theirs, BODY, strict=True)) | {"fc.weight": "", "cls.bias": "head.bias"}
    torch.save(theirs | {"fc.weight": torch.zeros(2, 2), "cls.bias": torch.zeros(9)}, tmp_path / "theirs.pth")
    assert same(imported(tmp_path / "theirs.pth", names), BODY)
    mostly_ours = {("conv" if name == "stages.0.0.weight" else name): tensor for name, tensor in BODY.items()}
    torch.save(mostly_ours, tmp_path / "mostly.pth")
    assert same(imported(tmp_path / "mostly.pth", {"conv": "stages.0.0.weight"}), BODY)


def test_data_types_are_ours_and_counters_may_lack(tmp_path: Path) -> None:
    theirs = {name: tensor.double() for name, tensor in BODY.items() if not name.endswith("num_batches_tracked")}
    torch.save(theirs, tmp_path / "theirs.pt")
    tensors = imported(tmp_path / "theirs.pt")
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {name: own.dtype for name, own in BODY.items()}
    for name, tensor in tensors.items():
        assert torch.equal(tensor, BODY[name] if name in theirs else torch.tensor(0)), name


def test_tied_and_transposed_tensors_can_be_saved(tmp_path: Path) -> None:
    square = torch.arange(16.0).reshape(4, 4)
    model = nn.ModuleDict({"one": nn.Linear(4, 4), "two": nn.Linear(4, 4)})
    shared = torch.zeros(4)
    torch.save(
        {"one.weight": square.T, "one.bias": shared, "two.weight": square, "two.bias": shared}, tmp_path / "theirs.pt"
    )
    save_tensors(import_outside_weights(tmp_path / "theirs.pt", "toy", model), "toy", [], tmp_path / "ours.safetensors")
    stored = load_file(tmp_path / "ours.safetensors")
    assert torch.equal(stored["one.weight"], square.T)
    assert torch.equal(stored["two.weight"], square)


def test_layers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    theirs = without("stages.1.0.bias", BODY) | {"stages.0.0.weight": torch.zeros(4, 12, 7), "fc.bias": torch.zeros(2)}
    torch.save(theirs, tmp_path / "theirs.pt")
    not_imported(
        tmp_path / "theirs.pt",
        r"layers are not those of 'toy': missing: stages\.1\.0\.bias; of another shape: stages\.0\.0\.weight is"
        r" \(4, 12, 7\), expected \(4, 3, 3\); unknown: fc\.bias; its outside_weights entry takes a table of names",
    )


def test_layers_of_other_names_are_all_told(tmp_path: Path) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in BODY.items()}, tmp_path / "theirs.pt")
    first = [name for name in toy_model().state_dict() if not name.startswith("head.")][:5]
    left = len(BODY) - 5
    not_imported(
        tmp_path / "theirs.pt",
        f"missing: {', '.join(first)}.* more; unknown: {', '.join(f'module.{name}' for name in first)} and {left} more",
    )


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        (torch.full((4, 3, 3), torch.nan), "stages.0.0.weight"),
        (torch.full((4,), torch.inf), "stages.0.1.running_var"),
        (torch.ones(4, 3, 3, dtype=torch.int8), "stages.0.0.weight"),
        (torch.ones(4, 3, 3, dtype=torch.complex64), "stages.0.0.weight"),
    ],
)
def test_values_that_are_no_weights_are_refused(tmp_path: Path, tensor: Tensor, name: str) -> None:
    torch.save(BODY | {name: tensor}, tmp_path / "theirs.pt")
    not_imported(tmp_path / "theirs.pt", rf"not all values are finite floating-point numbers in layers {name}$")


def test_table_of_names_is_checked(tmp_path: Path) -> None:
    torch.save(BODY | {"extra": torch.zeros(4, 3, 3)}, tmp_path / "theirs.pt")
    absent = {"extra": "", "a": "x", "b": "y"}
    not_imported(tmp_path / "theirs.pt", r"has no layers a, b, which the table of names has in column theirs", absent)
    twice = {"extra": "stages.0.0.weight"}
    not_imported(tmp_path / "theirs.pt", r"two of its layers become stages\.0\.0\.weight", twice)


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickles_with_code_are_refused_and_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for number, content in enumerate([Harmful(made), {"state_dict": BODY, "extra": Harmful(made)}, toy_model()]):
        torch.save(content, tmp_path / f"{number}.pt")
        not_imported(tmp_path / f"{number}.pt", "cannot be read as tensors alone.*Python objects, which could run code")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Harmful(made)))
    not_imported(tmp_path / "plain.pt", "cannot be read as tensors alone")
    assert not made.exists()
    pickle.loads(pickle.dumps(Harmful(made)))  # noqa: S301 (to see that the file could have been made)
    assert made.exists()


@pytest.mark.parametrize("damage", ["empty", "truncated", "half", "text", "noise"])
@pytest.mark.parametrize("as_zip", [True, False])
def test_damaged_files_are_one_clear_line(tmp_path: Path, damage: str, as_zip: bool) -> None:
    torch.save(BODY, tmp_path / "theirs.pt", _use_new_zipfile_serialization=as_zip)
    whole = (tmp_path / "theirs.pt").read_bytes()
    noise = torch.randint(0, 256, (2000,), generator=torch.Generator().manual_seed(1)).to(torch.uint8).numpy().tobytes()
    shown = {
        "empty": b"",
        "truncated": whole[:-10],
        "half": whole[: len(whole) // 2],
        "text": b"weights ",
        "noise": noise,
    }
    (tmp_path / "theirs.pt").write_bytes(shown[damage])
    not_imported(tmp_path / "theirs.pt", "cannot be read as tensors alone, it is damaged or")


def test_files_that_cannot_be_opened_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    for name in ("absent.pt", "folder.pt"):
        not_imported(tmp_path / name, r"cannot be read \(")
    not_imported(tmp_path / "absent.safetensors", "is not a readable safetensors file .*download or copy it again$")


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ([torch.zeros(2)], 0),
        (torch.zeros(2), 0),
        ({}, 0),
        ({"epoch": 3}, 0),
        ({**BODY, "epoch": 3}, 0),
        ({"outer": {"inner": BODY}}, 0),
        ({"model": BODY, "model_ema": BODY}, 2),
    ],
    ids=["list", "tensor", "empty", "numbers", "mixed", "two-levels", "two"],
)
def test_files_without_one_state_dict_are_refused(tmp_path: Path, content: Any, number: int) -> None:
    torch.save(content, tmp_path / "theirs.pt")
    not_imported(tmp_path / "theirs.pt", rf"should hold one state dict.*but holds {number}; save one alone")
