"""Checks of a study's config before any job starts; every mistake becomes one line that names the key."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.corpora import datasets_of
from ecgtransfer.study import corpora_of, sources_of


def check_config(
    config: Mapping[str, Any], schema: Mapping[str, Any], published: Iterable[str], models: Iterable[str]
) -> None:
    """Check a config against its schema and against the data sets and models that exist.

    Parameters
    ----------
    config
        The study.
    schema
        The content of config/schema.yaml, a JSON schema.
    published
        Names of the data sets of config/datasets.yaml; those of the section ``simulate`` are known, too.
    models
        Names of the model registry.

    Raises
    ------
    InputError
        With one line per mistake.
    """
    mistakes = [_in_words(error) for error in Draft202012Validator(schema).iter_errors(config)]
    mistakes = mistakes or list(_inconsistencies(config, published, models))
    if mistakes:
        raise InputError("\n".join(mistakes))


def _in_words(error: ValidationError) -> str:
    place = _key(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = [key for key in error.instance if key not in known]
            return "; ".join(f"`{key}` is not a key of `{place or 'the config'}`{_did_you_mean(key, known)}" for key in unknown)
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return f"`{place or 'the config'}` lacks the key {', '.join(f'`{key}`' for key in missing)}"
        case "enum":
            allowed = [str(value) for value in error.validator_value]
            return f"`{place}` is '{error.instance}', expected one of {', '.join(allowed)}{_did_you_mean(str(error.instance), allowed)}"
        case "type":
            wanted = error.validator_value
            return f"`{place}` is {error.instance!r}, expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case _:
            return f"`{place}`: {error.message}"


def _key(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _inconsistencies(config: Mapping[str, Any], published: Iterable[str], models: Iterable[str]) -> Iterable[str]:
    simulated = list(config["simulate"])
    published = list(published)
    known = [*simulated, *published]
    for name in simulated:
        if name in published:
            yield f"`simulate.{name}` has the name of a data set of config/datasets.yaml; choose another"
    extra = config["report"]["recordings"]["datasets"]
    for place, names in {
        "transfer.sources": [d for corpus in config["transfer"]["sources"] for d in datasets_of(corpus)],
        "transfer.targets": [d for corpus in config["transfer"]["targets"] for d in datasets_of(corpus)],
        "report.recordings.datasets": extra,
        "limits": list(config["limits"]),
    }.items():
        for name in names:
            if name not in known:
                hint = _did_you_mean(name, known) or f"; known are {', '.join(known)}"
                yield f"`{place}`: '{name}' is neither in config/datasets.yaml nor in `simulate`{hint}"
    for model in config["transfer"]["models"]:
        if model not in models:
            yield f"`transfer.models`: '{model}' is not a model{_did_you_mean(model, models) or f'; known are {", ".join(models)}'}"
    for corpus in corpora_of(config):
        if len(set(datasets_of(corpus))) < len(datasets_of(corpus)):
            yield f"`transfer`: '{corpus}' names a data set twice"
    for target in config["transfer"]["targets"]:
        if not sources_of(config, target):
            yield f"`transfer.targets`: every source shares a data set with '{target}'; add a source that does not"
    folds = config["splits"]
    if set(folds["valid_folds"]) & set(folds["test_folds"]):
        yield "`splits.valid_folds` and `splits.test_folds` share a fold; a patient can only have one role"
    for place in ("valid_folds", "test_folds"):
        if max(folds[place]) > folds["n_folds"]:
            yield f"`splits.{place}` names fold {max(folds[place])}, there are {folds['n_folds']} (`splits.n_folds`)"
    band = config["signals"]["band_pass"]
    if band["low_hz"] >= band["high_hz"]:
        yield f"`signals.band_pass`: low_hz {band['low_hz']} must lie below high_hz {band['high_hz']}"
    if band["high_hz"] > config["signals"]["sampling_rate_hz"] / 2:
        yield (
            f"`signals.band_pass.high_hz` is {band['high_hz']}, at most half of `signals.sampling_rate_hz`"
            f" = {config['signals']['sampling_rate_hz']} can be kept"
        )
