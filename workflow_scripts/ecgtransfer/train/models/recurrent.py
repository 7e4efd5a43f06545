"""Recurrent networks of one layer that read the signal sample by sample, in the form of Nguyen & Do 2025.

With 100 hidden units per direction, as in their code (github.com/cuongvng/transfer-learning-ecg-diagnosis); the
bidirectional GRU is ours. Their dropout of 0.3 acts between recurrent layers, of which there is one, so it has no
effect and is left out.
"""

from torch import Tensor, nn

from ecgtransfer.errors import InputError
from ecgtransfer.kernels.layers import FastMeanMax, FastRecurrent, Recurrent, WideLinear
from ecgtransfer.train.models.base import EcgModel, MeanMaxOverTime

HIDDEN_SIZE = 100


class AllSamples(nn.Module):
    """The states at all samples side by side, sample after sample."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, samples x channels) of (records, channels, samples)."""
        return x.transpose(1, 2).flatten(1)


def _recurrent(
    kind: type[nn.GRU] | type[nn.LSTM],
    n_directions: int,
    n_leads: int,
    n_samples: int,
    n_labels: int,
    head: str,
    age_sex: bool,
) -> EcgModel:
    """Return a network of one recurrent layer.

    Parameters
    ----------
    head
        ``flatten`` feeds the states at all samples to the last layer, as the study did: signals must have exactly
        `n_samples` samples, and most weights (n_samples x 100 x n_labels) are in the head, which is new when the model
        is fine-tuned. ``pool`` feeds their mean and maximum over time, so that nearly all weights are
        transferred.
    """
    layer = kind(n_leads, HIDDEN_SIZE, batch_first=True, bidirectional=n_directions == 2)
    stages = [Recurrent(layer)]
    n_channels = n_directions * HIDDEN_SIZE
    if head == "pool":
        return EcgModel(stages, MeanMaxOverTime(), 2 * n_channels, n_labels, age_sex)
    if head != "flatten":
        raise InputError(f"models: head is 'flatten' or 'pool', not '{head}'")
    model = EcgModel(stages, AllSamples(), n_samples * n_channels, n_labels, age_sex)
    model.head.reset_parameters()  # drawn once more: what is published with this head was trained from these numbers
    return model


def fast_form(model: EcgModel) -> None:
    """Give a model the layers that are fast on a CPU."""
    (stage,) = model.stages
    if isinstance(stage, Recurrent):
        model.stages[0] = FastRecurrent(stage)
    if isinstance(model.neck, MeanMaxOverTime):
        model.neck = FastMeanMax()
    else:
        model.head = WideLinear(model.head)


def gru(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a gated recurrent network (Cho et al. 2014, https://doi.org/10.3115/v1/D14-1179)."""
    return _recurrent(nn.GRU, 1, n_leads, n_samples, n_labels, head, age_sex)


def bigru(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a gated recurrent network that also reads backwards (Schuster & Paliwal 1997)."""
    return _recurrent(nn.GRU, 2, n_leads, n_samples, n_labels, head, age_sex)


def lstm(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return a network with long short-term memory (Hochreiter & Schmidhuber 1997)."""
    return _recurrent(nn.LSTM, 1, n_leads, n_samples, n_labels, head, age_sex)


def bilstm(n_leads: int, n_samples: int, n_labels: int, *, head: str = "flatten", age_sex: bool = False) -> EcgModel:
    """Return one with long short-term memory that also reads backwards (Graves & Schmidhuber 2005)."""
    return _recurrent(nn.LSTM, 2, n_leads, n_samples, n_labels, head, age_sex)
