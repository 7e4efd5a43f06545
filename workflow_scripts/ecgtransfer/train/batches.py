"""Which records, and which part of each, a step of training sees."""

import math

import torch
from torch import Tensor


def epoch_order(dataset: Tensor, balance: bool) -> Tensor:
    """Return the records of an epoch in random order, as many as there are.

    Parameters
    ----------
    dataset
        Which data set each record comes from, (records,).
    balance
        Whether every data set has the same share of the epoch: small ones are repeated, of large ones each epoch takes
        another part. Without, each record comes once.
    """
    if not balance:
        return torch.randperm(len(dataset))
    members = [torch.nonzero(dataset.cpu() == number).flatten() for number in dataset.cpu().unique()]
    quotas = [len(part) for part in torch.empty(len(dataset)).tensor_split(len(members))]
    drawn = [
        torch.cat([own[torch.randperm(len(own))] for _ in range(math.ceil(quota / len(own)))])[:quota]
        for own, quota in zip(members, quotas, strict=True)
    ]
    everything = torch.cat(drawn)
    return everything[torch.randperm(len(everything))]


def random_crops(signals: Tensor, records: Tensor, crop_samples: int | None) -> Tensor:
    """Return some recordings, or of each another random part, (records, leads, samples)."""
    if crop_samples is None:
        return signals[records]
    n_starts = signals.shape[2] - crop_samples + 1
    starts = torch.randint(n_starts, (len(records),)).to(signals.device)
    return signals.unfold(2, crop_samples, 1)[records, :, starts]


def window_starts(n_samples: int, length: int) -> list[int]:
    """Return where windows begin that cover a recording, evenly spaced, as few as there can be."""
    return torch.linspace(0, n_samples - length, math.ceil(n_samples / length)).round().long().tolist()
