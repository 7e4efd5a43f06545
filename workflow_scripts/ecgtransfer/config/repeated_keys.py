"""The files of a study, before they are merged: keys that occur twice.

Of a key that occurs twice, YAML keeps the last value and silently drops the others.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from ecgtransfer.errors import InputError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it


def require_keys_once(paths: Iterable[str | Path]) -> None:
    """Check that no section of a YAML file has a key twice; the files can be read (`config_reading`).

    Raises
    ------
    InputError
        With one line per key.
    """
    mistakes = [f"{path}, {mistake}" for path in paths for mistake in _given_again(_root(path), "", set())]
    if mistakes:
        raise InputError("\n".join(mistakes))


def _root(path: str | Path) -> yaml.Node | None:
    root: yaml.Node | None = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    return root


def _given_again(node: yaml.Node | None, above: str, seen: set[int]) -> Iterator[str]:
    """Yield a line for each key that its section has had before; a node with several aliases is visited once."""
    if node is None or id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _given_again(item, above, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            yield f"line {line}: `{above}{name}` is also in line {lines[name]}; keep one of them"
        lines.setdefault(name, line)
        yield from _given_again(value, f"{above}{name}.", seen)
