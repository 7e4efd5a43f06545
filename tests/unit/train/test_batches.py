"""Which records, and which part of each, a step of training sees."""

import numpy as np
import pytest
import torch

from ecgtransfer.train.batches import epoch_order, random_crops, window_starts

torch.set_num_threads(1)


def test_every_record_once_in_an_order_that_changes() -> None:
    dataset = torch.tensor([0] * 30 + [1] * 5)
    torch.manual_seed(3)
    first, second = epoch_order(dataset, balance=False), epoch_order(dataset, balance=False)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(35))
    assert first.tolist() != second.tolist() != list(range(35))


@pytest.mark.parametrize("sizes", [(5, 40, 15), (1, 1), (30,), (2, 3, 100, 4), (7, 300)])
def test_balanced_data_sets_have_the_same_share(sizes: tuple[int, ...]) -> None:
    dataset = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    dataset = dataset[torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))]
    torch.manual_seed(1)
    orders = [epoch_order(dataset, balance=True) for _ in range(40)]
    for order in orders:
        assert len(order) == len(dataset)
        shares = torch.bincount(dataset[order], minlength=len(sizes))
        assert shares.max() - shares.min() <= 1
        for number, size in enumerate(sizes):  # none is taken again before all others of its data set were
            seen = torch.bincount(order[dataset[order] == number], minlength=len(dataset))[dataset == number]
            assert seen.max() - seen.min() <= 1
            assert len(seen) == size
    assert set(torch.cat(orders).tolist()) == set(range(len(dataset)))  # large ones are seen whole over the epochs


def test_balanced_order_mixes_the_data_sets() -> None:
    dataset = torch.tensor([0] * 100 + [1] * 100)
    torch.manual_seed(0)
    order = dataset[epoch_order(dataset, balance=True)]
    changes = (order[1:] != order[:-1]).sum().item()
    assert 70 < changes < 130  # of 199, half on average


def test_crops_are_contiguous_parts_of_their_records_and_begin_anywhere() -> None:
    n_records, n_samples, length = 12, 20, 7
    signals = (torch.arange(n_records * 3 * n_samples, dtype=torch.int16)).view(n_records, 3, n_samples)
    torch.manual_seed(0)
    starts = []
    for _ in range(200):
        rows = torch.randperm(n_records)[:5]
        crops = random_crops(signals, rows, length)
        assert crops.shape == (5, 3, length)
        assert crops.dtype == torch.int16
        for crop, row in zip(crops, rows, strict=True):
            start = (crop[0, 0] - signals[row, 0, 0]).item()
            assert torch.equal(crop, signals[row, :, start : start + length])
            starts.append(start)
    counts = np.bincount(starts, minlength=14)
    assert len(counts) == 14  # starts 0 to 13
    assert counts.min() > 40  # of 71 on average
    assert len(set(starts[-5:])) > 1  # another part of each record of a batch


def test_without_crops_records_are_whole() -> None:
    signals = torch.arange(60, dtype=torch.int16).view(5, 3, 4)
    rows = torch.tensor([3, 0, 3])
    before = torch.get_rng_state()
    assert torch.equal(random_crops(signals, rows, None), signals[rows])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(random_crops(signals, rows, 4), signals[rows])


@pytest.mark.parametrize("n_samples", [1, 7, 64, 100, 1000, 999])
def test_windows_cover_the_recording_evenly(n_samples: int) -> None:
    for length in {1, 2, 3, n_samples // 3 + 1, n_samples // 2 + 1, n_samples - 1, n_samples} - {0}:
        if length > n_samples:
            continue
        starts = window_starts(n_samples, length)
        assert len(starts) == -(-n_samples // length)  # fewer could not cover it
        assert starts[0] == 0
        assert starts[-1] == n_samples - length
        covered = np.zeros(n_samples, dtype=bool)
        for start in starts:
            covered[start : start + length] = True
        assert covered.all()
        steps = np.diff(starts)
        assert len(steps) == 0 or steps.max() - steps.min() <= 1
