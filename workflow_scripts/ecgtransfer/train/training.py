"""What a training is: what a pre-training and a cell of the study have in common."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from ecgtransfer.leads import LEADS
from ecgtransfer.train.corpus import Corpus, Examples
from ecgtransfer.train.hardware import training_device, uses_kernels
from ecgtransfer.train.models.base import EcgModel
from ecgtransfer.train.registry import build_model, forward_flops_by_registry
from ecgtransfer.train.settings import TrainingSettings
from ecgtransfer.train.state import training_key


@dataclass(frozen=True, kw_only=True)
class Training:
    """A requested training.

    Attributes
    ----------
    model, options
        A key of the model registry, and its options in the config section ``models``.
    settings
        How long and how fast.
    seed
        Of weights and order of batches.
    deterministic
        Whether algorithms are chosen that give the same result every time.
    code
        Fingerprint of the code that trains.
    """

    model: str
    options: Mapping[str, Any]
    settings: TrainingSettings
    seed: int
    deterministic: bool
    code: str

    def n_samples(self, corpus: Corpus) -> int:
        """Return the length of what the model sees at once: a recording, or the random part of it that a step takes."""
        return corpus.samples_in(self.settings.crop_s) or corpus.n_samples

    def new_model(self, corpus: Corpus, n_outputs: int) -> EcgModel:
        """Return the model for recordings of a corpus, with weights as torch's generator gives them now."""
        fast = uses_kernels(training_device(), self.settings.kernels)
        return build_model(self.model, len(LEADS), self.n_samples(corpus), n_outputs, self.options, fast)

    def forward_flops(self, corpus: Corpus) -> int:
        """Return the arithmetic of a forward pass of what the model sees at once."""
        return forward_flops_by_registry(self.model, self.n_samples(corpus), self.options)

    def key(self, model: nn.Module, train: Examples, valid: Examples, more: Mapping[str, Any] = {}) -> str:
        """Return a hash of everything that decides the training: its settings, its first weights, the data it sees, and
        what `more` says.
        """
        tensors: dict[str, Any] = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, examples in {"train": train, "valid": valid}.items():
            tensors |= {f"{name}.{key}": value for key, value in vars(examples).items() if value is not None}
        return training_key(asdict(self) | {"settings": self.settings.model_dump(), **more}, tensors)
