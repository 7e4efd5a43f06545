"""Recurrent networks that read the signal sample by sample."""

import torch
from torch import Tensor, nn

HIDDEN_SIZE = 100


class GRU(nn.Module):
    """The gated recurrent network of Nguyen & Do 2025, with their flattened head or a pooled one.

    Parameters
    ----------
    n_leads, n_samples, n_labels
        The input's shape and the number of logits.
    head
        ``flatten`` feeds the outputs of all time steps to the last layer, as the study did: most weights
        (n_samples x 100 x n_labels) are then in the head, which is new when the model is fine-tuned. ``pool`` feeds
        their mean and maximum over time, so that nearly all weights are transferred; its recurrent layer starts with
        orthogonal recurrent and Xavier input weights (Saxe et al. 2014, https://arxiv.org/abs/1312.6120). From
        PyTorch's own start, pre-training on shuffled labels gave fine-tuning a small lead in some trials of the default
        study; from this one it did so less often. Why is not established.

    Notes
    -----
    The study's dropout of 0.3 acts between recurrent layers, of which there is one, so it has no effect and is left
    out.
    """

    def __init__(self, n_leads: int, n_samples: int, n_labels: int, head: str) -> None:
        super().__init__()
        self.pooled = head == "pool"
        self.recurrent = nn.GRU(n_leads, HIDDEN_SIZE, batch_first=True)
        if self.pooled:
            _start_orthogonal(self.recurrent)
        self.head = nn.Linear(HIDDEN_SIZE * (2 if self.pooled else n_samples), n_labels)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (records, labels), of signals of shape (records, leads, samples)."""
        outputs, _ = self.recurrent(x.transpose(1, 2))
        features = torch.cat([outputs.mean(dim=1), outputs.amax(dim=1)], dim=1) if self.pooled else outputs.flatten(1)
        logits: Tensor = self.head(features)
        return logits


def _start_orthogonal(recurrent: nn.GRU) -> None:
    """Set each gate's recurrent weights orthogonal, its input weights after Xavier, and its biases to 0."""
    for name, parameter in recurrent.named_parameters():
        for gate in parameter.data.chunk(3):
            if name.startswith("bias"):
                nn.init.zeros_(gate)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            else:
                nn.init.xavier_uniform_(gate)


def gru(n_leads: int, n_samples: int, n_labels: int, head: str = "flatten") -> nn.Module:
    """Return the network for signals of exactly `n_samples` samples; `head` as in `GRU`."""
    return GRU(n_leads, n_samples, n_labels, head)
