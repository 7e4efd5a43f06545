"""Keys that stand twice in a file of a study: YAML takes the last and drops the others without a word."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from ecgtransfer.errors import InputError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it


def check_keys_stand_once(paths: Iterable[str | Path]) -> None:
    """Check that no section of some YAML files has a key twice.

    Raises
    ------
    InputError
        With one line per key that does.
    """
    mistakes = []
    for path in paths:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
        mistakes += [f"{path}, {mistake}" for mistake in _given_again(root, "", set())]
    if mistakes:
        raise InputError("\n".join(mistakes))


def _given_again(node: yaml.Node | None, above: str, seen: set[int]) -> Iterator[str]:
    """Yield a line for each key that its section has had before; a node with several aliases is looked at once."""
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
            yield f"line {line}: `{above}{name}` stands in line {lines[name]}, too; keep one of them"
        lines.setdefault(name, line)
        yield from _given_again(value, f"{above}{name}.", seen)
