"""Trained weights as safetensors files, how they enter a new model, and weights that were trained elsewhere."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.files import written_whole
from ecgtransfer.system_errors import stop_if_it_may_pass

HEAD = "head."
STAGES = "stages."
"""Everything that pre-training on hidden patches trains in a model."""

_COUNTER = "num_batches_tracked"  # of batch normalisation; many libraries write none, and nothing here reads it
_ENTRY = "ecgtransfer"  # one entry of metadata: safetensors writes several in an order that changes from file to file
_NAMED = 5  # layers per kind of mistake


@dataclass(frozen=True)
class Transfer:
    """What a model took over from a source and what is new in it, in numbers of weights."""

    transferred_weights: int
    new_weights: int


def save_weights(
    model: nn.Module, model_name: str, label_names: list[str], path: Path, stages_only: bool = False
) -> None:
    """Write all weights and buffers of a model, or of its stages, with its name and labels as metadata."""
    tensors = model.state_dict()
    if stages_only:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(STAGES)}
    save_tensors(tensors, model_name, label_names, path)


def save_tensors(tensors: Mapping[str, Tensor], model_name: str, label_names: list[str], path: Path) -> None:
    """Write weights and buffers by their names in the model, as `save_weights` does."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written_whole(path) as temporary:
        save_file(stored, temporary, metadata={_ENTRY: json.dumps({"model": model_name, "labels": label_names})})


def load_all_but_head(model: nn.Module, model_name: str, path: Path) -> Transfer:
    """Overwrite everything but the head of `model` with the weights of a pre-trained one.

    Where the file holds stages alone, neck and age and sex stay new, too.

    Raises
    ------
    InputError
        If the file is no safetensors file, holds another model, or has other layers or shapes; the layers are named.
    """
    given, _ = _read_own(path, model_name)
    given, own = _without_head(given), _without_head(model.state_dict())
    if all(name.startswith(STAGES) for name in given):
        own = {name: tensor for name, tensor in own.items() if name.startswith(STAGES)}
    _require_same_layers(given, own, model_name, path, remedy="delete the file so that it is rebuilt")
    model.load_state_dict({**model.state_dict(), **given})
    new = sum(parameter.numel() for name, parameter in model.named_parameters() if name not in given)
    everything = sum(parameter.numel() for parameter in model.parameters())
    return Transfer(transferred_weights=everything - new, new_weights=new)


def labels_in_weights(path: Path, model_name: str) -> list[str]:
    """Return the labels that the head of a pre-trained model predicts; InputError as `load_all_but_head`."""
    return _read_own(path, model_name)[1]


def load_with_head(model: nn.Module, model_name: str, path: Path) -> None:
    """Overwrite `model` with all weights of a pre-trained one that has the same labels.

    Raises
    ------
    InputError
        If the file is no safetensors file, holds another model, or has other layers or shapes; the layers are named.
    """
    given, _ = _read_own(path, model_name)
    _require_same_layers(given, model.state_dict(), model_name, path, remedy="delete the file so that it is rebuilt")
    model.load_state_dict(given)


def import_outside_weights(
    path: Path, model_name: str, model: nn.Module, names: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Return weights that were trained elsewhere, as `save_tensors` takes them, without those of a head.

    Parameters
    ----------
    path
        A ``.safetensors`` file, or one of ``torch.save`` with a state dict, at the top or one level below. Files with
        Python objects are refused, because reading those can run code.
    model_name
        For messages.
    model
        One that the weights should fit; it is not changed. How many labels it has does not matter.
    names
        What their layers are called here; an empty name leaves a layer out. Others keep their names.

    Returns
    -------
    dict of Tensor
        Every weight and buffer of `model` below the head, in its order and data types, on the CPU.

    Raises
    ------
    InputError
        If the file cannot be read as tensors alone, or if layers are missing, too many, of another shape or not finite;
        the layers are named.
    """
    given = _without_head(_renamed(_read_outside(path), names or {}, path))
    own = _without_head(model.state_dict())
    given |= {name: tensor for name, tensor in own.items() if name.endswith(_COUNTER) and name not in given}
    _require_same_layers(
        given, own, model_name, path, remedy="its outside_weights entry takes a table of names with columns theirs,ours"
    )
    unusable = [name for name, tensor in given.items() if not _is_usable(tensor, own[name])]
    if unusable:
        raise InputError(f"{path}: not all values are finite floating-point numbers in layers {_first(unusable)}")
    return {name: given[name].detach().to("cpu", tensor.dtype, copy=True) for name, tensor in own.items()}


def _without_head(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(HEAD)}


def _require_same_layers(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], model_name: str, path: Path, remedy: str
) -> None:
    mistakes = {
        "missing": [name for name in own if name not in given],
        "of another shape": [
            f"{name} is {tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
            for name, tensor in own.items()
            if name in given and given[name].shape != tensor.shape
        ],
        "unknown": [name for name in given if name not in own],
    }
    found = "; ".join(f"{kind}: {_first(layers)}" for kind, layers in mistakes.items() if layers)
    if found:
        raise InputError(f"{path}: its layers are not those of '{model_name}': {found}; {remedy}")


def _first(layers: Sequence[str]) -> str:
    left = len(layers) - _NAMED
    return ", ".join(layers[:_NAMED]) + (f" and {left} more" if left > 0 else "")


def _is_usable(given: Tensor, own: Tensor) -> bool:
    return given.is_floating_point() == own.is_floating_point() and bool(given.isfinite().all())


def _renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path) -> dict[str, Tensor]:
    absent = [name for name in names if name not in tensors]
    if absent:
        raise InputError(f"{path}: has no layers {_first(absent)}, which the table of names has in column theirs")
    renamed: dict[str, Tensor] = {}
    for theirs, tensor in tensors.items():
        ours = names.get(theirs, theirs)
        if ours in renamed:
            raise InputError(f"{path}: two of its layers become {ours}; give one of them another name or none")
        if ours:
            renamed[ours] = tensor
    return renamed


def _read_outside(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return _read_safetensors(path, remedy="download or copy it again")[0]
    try:
        with warnings.catch_warnings(action="ignore"):  # about files that are refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle can raise anything
        stop_if_it_may_pass(error, path)
        raise InputError(
            f"{path}: cannot be read as tensors alone, it is damaged or holds Python objects, which could run code;"
            " save the state dict with torch.save(model.state_dict(), file), or a safetensors file"
        ) from error
    found = [part for part in _parts(content) if _is_state_dict(part)]
    if len(found) != 1:
        raise InputError(
            f"{path}: should hold one state dict, from names to tensors, at the top or one level below, but holds"
            f" {len(found)}; save one alone"
        )
    return dict(found[0])


def _parts(content: Any) -> list[Any]:
    """Return what may be the state dict: the content itself, or what it holds next to an optimiser, for example."""
    if _is_state_dict(content) or not isinstance(content, Mapping):
        return [content]
    return list(content.values())


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items())
    )


def _read_own(path: Path, model_name: str) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors and the labels of a file that `save_weights` wrote."""
    given, metadata = _read_safetensors(path, remedy="delete it so that it is rebuilt")
    name_in_file = metadata.get("model", "")
    if name_in_file != model_name:
        raise InputError(f"{path}: holds the weights of '{name_in_file}', expected '{model_name}'")
    return given, metadata["labels"]


def _read_safetensors(path: Path, remedy: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file, and what `save_weights` recorded on them, empty if that did not write it."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            return tensors, json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
    except (OSError, SafetensorError) as error:
        stop_if_it_may_pass(error, path)
        raise InputError(f"{path}: is not a readable safetensors file ({error}); {remedy}") from error
