"""The device of a job, its number formats, and what makes two trainings on it the same."""

import os
from contextlib import AbstractContextManager

import numpy as np
import torch
import torch.utils.deterministic

# Asking for GPUs must not start CUDA: processes that are forked afterwards could not use it.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


def training_device() -> torch.device:
    """Return the GPU that this job was given, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def arithmetic(device: torch.device, precision: str) -> torch.dtype:
    """Return the number format of products: bfloat16 where the GPU computes in it and `precision` is ``auto``.

    Processors are slower with it, so float32 stays there.
    """
    short = precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if short else torch.float32


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the context of a forward pass, in which products are in the format of `arithmetic`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=arithmetic(device, precision) is torch.bfloat16)


def uses_kernels(device: torch.device, kernels: str) -> bool:
    """Return whether models compute with `ecgtransfer.kernels`: on CPUs, where ``hardware.kernels`` is ``fast``."""
    return kernels == "fast" and device.type == "cpu"


def computed_by() -> dict[str, str]:
    """Return what decides the last digits of a training besides its data, settings and code.

    The model of the device is left out: a cluster of several would train everything again.
    """
    return {"torch": torch.__version__, "device": training_device().type}


def fix_seeds(*seeds: int, deterministic: bool = True) -> None:
    """Make what follows depend on nothing but `seeds`: weights, order of batches, and the algorithms chosen.

    On a GPU this holds as far as its libraries let it: what has no deterministic algorithm warns.
    """
    entropy = [len(seeds), *seeds]  # a sequence is padded with zeros: (1,) would be the same as (1, 0)
    torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1))
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when first called
    # As use_deterministic_algorithms would, but that imports PyTorch's compiler, which takes over a second.
    torch.set_deterministic_debug_mode("warn" if deterministic else "default")
    # Filling memory that was never written takes time, and nothing here reads it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
