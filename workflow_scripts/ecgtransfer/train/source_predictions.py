"""What the model of a source predicts for a target's recordings, with its own head and unchanged.

It needs no training on the target: how well it does is the zero-shot score, and how its labels go with the target's
says how well it should transfer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecgtransfer.leads import LEADS
from ecgtransfer.train.corpus import Corpus, normalization_of
from ecgtransfer.train.hardware import training_device, uses_kernels
from ecgtransfer.train.loop import predict
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.weights import labels_in_weights, load_with_head


def predict_with_source(
    model_name: str,
    options: Mapping[str, Any],
    weights: Path,
    corpus: Corpus,
    crop_s: float | None,
    precision: str,
    kernels: str,
) -> dict[str, np.ndarray]:
    """Return the probabilities that the pre-trained model gives its own labels on all records of a target.

    Signals are normalised by the target's training records, as they are when the weights are transferred. Computed with
    one thread, as all trainings are.

    Parameters
    ----------
    model_name, options
        A key of the model registry, and its options in the config section ``models``.
    weights
        What the pre-training on labels left.
    corpus
        The target; its labels are not used.
    crop_s
        The stretch of a recording in s that the model was trained on; None for whole recordings.
    precision, kernels
        Of the config section ``hardware``.

    Returns
    -------
    dict
        ``record_id`` (N,), ``labels`` (L,) and ``probability`` (N, L).

    Raises
    ------
    InputError
        If the weights do not fit the model.
    """
    torch.set_num_threads(1)
    device = training_device()
    labels = labels_in_weights(weights, model_name)
    crop_samples = corpus.samples_in(crop_s)
    n_samples = crop_samples or corpus.n_samples
    fast = uses_kernels(device, kernels)
    model = build_model(model_name, len(LEADS), n_samples, len(labels), options, fast)
    load_with_head(model, model_name, weights)
    examples = corpus.load(corpus.splits["record_id"].tolist())
    train = examples.where((corpus.splits["role"] == "train").to_numpy(copy=True))
    outputs = predict(
        model.to(device),
        examples.to(device),
        normalization_of(train.signals).to(device),
        crop_samples,
        precision,
    )
    return {
        "record_id": examples.record_id,
        "labels": np.asarray(labels, dtype=np.str_),
        "probability": torch.sigmoid(outputs).cpu().numpy(),
    }
