"""Checks of the paths that a study names, before any job starts, or old results would stand in for what is missing."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgtransfer.errors import InputError
from ecgtransfer.study import drawn_datasets, is_outside


def check_paths(config: Mapping[str, Any], results: str) -> None:
    """Check that the files and folders exist that a study names and uses; relative ones start at the working folder.

    None may lie in the folder of the study's own `results`, nor have characters that Snakemake takes for its own.

    Raises
    ------
    InputError
        With one line per path that does not.
    """
    mistakes = [
        f"`{key}`: {path} is no {kind}; mend the path"
        for key, path, kind in _paths_named(config)
        if not (Path(path).is_dir() if kind == "folder" else Path(path).is_file())
    ]
    mistakes += [
        f"`{key}`: {path} lies in {results}/, where what a run does not make has no place; move it elsewhere"
        for key, path, _ in _paths_named(config)
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(results))
    ]
    mistakes += [
        f"`{key}`: {path} has one of {{ }} < > in its name, which stand for something in Snakemake; rename it"
        for key, path, _ in _paths_named(config)
        if set(path) & set("{}<>")
    ]
    if mistakes:
        raise InputError("\n".join(mistakes))


def _paths_named(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the path and what should be there."""
    for dataset in drawn_datasets(config):
        own = config["own"].get(dataset, {})
        kinds = {"folder": "folder", "table": "file", "label_table": "file"}
        yield from ((f"own.{dataset}.{key}", own[key], kind) for key, kind in kinds.items() if own.get(key))
    for source in filter(lambda name: is_outside(config, name), config["transfer"]["sources"]):
        weights, key = config["outside_weights"][source], f"outside_weights.{source}"
        files = {model: path for model, path in weights["files"].items() if model in config["transfer"]["models"]}
        yield from ((f"{key}.files.{model}", path, "file") for model, path in files.items())
        if "names" in weights:
            yield f"{key}.names", weights["names"], "file"
