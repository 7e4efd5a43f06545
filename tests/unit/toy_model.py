"""A small model with all that transfer has to mind: batch normalisation and dropout at every height, age and sex."""

import torch
from torch import Tensor, nn

from ecgtransfer.train.models.base import EcgModel, MeanOverTime

N_LEADS, N_SAMPLES, N_LABELS = 3, 32, 2


def toy_model(
    seed: int = 0, n_leads: int = N_LEADS, n_labels: int = N_LABELS, age_sex: bool = True, bare_neck: bool = False
) -> EcgModel:
    """Return three stages and a neck, which without weights (`bare_neck`) still has dropout."""
    torch.manual_seed(seed)
    stages = [
        nn.Sequential(nn.Conv1d(n_in, n_out, 3, stride=2), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(0.3))
        for n_in, n_out in ((n_leads, 4), (4, 5), (5, 6))
    ]
    with_weights = [nn.Linear(6, 7), nn.BatchNorm1d(7), nn.ReLU()]
    neck = nn.Sequential(MeanOverTime(), *([] if bare_neck else with_weights), nn.Dropout(0.3))
    return EcgModel(stages, neck, 6 if bare_neck else 7, n_labels, age_sex)


def inputs(seed: int, n_records: int = 12) -> tuple[Tensor, Tensor]:
    """Return signals, and age and sex."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n_records, N_LEADS, N_SAMPLES, generator=generator) + 0.5,
        torch.randn(n_records, 4, generator=generator),
    )
