"""Trained weights as safetensors files, and how they enter a new model."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.files import written_whole

HEAD = "head."
_ENTRY = "ecgtransfer"  # one entry of metadata: safetensors writes several in an order that changes from file to file


@dataclass(frozen=True)
class Transfer:
    """What a fine-tuned model took over and what is new in it, in numbers of weights."""

    transferred_weights: int
    new_weights: int


def save_weights(model: nn.Module, model_name: str, label_names: list[str], path: Path) -> None:
    """Write all weights and buffers of a model, with its name and labels as metadata."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with written_whole(path) as temporary:
        save_file(tensors, temporary, metadata={_ENTRY: json.dumps({"model": model_name, "labels": label_names})})


def load_all_but_head(model: nn.Module, model_name: str, path: Path) -> Transfer:
    """Overwrite everything but the head of `model` with the weights of a pre-trained one.

    Raises
    ------
    InputError
        If the file is no safetensors file, holds another model, or has other layers or shapes; the layers are named.
    """
    pretrained, name_in_file = _read(path)
    if name_in_file != model_name:
        raise InputError(f"{path}: holds the weights of '{name_in_file}', expected '{model_name}'")
    own = model.state_dict()
    wanted = {name: tensor for name, tensor in own.items() if not name.startswith(HEAD)}
    wrong = [
        name for name, tensor in wanted.items() if name not in pretrained or pretrained[name].shape != tensor.shape
    ]
    wrong += [name for name in pretrained if name not in own and not name.startswith(HEAD)]
    if wrong:
        raise InputError(
            f"{path}: layers {', '.join(wrong[:5])} are not those of '{model_name}' (missing, too many or of another"
            " shape); delete the file so that it is made again"
        )
    model.load_state_dict({**own, **{name: pretrained[name] for name in wanted}})
    new = sum(parameter.numel() for name, parameter in model.named_parameters() if name.startswith(HEAD))
    everything = sum(parameter.numel() for parameter in model.parameters())
    return Transfer(transferred_weights=everything - new, new_weights=new)


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            return tensors, json.loads((file.metadata() or {}).get(_ENTRY, "{}")).get("model", "")
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: is not a readable safetensors file ({error}); delete it so that it is made again"
        ) from error
