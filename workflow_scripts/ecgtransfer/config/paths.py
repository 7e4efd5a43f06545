"""Checks of the paths that a study names, before any job starts: old results must not replace what is missing."""

import os
from collections.abc import Iterator
from pathlib import Path

from ecgtransfer.config.study import Study
from ecgtransfer.errors import InputError
from ecgtransfer.study import drawn_datasets, is_outside


def check_paths(study: Study, results: str) -> None:
    """Check that the files and folders exist that a study names and uses; relative ones start at the working folder.

    None may be in the folder of the study's own `results`, or have characters that Snakemake interprets.

    Raises
    ------
    InputError
        With one line per path that does not.
    """
    mistakes = [
        f"`{key}`: {path} is no {kind}; correct the path"
        for key, path, kind in _paths_named(study)
        if not (Path(path).is_dir() if kind == "folder" else Path(path).is_file())
    ]
    mistakes += [
        f"`{key}`: {path} lies in {results}/, where what a run does not make has no place; move it elsewhere"
        for key, path, _ in _paths_named(study)
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(results))
    ]
    mistakes += [
        f"`{key}`: {path} has one of {{ }} < > in its name, which stand for something in Snakemake; rename it"
        for key, path, _ in _paths_named(study)
        if set(path) & set("{}<>")
    ]
    if mistakes:
        raise InputError("\n".join(mistakes))


def _paths_named(study: Study) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the path and what should be there."""
    for dataset in drawn_datasets(study):
        if own := study.own.get(dataset):
            named = {"folder": own.folder, "table": own.table, "label_table": own.label_table}
            for key, path in named.items():
                if path:
                    yield f"own.{dataset}.{key}", path, "folder" if key == "folder" else "file"
    for source in filter(lambda name: is_outside(study, name), study.transfer.sources):
        weights, key = study.outside_weights[source], f"outside_weights.{source}"
        files = {model: path for model, path in weights.files.items() if model in study.transfer.models}
        yield from ((f"{key}.files.{model}", path, "file") for model, path in files.items())
        if weights.names:
            yield f"{key}.names", weights.names, "file"
