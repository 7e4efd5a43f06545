"""A source that was trained elsewhere: its weights under our names, and the metadata of its ``run.json``."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_model import TINY, tiny_models  # noqa: F401 (a fixture)

from ecgtransfer.errors import InputError
from ecgtransfer.train.outside import take_over
from ecgtransfer.train.registry import build_model

pytestmark = pytest.mark.usefixtures("tiny_models")


def test_weights_and_metadata(tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = build_model(TINY[0], 12, 64, 5, TINY[1]).state_dict()
    first = next(iter(theirs))
    save_file(
        {("conv" if name == first else name): tensor for name, tensor in theirs.items()}, tmp_path / "w.safetensors"
    )
    (tmp_path / "names.csv").write_text(f"theirs,ours\nconv,{first}\n")
    given = (*TINY, 64, ["georgia"], "ab12")
    tensors, metadata = take_over(tmp_path / "w.safetensors", tmp_path / "names.csv", *given)
    body = {name: tensor for name, tensor in theirs.items() if not name.startswith("head.")}
    assert list(tensors) == list(body)
    assert all(torch.equal(tensor, body[name]) for name, tensor in tensors.items())
    assert json.loads(json.dumps(metadata)) == {
        "task": "outside", "model": TINY[0], "options": TINY[1], "trained_on": ["georgia"], "file": "w.safetensors",
        "sha256": hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest(),
        "weights": sum(tensor.numel() for tensor in body.values()), "code": "ab12",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"w\.safetensors: its layers are not those of .* unknown: conv; "):
        take_over(tmp_path / "w.safetensors", [], *given)
