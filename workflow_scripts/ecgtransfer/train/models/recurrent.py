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
        their mean and maximum over time, so that nearly all weights are transferred.

    Notes
    -----
    The study's dropout of 0.3 acts between recurrent layers, of which there is one, so it has no effect and is left
    out.
    """

    def __init__(self, n_leads: int, n_samples: int, n_labels: int, head: str) -> None:
        super().__init__()
        self.pooled = head == "pool"
        self.recurrent = nn.GRU(n_leads, HIDDEN_SIZE, batch_first=True)
        self.head = nn.Linear(HIDDEN_SIZE * (2 if self.pooled else n_samples), n_labels)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (records, labels), of signals of shape (records, leads, samples)."""
        outputs, _ = self.recurrent(x.transpose(1, 2))
        features = torch.cat([outputs.mean(dim=1), outputs.amax(dim=1)], dim=1) if self.pooled else outputs.flatten(1)
        logits: Tensor = self.head(features)
        return logits


def gru(n_leads: int, n_samples: int, n_labels: int, head: str = "flatten") -> nn.Module:
    """Return the network for signals of exactly `n_samples` samples; `head` as in `GRU`."""
    return GRU(n_leads, n_samples, n_labels, head)
