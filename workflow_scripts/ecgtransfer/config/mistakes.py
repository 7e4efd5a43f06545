"""Mistakes in the form of a config in words: each is one line that names the key.

YAML reads some text as something else: ``1.10`` as the number 1.1, ``NO`` as false, ``2022-12-01`` as a date. What was
written cannot be recovered from what was read, so text must be quoted where YAML could misread it, and is refused
otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ecgtransfer.config.keys import OR_LEFT_OUT, Section
from ecgtransfer.errors import close_to, did_you_mean

_TYPES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a section",
    NoneType: "null",
}
_BOUNDS = {
    Ge: ("ge", "at least"),
    Gt: ("gt", "more than"),
    Le: ("le", "at most"),
    Lt: ("lt", "less than"),
}
_UNKNOWN = ("extra_forbidden", "invalid_key")
_RENAMED = {"arms": "methods", "transfer.arms": "transfer.methods"}
"""Keys of earlier versions, and what they are called now."""
# How pydantic marks places: where the key itself is wrong, and which of several kinds of value was tried.
_IN_KEY = "[key]"
_TAGS = ("function-after[", "literal[")


def mistakes_of(model: type[Section], error: ValidationError) -> list[str]:
    """Return what in a config does not fit its model, one line per mistake, in the order of the model."""
    details = error.errors(include_url=False)
    lines = [line for found in details if (line := _in_words(model, found))]
    return list(dict.fromkeys([*_lacking(details), *lines]))


def _place(loc: Iterable[Any]) -> str:
    """Return the place of something as a dotted path."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _lacking(details: Sequence[ErrorDetails]) -> Iterator[str]:
    """Yield which keys each section lacks; a key that is only misspelt is named elsewhere."""
    lacking: dict[tuple[Any, ...], list[str]] = {}
    for found in details:
        if found["type"] == "missing":
            lacking.setdefault(found["loc"][:-1], []).append(str(found["loc"][-1]))
    for section, keys in lacking.items():
        unknown = [found["loc"][-1] for found in details if found["type"] in _UNKNOWN and found["loc"][:-1] == section]
        misspelt = {close for name in unknown for close in close_to(name, keys)}
        if named := [f"`{key}`" for key in keys if key not in misspelt]:
            yield f"{_subject(section)} lacks the key {', '.join(named)}"


def _in_words(model: type[Section], found: ErrorDetails) -> str:
    kind, value, context = found["type"], found["input"], found.get("ctx", {})
    loc = [part for part in found["loc"] if not str(part).startswith(_TAGS)]
    if kind == "missing" or (len(loc) < len(found["loc"]) and kind == "literal_error"):
        return ""
    if kind in _UNKNOWN:
        if now := _RENAMED.get(_place(loc)):
            return f"`{_place(loc)}` is now called `{now}`"
        *above, last = loc
        known = list(_kind_at(model, above).of.model_fields)
        return f"`{last}` is not a key of {_subject(above)}{did_you_mean(last, known)}"
    wanted = _kind_at(model, loc)
    subject = f"a key of {_subject(loc[:-2])}" if loc[-1:] == [_IN_KEY] else _subject(loc)
    match kind:
        case "literal_error":
            allowed = [str(one) for one in get_args(wanted.of)]
            expected = f"one of {', '.join(allowed)}{did_you_mean(value, allowed)}"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            expected = " and ".join(wanted.bounds)
        case "too_short":
            expected = f"at least {context['min_length']} entry"
        case "string_too_short":
            expected = "at least one character; put signs that YAML interprets in quotes"
        case "string_too_long":
            expected = f"at most {context['max_length']} characters"
        case "expected":
            expected = context["what"]
        case _:
            expected = f"{wanted.in_words}{_in_another_spelling(value, wanted)}"
    return f"{subject} is {_shown(value)}, expected {expected}"


def _subject(loc: Sequence[Any]) -> str:
    return f"`{_place(loc)}`" if loc else "the config"


@dataclass(frozen=True)
class _Kind:
    """What is allowed at a place: values `of` a type or a kind of list, within bounds, or null."""

    of: Any
    or_null: bool
    bounds: list[str]

    @property
    def in_words(self) -> str:
        type_ = get_origin(self.of) or self.of
        name = "a section" if isinstance(type_, type) and issubclass(type_, Section) else _TYPES[type_]
        return f"{name} or null" if self.or_null else name


def _kind_at(model: type[Section], loc: Sequence[Any]) -> _Kind:
    """Return what is allowed at a place, which may be a key itself (`_IN_KEY`)."""
    kind = _kind_of(model, [])
    for part, following in pairwise([*loc, ""]):
        if part == _IN_KEY:
            continue
        if get_origin(kind.of) is dict:
            kind = _kind_of(get_args(kind.of)[0 if following == _IN_KEY else 1], [])
        elif get_origin(kind.of) is list:
            kind = _kind_of(get_args(kind.of)[0], [])
        else:
            field = kind.of.model_fields[part]
            kind = _kind_of(field.annotation, field.metadata)
    return kind


def _kind_of(annotation: Any, metadata: Iterable[Any]) -> _Kind:
    """Return what an annotation means; of several types the last counts, which here is the list."""
    metadata, or_null = list(metadata), False
    while get_origin(annotation) in (Annotated, Union, UnionType):
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata += more
        else:
            kinds = get_args(annotation)
            or_null = NoneType in kinds
            annotation = [one for one in kinds if one is not NoneType][-1]
    known = [bound for entry in metadata for bound in (entry.metadata if isinstance(entry, FieldInfo) else [entry])]
    bounds = [
        f"{words} {getattr(bound, name)}"
        for type_, (name, words) in _BOUNDS.items()
        for bound in known
        if type(bound) is type_
    ]
    return _Kind(annotation, or_null and OR_LEFT_OUT not in metadata, bounds)


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _in_another_spelling(value: Any, wanted: _Kind) -> str:
    """Return a hint where YAML reads text as something else, or takes a number for text."""
    if wanted.of is str and not isinstance(value, dict | list):
        if value is None:
            return "; it is empty, or a word that YAML reads as null: put it in quotes"
        kind = "yes or no" if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
        return f"; YAML reads it as {kind}: put it in quotes, as you wrote it"
    if wanted.of is int and isinstance(value, float) and value.is_integer():
        return f"; write {value:.0f}"
    return ""
