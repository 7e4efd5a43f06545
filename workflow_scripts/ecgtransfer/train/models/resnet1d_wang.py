"""The short residual network for time series of Wang et al. 2017, as the PTB-XL benchmark trains it."""

from torch import nn

from ecgtransfer.kernels.images import as_images
from ecgtransfer.train.models.base import EcgModel, convolution
from ecgtransfer.train.models.fastai_neck import N_FEATURES, fastai_neck, start_as_in_benchmark
from ecgtransfer.train.models.resnet1d import BasicBlock

WIDTH = 128


def resnet1d_wang(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return three residual blocks with kernels of 5 and 3; any number of samples is accepted."""
    stem = nn.Sequential(convolution(n_leads, WIDTH, 7), nn.BatchNorm1d(WIDTH), nn.ReLU())
    blocks = [nn.Sequential(BasicBlock(WIDTH, WIDTH, stride, kernels=(5, 3))) for stride in (1, 2, 2)]
    model = EcgModel([stem, *blocks], fastai_neck(WIDTH), N_FEATURES, n_labels, age_sex)
    start_as_in_benchmark(model)
    return model


def fast_form(model: EcgModel) -> None:
    """Let a model compute all stages as images."""
    as_images(model.stages)
