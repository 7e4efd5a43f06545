"""A source that was trained elsewhere: its weights under the names of a model here, and what is known of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.files import sha256_of
from ecgtransfer.leads import LEADS
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import import_outside_weights


def take_over(
    path: Path,
    names: str | Path | None,
    model: str,
    options: Mapping[str, Any],
    n_samples: int,
    trained_on: Sequence[str],
    code: str,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return weights from outside, as `import_outside_weights` does, and the metadata for their ``run.json``.

    Parameters
    ----------
    path
        The file.
    names
        A table with columns ``theirs`` and ``ours``, if layers have other names in the file.
    model, options
        A key of the model registry, and its options in the config section ``models``.
    n_samples
        Of the recordings that the model will take.
    trained_on
        The data sets that the weights have seen.
    code
        Fingerprint of this code.

    Raises
    ------
    InputError
        As `import_outside_weights`, or if the table cannot be read.
    """
    rows = read_rows(Path(names), ["theirs", "ours"], remedy="fix it") if names else []
    network = build_model(model, len(LEADS), n_samples, 1, options)
    tensors = import_outside_weights(path, model, network, {row["theirs"]: row["ours"] for row in rows})
    metadata = {
        "task": "outside",
        "model": model,
        "options": dict(options),
        "trained_on": list(trained_on),
        "file": path.name,
        "sha256": sha256_of(path),
        "weights": sum(tensor.numel() for tensor in tensors.values()),
        "code": code,
    }
    return tensors, metadata
