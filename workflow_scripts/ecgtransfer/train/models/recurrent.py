"""Recurrent networks that read the signal sample by sample."""

from torch import Tensor, nn

HIDDEN_SIZE = 100


class GRU(nn.Module):
    """The gated recurrent network of Nguyen & Do 2025: the outputs of all time steps, flattened, feed one linear layer.

    Parameters
    ----------
    n_leads, n_samples, n_labels
        The input's shape and the number of logits.

    Notes
    -----
    The flattened head holds most of the weights (n_samples x 100 x n_labels), and it is new when the model is
    fine-tuned: far less is transferred than in a convolutional network. The study's dropout of 0.3 acts between
    recurrent layers, of which there is one, so it has no effect and is left out.
    """

    def __init__(self, n_leads: int, n_samples: int, n_labels: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(n_leads, HIDDEN_SIZE, batch_first=True)
        self.head = nn.Linear(n_samples * HIDDEN_SIZE, n_labels)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (records, labels), of signals of shape (records, leads, samples)."""
        outputs, _ = self.recurrent(x.transpose(1, 2))
        logits: Tensor = self.head(outputs.flatten(start_dim=1))
        return logits


def gru(n_leads: int, n_samples: int, n_labels: int) -> nn.Module:
    """Return the network for signals of exactly `n_samples` samples."""
    return GRU(n_leads, n_samples, n_labels)
