"""What a key means, read from the text below it.

pydantic does so too (``use_attribute_docstrings``), but where a section is defined: a tenth of a second of every job.
"""

import ast
import inspect
import textwrap
from typing import Any

from pydantic import BaseModel


def descriptions(section: type[BaseModel]) -> dict[str, str]:
    """Return what each key of a section means: what its field says, else the text below it, there or in a parent."""
    found: dict[str, str] = {}
    for parent in reversed(section.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            found |= _texts_in(parent)
    return found | {name: field.description for name, field in section.model_fields.items() if field.description}


def describe(schema: dict[str, Any], section: type[BaseModel]) -> None:
    """Put the descriptions into the JSON schema of a section."""
    for name, text in descriptions(section).items():
        schema["properties"][name]["description"] = text


def _texts_in(section: type[BaseModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(section)
    except OSError:  # made by `create_model`
        return {}
    (definition,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for key, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(below, ast.Expr):
            texts[key.target.id] = inspect.cleandoc(ast.literal_eval(below.value))
    return texts
