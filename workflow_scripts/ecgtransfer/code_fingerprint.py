"""A hash of the code that a rule runs, so that an edit of logic reruns the rule and an edit of a comment does not.

Snakemake sees neither edits of imported modules nor the difference between a touched and a changed script. So each
rule has a parameter that holds this hash: of its adapter and of every library module imported from there, directly or
not, with comments, docstrings and formatting left out.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

LIBRARY = "ecgtransfer"


def code_fingerprint(adapter: Path, extra_modules: Iterable[str] = ()) -> str:
    """Return 16 hexadecimal digits that change with the logic that `adapter` runs.

    Parameters
    ----------
    adapter
        The script; the library package is next to it.
    extra_modules
        Dotted names of modules that the script loads by name; with ``:function`` behind, only what that function needs
        of its module counts.
    """
    return _fingerprint(adapter, tuple(extra_modules))


def forget_fingerprints() -> None:
    """Read all code again from now on."""
    for remembered in (_fingerprint, _is_module, _imported_by, _normalized, _normalized_part):
        remembered.cache_clear()


@cache  # of a thousand cells, all of a model run the same
def _fingerprint(adapter: Path, extra_modules: tuple[str, ...]) -> str:
    root = adapter.parent
    adapter_code, imported = _normalized(adapter)
    digest = hashlib.sha256(adapter_code.encode())
    waiting = [*imported]
    for module, _, function in (name.partition(":") for name in extra_modules):
        if function:
            code, needed = _normalized_part(_source_of(module, root), function)
            digest.update(f"\n# {module}:{function}\n{code}".encode())
            waiting += [*needed, module.rpartition(".")[0]]
        else:
            waiting.append(module)
    for name in sorted(_reachable(waiting, root)):
        digest.update(f"\n# {name}\n{_normalized(_source_of(name, root))[0]}".encode())
    return digest.hexdigest()[:16]


def _reachable(names: Iterable[str], root: Path) -> set[str]:
    """Return the library modules that importing `names` runs, packages included."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and _is_module(name, root):
            found.add(name)
            waiting += _imported_by(name, root)
    return found


@cache
def _is_module(name: str, root: Path) -> bool:
    return name.split(".")[0] == LIBRARY and _source_of(name, root).is_file()


@cache
def _imported_by(name: str, root: Path) -> set[str]:
    """Return what importing a library module imports: what it names, where that is a module, and its package."""
    source = _source_of(name, root)
    package = name if source.name == "__init__.py" else name.rpartition(".")[0]
    named = {resolve_name(imported, package) for imported in _normalized(source)[1]} | {name.rpartition(".")[0]}
    return {each for each in named if _is_module(each, root)}


def _source_of(name: str, root: Path) -> Path:
    path = root.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _normalized(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a source file's logic as text, and the dotted names that it imports, relative ones with leading dots."""
    return _logic(ast.parse(path.read_text(encoding="utf-8")))


@cache
def _normalized_part(path: Path, function: str) -> tuple[str, tuple[str, ...]]:
    """Return the same of what one function of a source file needs there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = needed_by(function, tree.body)
    return _logic(tree)


def _logic(tree: ast.Module) -> tuple[str, tuple[str, ...]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            logic = [statement for statement in node.body if not (_is_text(statement) or _is_for_types(statement))]
            node.body = logic or [ast.Pass()]
    imported: list[str] = []
    for node in ast.walk(tree):  # again: a walk goes on to the children that a node had when it was reached
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            imported += [origin, *(f"{origin}{'.' if node.module else ''}{alias.name}" for alias in node.names)]
    return in_words(tree), tuple(imported)


def needed_by(name: str, statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return those of a module's statements that something defined there needs, directly or not, in their order.

    Of an import, only the names that are needed. Statements that define nothing are always needed.
    """
    singly = [part for statement in statements for part in _names_singly(statement)]
    kept = {place for place, statement in enumerate(singly) if not _defined_by(statement) and not _is_text(statement)}
    makers: dict[str, set[int]] = {}
    for place, statement in enumerate(singly):
        for defined in _defined_by(statement):
            makers.setdefault(defined, set()).add(place)
    new = kept | makers[name]
    while new:
        kept |= new
        used = {node.id for place in new for node in ast.walk(singly[place]) if isinstance(node, ast.Name)}
        new = set().union(*(makers.get(each, set()) for each in used)) - kept
    return [singly[place] for place in sorted(kept)]


def _names_singly(statement: ast.stmt) -> list[ast.stmt]:
    """Return an import of several names as one of each."""
    if isinstance(statement, ast.Import):
        return [ast.Import([alias]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    return [statement]


def _defined_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds; empty for one that does something else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        (alias,) = statement.names
        return set() if alias.name == "*" else {alias.asname or alias.name.partition(".")[0]}
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return {
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
    return set()


def in_words(node: object) -> str:
    """Return a syntax tree as text that is the same in every version of Python; `ast.unparse` and `ast.dump` differ.

    Names of nodes and of their fields that are not empty, without positions. Text is escaped: which letters `repr`
    leaves as they are is a matter of the version's Unicode tables.
    """
    if isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty text at the end of some
        node.values = [value for value in node.values if not (isinstance(value, ast.Constant) and value.value == "")]
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={in_words(value)}"
            for name, value in ast.iter_fields(node)
            if value not in (None, []) and name not in ("ctx", "kind", "type_comment")
        ]
        return f"{type(node).__name__}({', '.join(fields)})"
    return f"[{', '.join(map(in_words, node))}]" if isinstance(node, list) else ascii(node)


def _is_for_types(statement: ast.stmt) -> bool:
    """Return whether a statement is ``if TYPE_CHECKING:``, which never runs."""
    return (
        isinstance(statement, ast.If)
        and isinstance(statement.test, ast.Name)
        and statement.test.id == "TYPE_CHECKING"
        and not statement.orelse
    )


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is nothing but a string: a docstring, or one below an attribute."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
