"""The default study with changes, and what `check_config` says of it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from ecgtransfer.config import check_config
from ecgtransfer.errors import InputError

CONFIG = Path(__file__).parents[2] / "config"
DEFAULT: dict[str, Any] = {}
update_config(DEFAULT, yaml.safe_load((CONFIG / "config.yaml").read_text()))  # so that aliased sections are two
SCHEMA = yaml.safe_load((CONFIG / "schema.yaml").read_text())
PUBLISHED = yaml.safe_load((CONFIG / "datasets.yaml").read_text())
MODELS: dict[str, list[str]] = {"resnet1d18": [], "gru": ["head"]}
VIEWS = [path.stem for path in (CONFIG / "labels" / "views").glob("*.csv")]


def mistakes_of(*changes: Callable[[dict[str, Any]], object]) -> list[str]:
    """Return what `check_config` says of the default study after some changes."""
    config = copy.deepcopy(DEFAULT)
    for change in changes:
        change(config)
    try:
        check_config(config, SCHEMA, PUBLISHED, MODELS, VIEWS)
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
