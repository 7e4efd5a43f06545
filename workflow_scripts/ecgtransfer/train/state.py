"""What a training that was killed goes on from: weights, optimiser, random numbers and history after an epoch.

It is outside the outputs of a job, which Snakemake deletes when the job fails, and belongs to one training alone: its
key is a hash of all that decides the result, so that a training with other data, settings or code starts afresh.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ecgtransfer.files import written_whole

_ENTRY = "ecgtransfer"
_SHARE_OF_TIME = 0.05  # what saving may cost


class UnfinishedTraining:
    """The state of one training, in a file or, without one, nowhere.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    key
        Of the training, see `training_key`. A file with another one is not read.
    """

    def __init__(self, path: str | Path | None, key: str = "") -> None:
        self.path = Path(path) if path else None
        self.key = key
        self._last_save_s = 0.0
        self._saved_at = -float("inf")

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the tensors and metadata that were saved last; None if there are none for this training."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
                if metadata.pop("key", None) != self.key:
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 (it is no dict)
        except (OSError, SafetensorError, ValueError):  # from a full disk, for example: it starts afresh
            return None

    def save(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], last: bool = False) -> None:
        """Write the state after an epoch, unless the time since the last one is too short to be worth it.

        Parameters
        ----------
        tensors, metadata
            What `load` returns; metadata are JSON.
        last
            Whether training has ended: this state is always written.
        """
        if self.path is None:
            return
        start = time.monotonic()
        if not last and start - self._saved_at < self._last_save_s / _SHARE_OF_TIME:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with written_whole(self.path) as temporary:
            save_file(apart, temporary, metadata={_ENTRY: json.dumps({"key": self.key, **metadata})})
        self._saved_at = time.monotonic()
        self._last_save_s = self._saved_at - start


def training_key(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor | np.ndarray]) -> str:
    """Return a hash of what decides a training: its settings, its first weights, and the data it sees."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        array = np.ascontiguousarray(tensor.detach().cpu().numpy() if isinstance(tensor, Tensor) else tensor)
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def remove_state(folder: str | Path) -> None:
    """Remove the states of a job that has written its outputs."""
    shutil.rmtree(folder, ignore_errors=True)


def random_state() -> dict[str, Tensor]:
    """Return the state of torch's random numbers, on the CPU and on the GPUs in use."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_state(tensors: Mapping[str, Tensor]) -> None:
    """Set torch's random numbers to what `random_state` returned."""
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
