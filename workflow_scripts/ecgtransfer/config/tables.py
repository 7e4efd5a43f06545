"""The README's tables of config keys, and the schema for editors: generated from the sections themselves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from ecgtransfer.config.descriptions import descriptions
from ecgtransfer.config.keys import Section
from ecgtransfer.config.study import Study
from ecgtransfer.config.training import Training
from ecgtransfer.methods import METHODS, method_class

ANY = "*"
"""In the path of a key: the name of an entry, such as that of a data set."""
_TABLE = re.compile(r"<!-- keys: (?P<sections>.+?) -->\n.*?<!-- end -->", re.DOTALL)
_METHODS_TABLE = re.compile(r"<!-- methods -->\n.*?<!-- end -->", re.DOTALL)
_HEAD = "| key | meaning | unit | default | reruns |\n|---|---|---|---|---|\n"
_TAKE_OVER = ("pretrain", "scratch", "finetune")


@dataclass(frozen=True)
class Key:
    """A key that takes a value: its path, such as ``own.*.folder``, and how its section describes it.

    Attributes
    ----------
    taken_over
        Whether it is one of a section of trainings whose default is that of the section ``training``.
    """

    path: str
    meaning: str
    unit: str
    default: str
    taken_over: bool = False


def keys_of(default: Mapping[str, Any]) -> Iterator[Key]:
    """Yield every key; `default` is the default study's config, over the defaults of the sections."""
    yield from _keys_in(Study, "", Study.model_validate(default).model_dump(), default)


def _keys_in(section: type[Section], above: str, values: Any, given: Any) -> Iterator[Key]:
    meanings = descriptions(section)
    for name, field in section.model_fields.items():
        path, kind = f"{above}{name}", field.annotation
        if _is_section(kind):
            yield from _keys_in(cast(type[Section], kind), f"{path}.", values[name], given.get(name, {}))
            continue
        is_map_of_sections = get_origin(kind) is dict and _is_section(get_args(kind)[1])
        yield Key(
            path,
            " ".join(meanings.get(name, "").split()),
            _unit_of(field),
            _default_in_words(field, values, name, is_map_of_sections),
            above.rstrip(".") in _TAKE_OVER
            and issubclass(section, Training)
            and name in section.taken_over()
            and name not in given,
        )
        if is_map_of_sections:
            yield from _keys_in(get_args(kind)[1], f"{path}.{ANY}.", None, {})


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _unit_of(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def _default_in_words(field: FieldInfo, values: Any, name: str, of_entries: bool) -> str:
    if values is None:  # of an entry
        if field.is_required():
            return "required"
        return "none" if field.default is None else _in_yaml(field.default)
    if of_entries and values[name]:
        return ", ".join(f"`{entry}`" for entry in values[name])
    return _in_yaml(values[name])


def _in_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
    return text if isinstance(value, int | float) and not isinstance(value, bool) else f"`{text}`"


def with_tables(readme: str, default: Mapping[str, Any], reruns: Mapping[str, str]) -> str:
    """Return the README with its tables of keys and of methods regenerated.

    Parameters
    ----------
    readme
        Its text, with ``<!-- keys: section section -->`` and ``<!-- end -->`` around each table.
    default
        The default study's config.
    reruns
        By key, which rules run again when it changes.
    """
    keys = [key for key in keys_of(default) if not key.taken_over]

    def table(found: re.Match[str]) -> str:
        sections = found["sections"].split()
        rows = [
            "| "
            + " | ".join(
                [f"`{_name_in_table(key.path, sections)}`", key.meaning, key.unit, key.default, reruns[key.path]]
            )
            + " |"
            for section in sections
            for key in keys
            if f"{key.path}.".startswith(f"{section}.")
        ]
        return f"<!-- keys: {found['sections']} -->\n{_HEAD}" + "".join(f"{row}\n" for row in rows) + "<!-- end -->"

    return _METHODS_TABLE.sub(_table_of_methods(), _TABLE.sub(table, readme))


def _table_of_methods() -> str:
    kinds = map(method_class, METHODS)
    rows = [f"| `{kind.spelling.partition(' ')[0]}` | {kind.meaning} |" for kind in kinds]
    head = ["<!-- methods -->", "| entry of `methods` | what becomes of the weights of the source |", "|---|---|"]
    return "\n".join([*head, *rows, "<!-- end -->"])


def _name_in_table(path: str, sections: list[str]) -> str:
    """Return what a key is called in a table: without its section, if that is alone, and without an entry's name."""
    relative = path.removeprefix(f"{sections[0]}.") if len(sections) == 1 else path
    return relative.removeprefix(f"{ANY}.")


def reruns_in(readme: str) -> dict[str, str]:
    """Return the content of the column "reruns" of the tables of keys, by key."""
    found_in: dict[str, str] = {}
    for found in _TABLE.finditer(readme):
        sections = found["sections"].split()
        for row in re.findall(r"(?m)^\| `(.+?)` \|.*\| (.*?) \|$", found[0]):
            name, words = row
            found_in[_path_of(name, sections)] = words
    return found_in


def _path_of(name: str, sections: list[str]) -> str:
    if len(sections) > 1 or name == sections[0]:
        return name
    of_entry = get_origin(Study.model_fields[sections[0]].annotation) is dict
    return f"{sections[0]}.{ANY}.{name}" if of_entry else f"{sections[0]}.{name}"


def json_schema() -> dict[str, Any]:
    """Return a JSON schema of study files for editors; merged over the default study, they need no section."""
    schema = Study.model_json_schema()
    del schema["required"]
    schema["$defs"]["Transfer"].pop("required")
    for section in _TAKE_OVER:
        schema["properties"][section].pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
