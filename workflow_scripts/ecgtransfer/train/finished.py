"""Finished trainings, kept for all studies of a folder, so that none is run twice.

More replicates, another study with the same source, a cell with the same recordings: what was trained before is taken
from here. A training has a key, the hash of all that decides it, as one that was killed has. What is kept is what its
outputs are made of: predictions and history of a replicate, weights and history of a pre-training.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from ecgtransfer.files import sha256_of, written_whole

logger = logging.getLogger(__name__)

_ENTRY = "ecgtransfer"

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FinishedTrainings:
    """Finished trainings in a folder; without one, none are kept.

    The name of a file is the key of the training and the checksum of the file. The folder can be deleted at any time:
    what is missing is trained again when it is asked for.
    """

    folder: Path | None = None

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return arrays and metadata of a training; None if it is not there, or not as it was written."""
        for path in sorted(self.folder.glob(f"{key[:2]}/{key}.*.safetensors")) if self.folder else []:
            if _is_damaged(path):
                logger.warning("%s: is damaged, so this is trained again; delete it", path)
                continue
            logger.info("was trained before, and is taken from %s", path)
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
                return arrays, json.loads(file.metadata()[_ENTRY])
        return None

    def keep(self, key: str, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        """Keep what `load` returns of a training; metadata are JSON."""
        if self.folder is None:
            return
        content = save(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()}, {_ENTRY: json.dumps(metadata)}
        )
        path = self.folder / key[:2] / f"{key}.{hashlib.sha256(content).hexdigest()}.safetensors"
        with written_whole(path) as temporary:
            temporary.write_bytes(content)

    def damaged(self) -> Iterator[Path]:
        """Yield every file that is not as it was written."""
        return filter(_is_damaged, sorted(self.folder.glob("*/*.safetensors")) if self.folder else [])


def _is_damaged(path: Path) -> bool:
    return sha256_of(path) != path.name.split(".")[1]
