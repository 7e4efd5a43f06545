"""What all models share: stages that read the signal, a neck that sums it up, and a head that names the labels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

AGE_SEX_INPUTS = 4
"""Age and sex as numbers, see `ecgtransfer.train.age_sex`."""
AGE_SEX_FEATURES = 16


class EcgModel(nn.Module):
    """A classifier of recordings, cut where transfer learning cuts it.

    Parameters
    ----------
    stages
        From the input to the top: each takes and returns (records, channels, frames), the first takes
        (records, leads, samples). They are what partial, gradual and discriminative fine-tuning distinguish.
    neck
        From (records, channels, frames) to features (records, n_features): pooling, and layers behind it that are
        transferred.
    n_features
        What the neck returns per record.
    n_labels
        The number of logits.
    age_sex
        Whether age and sex are input, too: their embedding joins the features.

    Attributes
    ----------
    head : torch.nn.Linear
        The only layer that depends on the labels; it is new when the model is fine-tuned.
    """

    def __init__(
        self, stages: Sequence[nn.Module], neck: nn.Module, n_features: int, n_labels: int, age_sex: bool = False
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.neck = neck
        self.age_sex = nn.Sequential(nn.Linear(AGE_SEX_INPUTS, AGE_SEX_FEATURES), nn.ReLU()) if age_sex else None
        self.head = nn.Linear(n_features + (AGE_SEX_FEATURES if age_sex else 0), n_labels)

    def layer_groups(self) -> list[list[nn.Module]]:
        """Return all modules with weights but the head, in groups from the input to the top."""
        behind = [module for module in (self.neck, self.age_sex) if module is not None and list(module.parameters())]
        return [*([stage] for stage in self.stages), *([behind] if behind else [])]

    def sequence(self, x: Tensor) -> Tensor:
        """Return what the stages make of signals (records, leads, samples): (records, channels, frames)."""
        for stage in self.stages:
            x = stage(x)
        return x

    def features(self, x: Tensor, age_sex: Tensor | None = None) -> Tensor:
        """Return what the head sees, (records, features).

        Parameters
        ----------
        x
            Signals in normalised units, (records, leads, samples).
        age_sex
            (records, `AGE_SEX_INPUTS`) if the model takes them.
        """
        features: Tensor = self.neck(self.sequence(x))
        return features if self.age_sex is None else torch.cat([features, self.age_sex(age_sex)], dim=1)

    def forward(self, x: Tensor, age_sex: Tensor | None = None) -> Tensor:
        """Return logits, (records, labels)."""
        logits: Tensor = self.head(self.features(x, age_sex))
        return logits


def convolution(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv1d:
    """Return a convolution without bias that, with an odd kernel, returns ceil(frames / stride) frames."""
    return nn.Conv1d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)


class MeanOverTime(nn.Module):
    """Global average pooling."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, channels) of (records, channels, frames)."""
        return x.mean(dim=2)


class MeanMaxOverTime(nn.Module):
    """Global average and maximum pooling, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (records, 2 x channels) of (records, channels, frames)."""
        return torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)
