"""The provenance record of a job: by which rule, code and settings, and from which bytes they were made."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ecgtransfer.files import read_json, write_json


@dataclass(frozen=True)
class Record:
    """What a job read and wrote.

    `params` holds a short digest of each parameter, `inputs` and `outputs` the SHA-256 of each file by its path as the
    rule has it, relative to the folder of the workflow: the same on every machine.
    """

    rule: str
    code: str
    params: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the record, including its own checksum."""
        content = asdict(self)
        write_json({**content, "sha256": _checksum(content)}, path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Record | None":
        """Return a record, or None where there is none or a damaged one."""
        try:
            content = read_json(path)
            checksum = content.pop("sha256")
            return cls(**content) if checksum == _checksum(content) else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def param_digests(params: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return a short digest of each parameter of a job by its name, but of its code."""
    return {name: digest_of_value(value) for name, value in params if name != "code"}


def digest_of_value(value: Any) -> str:
    """Return 16 hexadecimal digits that change with a value of a config, whatever the order of its keys."""
    return _checksum(value)[:16]


def _checksum(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return Snakemake's own kinds of maps and lists, and numpy's numbers, as plain ones."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.item() if hasattr(value, "item") else list(value)
