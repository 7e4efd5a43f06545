"""The short residual network for time series of Wang et al. 2017, as the PTB-XL benchmark trains it."""

from torch import nn

from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.models.fastai_neck import N_FEATURES, fastai_neck, start_as_in_benchmark
from ecgtransfer.train.models.image_layers import AsImage, RowConvolution
from ecgtransfer.train.models.resnet1d import BasicBlock

WIDTH = 128


def resnet1d_wang(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return three residual blocks with kernels of 5 and 3; any number of samples is accepted."""
    stem = AsImage(RowConvolution(n_leads, WIDTH, 7), nn.BatchNorm2d(WIDTH), nn.ReLU())
    blocks = [AsImage(BasicBlock(WIDTH, WIDTH, stride, kernels=(5, 3))) for stride in (1, 2, 2)]
    model = EcgModel([stem, *blocks], fastai_neck(WIDTH), N_FEATURES, n_labels, age_sex)
    start_as_in_benchmark(model)
    return model
