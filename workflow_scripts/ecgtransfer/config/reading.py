"""Config files as text: what is wrong with them before their content is examined."""

import json
from pathlib import Path
from typing import Any

import yaml

from ecgtransfer.errors import InputError


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a config file in YAML or JSON.

    Raises
    ------
    InputError
        If it cannot be read, is neither YAML nor JSON in UTF-8, holds no keys, or holds itself.
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
        raise InputError(f"{path}{line}: is not YAML ({' '.join(problem.split())}); fix it") from error
    except ValueError as error:  # of a date that is none
        raise InputError(f"{path}: is not YAML ({error}); fix it, or put the value in quotes") from error
    except RecursionError as error:
        raise InputError(f"{path}: contains itself, or is nested without end; fix it") from error
    except InputError as mistake:
        raise InputError(f"{path}: {mistake}") from mistake


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = yaml.safe_load(text)
    if not isinstance(content, dict):
        found = "nothing" if content is None else "a list" if isinstance(content, list) else "one value"
        raise InputError(f"holds {found}, expected keys with values, such as `study: mine`")
    try:
        json.dumps(content, default=str, skipkeys=True)
    except ValueError as error:
        raise RecursionError from error
    return content
