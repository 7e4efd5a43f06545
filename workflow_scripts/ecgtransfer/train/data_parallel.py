"""Several processes that train one model, each on its part of every batch, by torch's DistributedDataParallel."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn.parallel import DistributedDataParallel

from ecgtransfer.errors import InputError
from ecgtransfer.train.side_by_side import end_with_parent


@dataclass(frozen=True)
class Ranks:
    """The processes that train a model, seen from one of them; by default there is one.

    Attributes
    ----------
    rank
        This process, from 0. The first one validates, decides and writes.
    count
        How many there are.
    """

    rank: int = 0
    count: int = 1

    def part_of(self, batch: Tensor) -> Tensor:
        """Return this process's part of a batch."""
        return batch if self.count == 1 else batch.tensor_split(self.count)[self.rank]

    def draw(self, numbers: Callable[[], Tensor], device: torch.device) -> Tensor:
        """Return random numbers, the same in all processes; what is drawn afterwards differs from one to another.

        All of it follows from the state of the first process's generator, which is the one that is kept.
        """
        if self.count == 1:
            return numbers().to(device)
        state = torch.get_rng_state().to(device)
        distributed.broadcast(state, src=0)
        torch.set_rng_state(state.cpu())
        drawn = numbers().to(device)
        if self.rank > 0:
            torch.manual_seed(int(torch.randint(2**62, ())) + self.rank)
        return drawn

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return a model that computes as `model` does, and adds up gradients over all processes."""
        if self.count == 1:
            return model
        if device.type == "cuda":  # batch normalisation over the whole batch; torch has it for GPUs alone
            model = cast("nn.Module", nn.SyncBatchNorm.convert_sync_batchnorm(model))
        # Layers that are frozen, or that an objective does not use, have no gradients to wait for.
        return DistributedDataParallel(
            model, device_ids=[device] if device.type == "cuda" else None, find_unused_parameters=True
        )

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of a number over all processes."""
        if self.count > 1:
            distributed.all_reduce(value)
        return value

    def as_the_first(self, values: Tensor) -> Tensor:
        """Return the first process's values: all decide alike, though their arithmetic may differ in the last digit."""
        if self.count > 1:
            distributed.broadcast(values, src=0)
        return values


def train_with(count: int, train: Callable[[Ranks, torch.device], object], folder: Path) -> None:
    """Run `train` in `count` processes, each with its own GPU or, without GPUs, all on the CPU.

    Parameters
    ----------
    count
        Number of processes.
    train
        What each runs. What it returns is lost, results go to files; so is an `InputError`, which the caller meets
        again when it goes on from these files.
    folder
        For a file by which they find one another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rendezvous = folder / f"rendezvous.{secrets.token_hex(4)}"  # none of an attempt that was killed just now
    # Forked, so that the data are in memory once; no GPU has been touched yet.
    start_processes(_run, args=(count, train, rendezvous), nprocs=count, start_method="fork")


def _run(rank: int, count: int, train: Callable[[Ranks, torch.device], object], rendezvous: Path) -> None:
    end_with_parent()
    torch.set_num_threads(1)  # OpenMP's threads do not outlive a fork, and waiting for them never ends
    on_gpus = torch.cuda.is_available()
    device = torch.device("cuda", rank) if on_gpus else torch.device("cpu")
    if on_gpus:
        torch.cuda.set_device(device)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "nccl" if on_gpus else "gloo", init_method=rendezvous.absolute().as_uri(), rank=rank, world_size=count
    )
    # The process that started this one meets the same mistake, and can report it in one line.
    with suppress(InputError):
        train(Ranks(rank, count), device)
    # The group ends with the process. To destroy it can wait for ever, for a thread of gloo that needs Python's lock.
