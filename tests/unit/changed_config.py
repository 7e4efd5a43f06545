"""The default study with changes, and what `read_study` says of it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ecgtransfer.config.consistency import read_study
from ecgtransfer.config.study import Study
from ecgtransfer.errors import InputError

CONFIG = Path(__file__).parents[2] / "config"
OWN_CHOICES = yaml.safe_load((CONFIG / "config.yaml").read_text())
DEFAULT: dict[str, Any] = Study.of(OWN_CHOICES).as_config()
"""The default study with all its keys."""
PUBLISHED = yaml.safe_load((CONFIG / "datasets.yaml").read_text())
MODELS: dict[str, list[str]] = {"resnet1d18": [], "gru": ["head"]}
VIEWS = [path.stem for path in (CONFIG / "labels" / "views").glob("*.csv")]


def mistakes_of(*changes: Callable[[dict[str, Any]], object]) -> list[str]:
    """Return what `read_study` says of the default study after some changes."""
    config = copy.deepcopy(DEFAULT)
    for change in changes:
        change(config)
    try:
        read_study(config, PUBLISHED, MODELS, VIEWS)
    except InputError as error:
        return str(error).splitlines()
    return []


def set_to(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of one key."""

    def change(config: dict[str, Any]) -> None:
        *sections, key = path.split("/")
        for section in sections:
            config = config[section]
        config[key] = value

    return change
