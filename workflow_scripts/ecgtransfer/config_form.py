"""Whether a config has the form that its schema asks for; every mistake in words, in one line that names the key.

YAML reads some text as something else: ``1.10`` as the number 1.1, ``NO`` as false, ``2022-12-01`` as a date. What was
written cannot be told from what was read, so text must be quoted where it could be read so, and is refused elsewhere.
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.validators import extend

from ecgtransfer.errors import close_to, did_you_mean

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


def _is_whole(_: TypeChecker, value: object) -> bool:
    """Tell whether a value can count things; JSON schema takes 3.0 for a whole number, Python does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: TypeChecker, value: object) -> bool:
    """Tell whether a value is a finite number: .nan lies within all bounds, as it compares with nothing."""
    return _is_whole(checker, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_whole, "number": _is_number}),
)


def mistakes_of_form(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return what of a config is not as a JSON schema asks, a line for each mistake."""
    errors: Iterable[ValidationError] = _Validator(schema).iter_errors(config)
    return [mistake for mistake in dict.fromkeys(map(_in_words, errors)) if mistake]


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
        case "maxLength":
            expected = f"at most {wanted} characters"
        case "minLength":
            expected = "at least one character; put in quotes what is a sign of YAML"
        case "minItems" | "minProperties":
            expected = f"at least {wanted} entry"
        case "uniqueItems":
            expected = "every entry once"
        case _:
            return f"{subject}: {error.message[:200]}"
    return f"{subject} is {_shown(found)}, expected {expected}"


def _key(path: Iterable[Any]) -> str:
    """Return a path in dots; a key may be a number or a date where quotes were forgotten."""
    text = ""
    for part in path:
        text += f"[{part}]" if type(part) is int else f".{part}" if text else str(part)
    return text


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _in_another_spelling(value: Any, types: list[str]) -> str:
    """Return a hint where YAML reads text as something else, or takes a number for text, as with 1e-3."""
    if "string" in types and not isinstance(value, dict | list):
        if value is None:
            return "; nothing stands there, or a word that YAML reads as nothing: put it in quotes"
        kind = "yes or no" if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
        return f"; YAML reads it as {kind}: put it in quotes, as you wrote it"
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return f"; write {value:.0f}"
    if isinstance(value, str) and (meant := _meant_by(value, types)):
        in_file = ", without quotes and in a file, for --config gives text" if meant == value else ""
        return f"; write {meant}{in_file}"
    return ""


def _meant_by(text: str, types: list[str]) -> str:
    """Return how YAML spells the number, the truth value or the nothing that a text is meant to be, if it is one."""
    if ("boolean" in types and text in ("true", "false")) or ("null" in types and text == "null"):
        return text
    kinds = [int, float] if "number" in types else [int] if "integer" in types else []
    for kind in kinds:
        with suppress(ValueError):
            number = kind(text)
            return repr(number) if math.isfinite(number) else ""
    return ""
