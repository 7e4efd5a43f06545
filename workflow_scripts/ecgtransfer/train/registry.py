"""The registry of models, read from registry.csv: a name, the module that builds it, and what is to be known of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ecgtransfer.errors import InputError

if TYPE_CHECKING:  # the plan of a study reads the registry, and torch is slow to import
    from ecgtransfer.train.models.base import EcgModel

DESCRIBED_SAMPLES = 1000
"""Length of the recordings for which registry.csv describes models."""


@dataclass(frozen=True)
class ModelEntry:
    """A row of the registry: ``module`` has a function named like the model that builds it, and may have ``fast_form``.

    ``options`` are those that the model has beyond ``age_sex``, which all have; ``mflops`` is its arithmetic for a
    recording of 12 leads and `DESCRIBED_SAMPLES` samples, as in ``docs/models.md``; ``family`` is ``convolutional``,
    ``recurrent``, ``state space`` or ``attention``.
    """

    module: str
    options: tuple[str, ...]
    paper: str
    mflops: int
    family: str


def _read_registry() -> dict[str, ModelEntry]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: ModelEntry(
                row["module"], tuple(row["options"].split()), row["paper"], int(row["mflops"]), row["family"]
            )
            for row in csv.DictReader(file)
        }


REGISTRY = _read_registry()
"""The rows of registry.csv. A table, so that a new row changes no code that other models run, and reruns none of them;
modules are named there, not imported, so that the code fingerprint of one model leaves out the others."""


def build_model(
    name: str, n_leads: int, n_samples: int, n_labels: int, options: Mapping[str, Any] | None = None, fast: bool = False
) -> EcgModel:
    """Return a freshly initialised model.

    Parameters
    ----------
    name
        A key of `REGISTRY`, or a name of the study's own with such a key as the option ``of``.
    n_leads, n_samples, n_labels
        The input's shape and the number of logits.
    options
        Options of this model in the config section ``models``.
    fast
        Whether it computes with `ecgtransfer.kernels`, as far as its module has a function ``fast_form`` that lets it.

    Raises
    ------
    InputError
        If the registry has no such model.
    """
    published = registry_name(name, options)
    others = {option: value for option, value in (options or {}).items() if option != "of"}
    if published not in REGISTRY:
        raise InputError(f"transfer.models: '{published}' is not a model; known are {', '.join(REGISTRY)}")
    module = import_module(REGISTRY[published].module)
    model = cast("EcgModel", getattr(module, published)(n_leads, n_samples, n_labels, **others))
    if fast and hasattr(module, "fast_form"):
        module.fast_form(model)
    return model


def registry_name(name: str, options: Mapping[str, Any] | None = None) -> str:
    """Return what the registry calls a model, parameters as for `build_model`."""
    return str((options or {}).get("of", name))


def forward_flops_by_registry(name: str, n_samples: int, options: Mapping[str, Any] | None = None) -> int:
    """Return the arithmetic of a forward pass of one recording, from the registry: it grows with the length."""
    return round(REGISTRY[registry_name(name, options)].mflops * 1e6 * n_samples / DESCRIBED_SAMPLES)
