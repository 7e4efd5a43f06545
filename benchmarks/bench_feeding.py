"""What feeding costs in training: an epoch of our loop against the bare model on one batch that is ready in memory."""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.measure import Result, interleaved
from ecgtransfer.train.corpus import Examples, normalization_of
from ecgtransfer.train.loop import _train_one_epoch, fix_seeds, training_device
from ecgtransfer.train.registry import build_model

MODELS = ("resnet1d18", "gru")  # one of each family
N_SAMPLES, N_LABELS = 1000, 26  # 10 s at 100 Hz, labels of the Challenge 2021
N_BATCHES, BATCH_SIZE = 3, 32
REPEATS = 21  # a few percent are sought, in the noise of a shared machine


def measure() -> list[Result]:
    """Return ``feeding_overhead_<model>``: percent by which an epoch of our loop takes longer."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the training rules have it
    try:
        return [Result(f"feeding_overhead_{name}", _overhead(name), "%", 5, at_most=True) for name in MODELS]
    finally:
        torch.set_num_threads(n_threads)


def _overhead(model_name: str) -> float:
    device = training_device()
    fix_seeds(1)
    n_records = N_BATCHES * BATCH_SIZE
    signals = torch.randint(-1000, 1000, (n_records, 12, N_SAMPLES), dtype=torch.int16)
    labels = (torch.rand(n_records, N_LABELS) < 0.1).float()
    train = Examples(np.arange(n_records).astype(np.str_), signals, labels).to(device)
    normalize = normalization_of(signals).to(device)
    # Both sides train one model, so that its place in memory favours neither.
    model = build_model(model_name, 12, N_SAMPLES, N_LABELS).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=True)
    batch, batch_labels = normalize(train.signals[:BATCH_SIZE]), train.labels[:BATCH_SIZE]

    def bare_epoch() -> None:
        model.train()
        for _ in range(N_BATCHES):
            loss = binary_cross_entropy_with_logits(model(batch), batch_labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        loss.item()  # waits for a GPU, as our loop does

    times = interleaved(bare_epoch, lambda: _train_one_epoch(model, train, normalize, optimizer, BATCH_SIZE), REPEATS)
    return 100 * (times.second_to_first - 1)
