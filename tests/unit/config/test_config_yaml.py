"""Text that YAML takes for something else is refused with "put it in quotes" wherever the schema expects text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from changed_config import mistakes_of, set_to

from ecgtransfer.config.tables import json_schema

READ_AS = {
    "1.10": ("1.1", "a number"),
    "3.0": ("3.0", "a number"),
    "01": ("1", "a number"),
    "12:30": ("750", "a number"),
    "0x1F": ("31", "a number"),
    "1_000": ("1000", "a number"),
    ".5": ("0.5", "a number"),
    ".inf": ("inf", "a number"),
    "NO": ("False", "yes or no"),
    "on": ("True", "yes or no"),
    "2022-12-01": ("2022-12-01", "a date"),
    "2022-12-01T12:30:00": ("2022-12-01 12:30:00", "a date"),
}
"""What is written, how it is shown, and what YAML takes it for."""
STILL_TEXT = ["08", "1.2.3", "2022-12", "1e3", "yes?", "n", "'1.10'", '"NO"', '"~"', "'12:30'"]
"""What YAML leaves as it is, and what is in quotes."""
SCHEMA = json_schema()
NAMES = {"own": "ours", "columns": "age", "outside_weights": "theirs", "simulate": "sim-clinic"}
"""Of the entry of a section that is changed; elsewhere a model."""


def text_places(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield where the schema expects text: ``*`` is a name of an entry, ``0`` an item of a list."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", ()):
        yield from text_places(option, above)
    if schema.get("type") == "string" and not {"enum", "const"} & set(schema):
        yield above
    for key, part in schema.get("properties", {}).items():
        yield from text_places(part, (*above, key))
    for entry in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
        if isinstance(entry, Mapping):
            yield from text_places(entry, (*above, "*"))
    if "items" in schema:
        yield from text_places(schema["items"], (*above, "0"))


PLACES = sorted(set(text_places(SCHEMA)))


def with_entries(config: dict[str, Any]) -> None:
    config["own"]["ours"] = {"folder": "ours", "table": "ours.csv"}
    config["outside_weights"]["theirs"] = {"trained_on": ["code-15"], "files": {"gru": "w.pt"}}


def at(place: tuple[str, ...], written: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that writes something, as YAML, at a place of the schema."""

    def placed(section: Any, way: tuple[str, ...]) -> Any:
        if not way:
            return yaml.safe_load(written)
        if way[0] == "0":
            return [placed(None, way[1:])]
        return {**(section or {}), way[0]: placed((section or {}).get(way[0]), way[1:])}

    section, *way = named(place)
    return lambda config: config.update({section: placed(config[section], tuple(way))})


def named(place: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        NAMES.get(before, "gru") if part == "*" else part for before, part in zip(("", *place), place, strict=False)
    )


def key_of(place: tuple[str, ...]) -> str:
    return ".".join(named(place)).replace(".0", "[0]")


def test_the_schema_expects_text_where_sites_columns_and_names_are() -> None:
    assert {
        *(("study",), ("own", "*", "folder"), ("own", "*", "table"), ("own", "*", "columns", "*")),
        *(("own", "*", "leads", "0"), ("own", "*", "label_separator"), ("splits", "valid_groups", "0")),
        *(
            ("splits", "test_groups", "0"),
            ("transfer", "sources", "0"),
            ("labels", "views", "*"),
            ("compare", "beside"),
        ),
    } <= set(PLACES)


@pytest.mark.parametrize("place", PLACES, ids=key_of)
def test_what_yaml_takes_for_something_else_is_to_be_quoted(place: tuple[str, ...]) -> None:
    for written, (shown, kind) in READ_AS.items():
        (mistake,) = mistakes_of(with_entries, at(place, written))
        assert mistake.startswith(f"`{key_of(place)}` is {shown}, expected text")
        assert mistake.endswith(f"; YAML reads it as {kind}: put it in quotes, as you wrote it")
    for written in STILL_TEXT:
        assert "quotes" not in "".join(mistakes_of(with_entries, at(place, written)))


@pytest.mark.parametrize("place", [place for place in PLACES if place[0] != "compare"], ids=key_of)
@pytest.mark.parametrize("written", ["", "~", "null"])
def test_what_yaml_takes_for_nothing_is_to_be_quoted(place: tuple[str, ...], written: str) -> None:
    (mistake,) = mistakes_of(with_entries, at(place, written))
    assert mistake.startswith(f"`{key_of(place)}` is None, expected text")
    assert mistake.endswith("; it is empty, or a word that YAML reads as null: put it in quotes")


def test_sites_of_every_spelling_are_told_at_once() -> None:
    mistakes = mistakes_of(set_to("splits/valid_groups", yaml.safe_load("[NO, 1.10, 12:30, 01, 2022-12-01, ~, north]")))
    assert [mistake.partition(",")[0] for mistake in mistakes] == [
        f"`splits.valid_groups[{number}]` is {shown}"
        for number, shown in enumerate(("False", "1.1", "750", "1", "2022-12-01", "None"))
    ]


@pytest.mark.parametrize(
    "section", ["own", "simulate", "outside_weights", "models", "limits", "mirrors", "labels/views"]
)
@pytest.mark.parametrize("written", ["2022", "NO", "on", "1.10", "2022-12-01"])
def test_names_are_text(section: str, written: str) -> None:
    entries = {"limits": 5, "mirrors": "file:///copy", "labels/views": "scored"}
    entry = entries.get(section, {})
    mistakes = mistakes_of(set_to(section, yaml.safe_load(f"{written}: {entry}")))
    key = section.replace("/", ".")
    (mistake,) = [mistake for mistake in mistakes if mistake.startswith(f"a key of `{key}` is ")]
    assert mistake.endswith("put it in quotes, as you wrote it")


def test_a_separator_that_yaml_takes_for_a_sign_of_its_own() -> None:
    (mistake,) = mistakes_of(with_entries, at(("own", "*", "label_separator"), "|"))
    assert mistake == (
        "`own.ours.label_separator` is '', expected at least one character; put signs that YAML interprets in quotes"
    )
    assert mistakes_of(with_entries, at(("own", "*", "label_separator"), "'|'")) == []
