"""The methods of transfer: what happens to the weights of a source, one module each.

Modules are found by their names in this folder and imported by name, so that adding one, or editing one, changes no
code that another runs. A study's plan reads them, so they do without torch until they train.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ecgtransfer.config.keys import Section
from ecgtransfer.errors import InputError, did_you_mean
from ecgtransfer.layer_groups import HEAD, LayerGroup, TrainingPlan, body_of

if TYPE_CHECKING:
    import numpy as np

    from ecgtransfer.train.fitting import Records, Replicate
    from ecgtransfer.train.loop import Task
    from ecgtransfer.train.models.base import EcgModel

METHODS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))
"""Their names, as the config has them."""


class NoSettings(Section):
    """Of a method without settings."""


@dataclass(frozen=True)
class Method:
    """A method of transfer.

    Attributes
    ----------
    settings
        Its settings in the config section ``methods``.
    name
        Of its module.
    spelling, pattern
        How the config names it, for messages and as a regular expression.
    meaning
        What becomes of the weights of the source, for README and page. The head is always new.
    in_figures
        The same in few words that end a description there; empty for the usual one.
    Settings
        The form of its settings.
    keeps_features
        Whether the features of a recording are those of the source, so that each passes through the model once.
    trains_all_layers
        Whether all layers are trained in every epoch.
    by_gradients
        Whether there are a loss and an optimiser.
    """

    settings: Section = field(default_factory=NoSettings)

    name: ClassVar[str]
    spelling: ClassVar[str]
    pattern: ClassVar[str]
    meaning: ClassVar[str]
    in_figures: ClassVar[str] = ""
    Settings: ClassVar[type[Section]] = NoSettings
    keeps_features: ClassVar[bool] = False
    trains_all_layers: ClassVar[bool] = False
    by_gradients: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2]
        cls.spelling = cls.__dict__.get("spelling", cls.name)
        cls.pattern = cls.__dict__.get("pattern", cls.name)

    @classmethod
    def of(cls, text: str, settings: Section) -> Method:
        """Return the method that a text of its pattern names."""
        return cls(settings)

    def __str__(self) -> str:
        return self.name

    @property
    def meaning_here(self) -> str:
        """`meaning`, with the numbers that this one has."""
        return self.meaning

    @property
    def in_figures_here(self) -> str:
        """`in_figures`, with the numbers that this one has."""
        return self.in_figures

    def group(self, modules: tuple[str, ...], place: int, depth: int) -> LayerGroup:
        """Return how layers below the head are trained.

        Parameters
        ----------
        modules
            Their names.
        place, depth
            Of the group: from the input, from 0, and below the head, from 1.
        """
        return LayerGroup(modules)

    def plan(self, model: EcgModel) -> TrainingPlan:
        """Return what is trained of a model, which is not changed.

        Raises
        ------
        InputError
            If the model has too few layer groups.
        """
        body = body_of(model)
        groups = [self.group(modules, place, len(body) - place) for place, modules in enumerate(body)]
        return TrainingPlan((*groups, LayerGroup(HEAD)))

    def fit(
        self, model: EcgModel, plan: TrainingPlan, task: Task, records: Records, used: np.ndarray, precision: str
    ) -> Replicate:
        """Train a replicate that has the weights of the source. Only for methods that do not go `by_gradients`.

        Parameters
        ----------
        model
            With the weights of the source.
        plan
            From `plan`.
        task
            What is learnt, from which records.
        records, used
            All records of each role, and which of those that validate may be seen.
        precision
            Of the features.
        """
        raise NotImplementedError(f"{self} has no fit of its own")


def method_of(text: str, settings: Mapping[str, Any] | None = None) -> Method:
    """Return the method that an entry of ``transfer.methods`` names, with its settings in the section ``methods``.

    Raises
    ------
    InputError
        If there is none of that name, or a number that it needs is missing, below 1 or out of place.
    """
    name = text.partition(":")[0]
    if name not in METHODS:
        raise InputError(
            f"transfer.methods: '{text}' is no method; known are {spellings()}{did_you_mean(name, METHODS)}"
        )
    method = method_class(name)
    if not re.fullmatch(method.pattern, text):
        raise InputError(f"transfer.methods: '{text}' should be {method.spelling}")
    return method.of(text, method.Settings.model_validate(settings or {}))


def method_module(name: str) -> str:
    """Return the dotted name of the module of a method."""
    return f"{__name__}.{name}"


def method_class(name: str) -> type[Method]:
    """Return the class in the module of a method."""
    module = import_module(method_module(name))
    (found,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and issubclass(kind, Method)
    ]
    return found


def spellings() -> str:
    """Return how the config names the methods, in words."""
    *others, last = [method_class(name).spelling for name in METHODS]
    return f"{', '.join(others)} or {last}"
