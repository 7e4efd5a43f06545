"""Checks of a study's config before any job starts; every mistake becomes one line that names the key."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from ecgtransfer.acquire.simulate import corpus_settings
from ecgtransfer.errors import InputError, close_to, did_you_mean
from ecgtransfer.prepare.corpora import datasets_of
from ecgtransfer.study import corpora_of, sources_of

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a section",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def in_key_order(value: Any) -> Any:
    """Return a config with the keys of every section sorted: the order in which they stood must rerun nothing."""
    if isinstance(value, dict):
        return {key: in_key_order(value[key]) for key in sorted(value)}
    return [in_key_order(item) for item in value] if isinstance(value, list) else value


def check_config(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    published: Iterable[str],
    models: Iterable[str],
    views: Iterable[str],
) -> None:
    """Check a config against its schema and against the data sets, models and label views that exist.

    Parameters
    ----------
    config
        The study.
    schema
        The content of config/schema.yaml, a JSON schema.
    published
        Names of the data sets of config/datasets.yaml; those of the sections ``simulate`` and ``own`` are known, too.
    models
        Names of the model registry.
    views
        Names of the tables in config/labels/views.

    Raises
    ------
    InputError
        With one line per mistake.
    """
    errors = Draft202012Validator(schema).iter_errors(config)
    mistakes = [mistake for mistake in dict.fromkeys(map(_in_words, errors)) if mistake]
    mistakes = mistakes or list(_inconsistencies(config, list(published), list(models), list(views)))
    if mistakes:
        raise InputError("\n".join(mistakes))


def _in_words(error: ValidationError) -> str:
    place = _key(error.absolute_path)
    subject = f"`{place}`" if place else "the config"
    if "propertyNames" in error.absolute_schema_path:
        subject = f"a key of {subject}"
    found: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "additionalProperties":
            known = list(schema["properties"])
            unknown = [key for key in found if key not in known]
            return "\n".join(f"`{key}` is not a key of {subject}{did_you_mean(key, known)}" for key in unknown)
        case "required":
            misspelt = {close for key in found if key not in wanted for close in close_to(key, wanted)}
            missing = [f"`{key}`" for key in wanted if key not in found and key not in misspelt]
            return f"{subject} lacks the key {', '.join(missing)}" if missing else ""
        case "enum":
            allowed = [str(value) for value in wanted]
            expected = f"one of {', '.join(allowed)}{did_you_mean(found, allowed)}"
        case "type":
            types = [wanted] if isinstance(wanted, str) else wanted
            expected = " or ".join(_TYPES[name] for name in types) + _in_another_spelling(found, types)
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            expected = " and ".join(f"{words} {schema[bound]}" for bound, words in _BOUNDS.items() if bound in schema)
        case "pattern":
            expected = schema.get("x-expected", wanted)
        case "minItems":
            expected = f"at least {wanted} entry"
        case "uniqueItems":
            expected = "every entry once"
        case _:
            return f"{subject}: {error.message[:200]}"
    return f"{subject} is {_shown(found)}, expected {expected}"


def _key(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _in_another_spelling(value: Any, types: list[str]) -> str:
    """Return a hint where YAML reads text as a number or, as with 1e-3, a number as text."""
    if types == ["string"] and isinstance(value, int | float):
        return f"; write '{value}'"
    try:
        return f"; write {float(value)!r}" if "number" in types and isinstance(value, str) else ""
    except ValueError:
        return ""


def _inconsistencies(
    config: Mapping[str, Any], published: list[str], models: list[str], views: list[str]
) -> Iterator[str]:
    yield from _wrong_corpora(config, published)
    yield from _wrong_names(config, published, models)
    yield from _wrong_view(config["labels"]["view"], views)
    yield from _wrong_plan(config)
    yield from _wrong_folds(config["splits"])
    yield from _wrong_band(config["signals"])


def _wrong_corpora(config: Mapping[str, Any], published: list[str]) -> Iterator[str]:
    for name in config["own"]:
        if name in published or name in config["simulate"]:
            yield f"`own.{name}` has the name of another data set; choose another"
    for name, settings in config["simulate"].items():
        if name in published:
            yield f"`simulate.{name}` has the name of a data set of config/datasets.yaml; choose another"
        try:
            corpus_settings(name, {key: value for key, value in settings.items() if key != "seed"})
        except InputError as mistake:
            yield str(mistake).removeprefix("config, ")


def _wrong_view(view: str, views: list[str]) -> Iterator[str]:
    if view not in ("all", *views):
        hint = did_you_mean(view, views) or f"; there are all, {', '.join(views)}"
        yield f"`labels.view`: '{view}' is no table in config/labels/views{hint}"


def _wrong_names(config: Mapping[str, Any], published: list[str], models: list[str]) -> Iterator[str]:
    known = [*config["simulate"], *config["own"], *published]
    transfer = config["transfer"]
    for place, names in {
        "transfer.sources": [dataset for corpus in transfer["sources"] for dataset in datasets_of(corpus)],
        "transfer.targets": [dataset for corpus in transfer["targets"] for dataset in datasets_of(corpus)],
        "report.recordings.datasets": config["report"]["recordings"]["datasets"],
    }.items():
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
                yield f"`{place}`: '{name}' is neither in config/datasets.yaml nor in `simulate` or `own`{hint}"
    for place in ("limits", "mirrors"):
        for name in config[place]:
            if name not in published:
                hint = did_you_mean(name, published) or f"; known are {', '.join(published)}"
                yield f"`{place}`: '{name}' is not a data set of config/datasets.yaml{hint}"
    for model in transfer["models"]:
        if model not in models:
            hint = did_you_mean(model, models) or f"; known are {', '.join(models)}"
            yield f"`transfer.models`: '{model}' is not a model{hint}"


def _wrong_plan(config: Mapping[str, Any]) -> Iterator[str]:
    for corpus in corpora_of(config):
        if len(set(datasets_of(corpus))) < len(datasets_of(corpus)):
            yield f"`transfer`: '{corpus}' names a data set twice"
    for target in config["transfer"]["targets"]:
        if not sources_of(config, target):
            yield f"`transfer.targets`: every source shares a data set with '{target}'; add a source that does not"


def _wrong_folds(splits: Mapping[str, Any]) -> Iterator[str]:
    groups = {place: splits[place] for place in ("valid_groups", "test_groups")}
    if splits["by"] == "patient" and any(groups.values()):
        yield "`splits.valid_groups` and `splits.test_groups` name sites or months; set `splits.by` to site or month"
    if set(groups["valid_groups"]) & set(groups["test_groups"]):
        yield "`splits.valid_groups` and `splits.test_groups` share a group; it can only have one role"
    if any(groups.values()):
        for place in (place for place, names in groups.items() if not names):
            yield f"`splits.{place}` is empty; with named groups, name those that validate and those that test"
        return
    held_out = {*splits["valid_folds"], *splits["test_folds"]}
    if set(splits["valid_folds"]) & set(splits["test_folds"]):
        yield "`splits.valid_folds` and `splits.test_folds` share a fold; a patient can only have one role"
    for place in ("valid_folds", "test_folds"):
        if max(splits[place]) > splits["n_folds"]:
            yield f"`splits.{place}` names fold {max(splits[place])}, there are {splits['n_folds']} (`splits.n_folds`)"
    if held_out >= set(range(1, splits["n_folds"] + 1)):
        yield "`splits.valid_folds` and `splits.test_folds` leave no fold to train on; raise `splits.n_folds`"


def _wrong_band(signals: Mapping[str, Any]) -> Iterator[str]:
    band, rate = signals["band_pass"], signals["sampling_rate_hz"]
    if band["design"] == "none":
        return
    if band["low_hz"] >= band["high_hz"]:
        yield f"`signals.band_pass`: low_hz {band['low_hz']} must lie below high_hz {band['high_hz']}"
    if band["high_hz"] > rate / 2:
        yield (
            f"`signals.band_pass.high_hz` is {band['high_hz']}, at most half of `signals.sampling_rate_hz`"
            f" = {rate} can be kept"
        )
