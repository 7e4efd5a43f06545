"""What a finding makes and requests, read from its code without running it.

So a plan knows the files of a finding, and what it is made from, without the libraries that compute and draw it.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOMS = "ecgtransfer.findings"
"""Where the module of a finding is looked up by its name."""


@dataclass(frozen=True)
class Asked:
    """What a finding makes, and what for.

    Attributes
    ----------
    tables
        The names of its tables, which its files have, too.
    computed_from
        What its tables are computed from: names of `ecgtransfer.findings.given`, or of tables of other findings.
    drawn_from
        What its figure is drawn from: names of tables, and of settings. Empty without a figure.
    caption
        Of the figure.
    speaks
        Whether it has its own text on the page.
    """

    tables: tuple[str, ...]
    computed_from: tuple[str, ...]
    drawn_from: tuple[str, ...]
    caption: str
    speaks: bool


@cache
def asked(finding: str) -> Asked:
    """Return what a finding requests and makes."""
    path = Path(__file__).with_name(f"{finding}.py")
    defined: dict[str, ast.AST] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined[node.targets[0].id] = node.value
    tables, caption = defined["TABLES"], defined.get("CAPTION")
    assert isinstance(tables, ast.Dict)
    return Asked(
        tables=tuple(str(ast.literal_eval(key)) for key in tables.keys if key is not None),
        computed_from=_parameters(defined["compute"]),
        drawn_from=_parameters(defined["draw"]) if "draw" in defined else (),
        caption="" if caption is None else str(ast.literal_eval(caption)),
        speaks="on_page" in defined,
    )


def _parameters(function: ast.AST) -> tuple[str, ...]:
    """Return the names of the parameters that must be given."""
    assert isinstance(function, ast.FunctionDef)
    required = len(function.args.args) - len(function.args.defaults)
    return tuple(parameter.arg for parameter in function.args.args[:required])
