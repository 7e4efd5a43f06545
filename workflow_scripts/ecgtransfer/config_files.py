"""The files of a study, before they are merged: what is no YAML, and keys that stand twice.

Of a key that stands twice YAML takes the last and drops the others without a word.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from ecgtransfer.errors import InputError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it


def check_files(paths: Iterable[str | Path]) -> None:
    """Check that YAML files can be read and that no section of one has a key twice.

    Raises
    ------
    InputError
        With one line per file that is no YAML, and per key.
    """
    mistakes = [mistake for path in paths for mistake in _mistakes_in(Path(path))]
    if mistakes:
        raise InputError("\n".join(mistakes))


def _mistakes_in(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        yaml.load(text, Loader=_Loader)
        root = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError:
        yield f"{path}: is no UTF-8 text; save it as UTF-8"
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        yield f"{path}{line}: is no YAML, {error.problem}; mend it"
    except yaml.YAMLError as error:
        yield f"{path}: is no YAML, {' '.join(str(error).split())}; mend it"
    else:
        yield from (f"{path}, {mistake}" for mistake in _given_again(root, "", set()))


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
