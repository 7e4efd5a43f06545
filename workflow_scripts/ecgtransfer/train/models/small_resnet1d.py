"""Small residual networks: 64 filters throughout, and every stage halves the frames (Avetisyan et al. 2023).

Sizes from the code of that group, github.com/ispras/EcgLib, as of June 2023 and later; its weights published before
belong to wider networks. Weights start as PyTorch's layers do.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.models.fastai_neck import MaxMeanOverTime

WIDTH = 64


class PadSame(nn.Module):
    """Zeros at both ends, so that what follows returns ceil(frames / stride) frames; the odd one goes to the end.

    Zeros are also right before maximum pooling here, for it follows a ReLU.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels, padded frames)."""
        n_frames = x.shape[2]
        n_zeros = max(0, (-(-n_frames // self.stride) - 1) * self.stride + self.kernel - n_frames)
        return pad(x, (n_zeros // 2, n_zeros - n_zeros // 2))


class SmallBlock(nn.Module):
    """Convolutions, each with normalisation and ReLU, and a shortcut that is added behind the last ReLU.

    Parameters
    ----------
    n_in
        Channels of the input.
    expansion
        1 for two convolutions of length 3; 4 for a bottleneck of lengths 1, 3 and 1 with four times the channels.
    stride
        Of the first convolution of length 3; above 1 also the shortcut has a convolution.
    """

    def __init__(self, n_in: int, expansion: int, stride: int) -> None:
        super().__init__()
        n_out = WIDTH * expansion
        if expansion == 1:
            layers = [*_convolution(n_in, WIDTH, 3, stride), nn.ReLU(), *_convolution(WIDTH, WIDTH, 3, 1), nn.ReLU()]
        else:
            layers = [
                *(*_convolution(n_in, WIDTH, 1, 1), nn.ReLU()),
                *(*_convolution(WIDTH, WIDTH, 3, stride), nn.ReLU()),
                *(*_convolution(WIDTH, n_out, 1, 1), nn.ReLU()),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.shortcut = nn.Sequential(*(_convolution(n_in, n_out, 1, stride) if stride > 1 else []))

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 64 x expansion, frames / stride)."""
        y: Tensor = self.convolutions(x) + self.shortcut(x)
        return y


def _convolution(n_in: int, n_out: int, kernel: int, stride: int) -> list[nn.Module]:
    layers = [nn.Conv1d(n_in, n_out, kernel, stride, bias=False), nn.BatchNorm1d(n_out)]
    return [PadSame(kernel, stride), *layers] if kernel > 1 else layers


def _small_resnet(expansion: int, blocks: tuple[int, ...], n_leads: int, n_labels: int, age_sex: bool) -> EcgModel:
    """Return a network with `blocks` blocks in each of its four stages; any number of samples is accepted."""
    stem = nn.Sequential(*_convolution(n_leads, WIDTH, 3, 2), nn.ReLU(), PadSame(3, 2), nn.MaxPool1d(3, stride=2))
    stages, n_in = [stem], WIDTH
    for n_blocks in blocks:
        stage = nn.Sequential()
        for position in range(n_blocks):
            stage.append(SmallBlock(n_in, expansion, stride=2 if position == 0 else 1))
            n_in = WIDTH * expansion
        stages.append(stage)
    neck = nn.Sequential(MaxMeanOverTime(), nn.Dropout(0.5))
    return EcgModel(stages, neck, 2 * n_in, n_labels, age_sex)


def small_resnet1d18(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 18 layers of Avetisyan et al. 2023."""
    return _small_resnet(1, (2, 2, 2, 2), n_leads, n_labels, age_sex)


def small_resnet1d50(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 50 layers of Avetisyan et al. 2023."""
    return _small_resnet(4, (3, 4, 6, 3), n_leads, n_labels, age_sex)


def small_resnet1d101(n_leads: int, n_samples: int, n_labels: int, *, age_sex: bool = False) -> EcgModel:
    """Return the 101 layers of Avetisyan et al. 2023."""
    return _small_resnet(4, (3, 4, 23, 3), n_leads, n_labels, age_sex)
