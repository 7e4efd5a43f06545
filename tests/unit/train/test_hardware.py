"""The device of a job, its number formats, and what makes two trainings on it the same."""

import pytest
import torch

from ecgtransfer.train.hardware import arithmetic, fix_seeds, mixed_precision, training_device


def test_every_sequence_of_seeds_is_its_own() -> None:
    def first_number(*seeds: int) -> int:
        fix_seeds(*seeds)
        return int(torch.randint(2**62, ()))

    sequences = [(0,), (1,), (0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (1, 0, 0)]
    assert len({first_number(*seeds) for seeds in sequences}) == len(sequences)
    assert first_number(1, 2) == first_number(1, 2)


def test_algorithms_are_deterministic_if_asked_for() -> None:
    for deterministic in (False, True):
        fix_seeds(0, deterministic=deterministic)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.is_deterministic_algorithms_warn_only_enabled()


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_processors_compute_in_float32(precision: str) -> None:
    device = torch.device("cpu")
    assert arithmetic(device, precision) is torch.float32
    with mixed_precision(device, precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpus_compute_in_bfloat16_unless_told_otherwise() -> None:
    device = training_device()
    assert device.type == "cuda"
    for precision, expected in {"auto": torch.bfloat16, "float32": torch.float32}.items():
        with mixed_precision(device, precision):
            product = torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)
        assert product.dtype is arithmetic(device, precision) is expected
