"""Config files as text: what is wrong with them before anything of their content is looked at."""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ecgtransfer.errors import InputError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _EachKeyOnce(_Loader):  # type: ignore[misc]
    """Refuses a section that has a key twice, of which YAML would take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a section."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in lines:
                    raise InputError(
                        f"the key `{key.value}` stands in line {lines[key.value]} and again in line"
                        f" {key.start_mark.line + 1}; leave one of them"
                    )
                lines[key.value] = key.start_mark.line + 1
        content: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return content


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a config file in YAML or JSON.

    Raises
    ------
    InputError
        If it cannot be read, is neither YAML nor JSON in UTF-8, holds no keys or a key twice, or holds itself.
    """
    try:
        return _content(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path of the config file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not in UTF-8 (byte {error.start + 1}); save it in this encoding") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: is not YAML ({' '.join(problem.split())}); mend it") from error
    except InputError as mistake:
        raise InputError(f"{path}: {mistake}") from mistake


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"the key `{key}` is there twice; leave one of them")
    return dict(pairs)


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, object_pairs_hook=_each_once)
    except ValueError:
        content = yaml.load(text, _EachKeyOnce)
    if not isinstance(content, dict):
        found = "nothing" if content is None else "a list" if isinstance(content, list) else "one value"
        raise InputError(f"holds {found}, expected keys with values, such as `study: mine`")
    try:
        json.dumps(content, default=str, skipkeys=True)
    except (ValueError, RecursionError) as error:
        raise InputError("holds itself; mend its anchors (`&` and `*`)") from error
    return content
