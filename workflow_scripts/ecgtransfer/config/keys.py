"""Of what keys of the config are made: sections, kinds of values, and what a key takes."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import PydanticCustomError, core_schema

from ecgtransfer.config.descriptions import describe
from ecgtransfer.source import SUFFIXES


class Section(BaseModel):
    """A part of the config; its keys are attributes with a description below each, in the Markdown of the README."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, json_schema_extra=describe)

    def as_given(self) -> dict[str, Any]:
        """Return the keys that are not null, with plain values."""
        return self.model_dump(exclude_none=True)


def key(default: Any = ..., *, unit: str = "", **bounds: Any) -> Any:
    """Return what a key takes: its default (without one it is needed), its unit, and bounds as pydantic names them."""
    return Field(default, json_schema_extra={"unit": unit} if unit else None, **bounds)


def expected(what: str) -> PydanticCustomError:
    """Return the error of a value in place of which something else was expected."""
    return PydanticCustomError("expected", "{what}", {"what": what})


@dataclass(frozen=True)
class Matching:
    """In annotations: text that matches a pattern as a whole; `what` describes it in words."""

    pattern: str
    what: str

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise expected(self.what)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


def _every_entry_once(entries: list[Any]) -> list[Any]:
    if any(entry in entries[:place] for place, entry in enumerate(entries)):
        raise expected("every entry once")
    return entries


def _number_in_text(value: Any) -> Any:
    """Return the number that a text spells; `--config` hands the numbers within a section over as text."""
    if isinstance(value, str):
        for kind in (int, float):
            with suppress(ValueError):
                number = kind(value)
                return number if math.isfinite(number) else value
    return value


def _truth_in_text(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _null_in_text(value: Any) -> Any:
    return None if value == "null" else value


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "null")
    return value


Whole = Annotated[int, BeforeValidator(_number_in_text)]
Number = Annotated[float, BeforeValidator(_number_in_text)]
Truth = Annotated[bool, BeforeValidator(_truth_in_text)]
OR_NULL = BeforeValidator(_null_in_text)
OR_LEFT_OUT = BeforeValidator(_refuse_null)
"""Of keys that may be left out, but not be null."""
ONCE = AfterValidator(_every_entry_once)

Text = Annotated[str, Field(min_length=1)]
Seed = Annotated[Whole, Field(ge=0)]

_NAME = "letters, digits, '.', '_' and '-', a letter or digit first"
_LONGEST_NAME = Field(max_length=100)
SHARED = "trainings"
"""Where the finished trainings of all studies are, beside the results of each; so no study can have this name."""
StudyName = Annotated[
    str,
    _LONGEST_NAME,
    Matching(
        rf"(?!{SHARED}$)[A-Za-z0-9][A-Za-z0-9._-]*", f"{_NAME} and not '{SHARED}', where those of all studies are"
    ),
]
Name = Annotated[
    str,
    _LONGEST_NAME,
    Matching(
        rf"(?!.*({'|'.join(SUFFIXES)})$)[A-Za-z0-9][A-Za-z0-9._-]*",
        f"{_NAME} and not {', '.join(map(repr, SUFFIXES[:-1]))} or {SUFFIXES[-1]!r} at the end",
    ),
]
"""Of a data set, a corpus, a model or weights; the suffixes of sources have another meaning."""
Mirror = Annotated[str, Matching(r"(https?://[^/]+|file:///).*", "https://host, http://host or file:///folder")]
