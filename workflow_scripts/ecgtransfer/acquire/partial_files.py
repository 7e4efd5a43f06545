"""What was fetched of a file so far, and of which version of it, so that only the rest has to come."""

from collections.abc import Mapping
from pathlib import Path

import requests

CHUNK_BYTES = 1 << 16
"""What is received at a time."""
VALIDATOR_SUFFIX = ".from"
"""Next to a partial file: which address it is from, and which version of the file there."""


def forget(part: Path) -> None:
    """Remove a partial file and what is known of it."""
    part.unlink(missing_ok=True)
    _notes_on(part).unlink(missing_ok=True)


def put_in_place(part: Path, target: Path) -> None:
    """Give a whole file its own name."""
    part.replace(target)
    _notes_on(part).unlink(missing_ok=True)


def size_of_part(part: Path) -> int:
    """Return how many bytes are there."""
    return part.stat().st_size if part.exists() else 0


def _notes_on(part: Path) -> Path:
    return part.with_name(part.name + VALIDATOR_SUFFIX)


def _version(headers: Mapping[str, str]) -> str | None:
    """Return what names this version of a file in If-Range, which a weak ETag may not."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def keep_version(part: Path, url: str, headers: Mapping[str, str]) -> None:
    """Note which version a partial file is of, before its first byte; small files come whole or not at all."""
    forget(part)
    version, length = _version(headers), headers.get("Content-Length", "")
    if version is not None and not (length.isdecimal() and int(length) <= CHUNK_BYTES):
        _notes_on(part).write_text(f"{url}\n{version}\n", encoding="utf-8")


def version_of(part: Path, url: str) -> str | None:
    """Return the noted version if it is one of this address; another server names the same file otherwise."""
    try:
        noted = _notes_on(part).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    return noted[1] if len(noted) == 3 and noted[0] == url and noted[1].isascii() else None


def is_the_rest(response: requests.Response, start: int, version: str | None) -> bool:
    """Return whether a body is the rest of a partial file, of the same version as far as that is known."""
    found = response.headers.get("ETag" if version is not None and version.startswith('"') else "Last-Modified")
    is_same = version is None or found is None or found.removeprefix("W/") == version
    is_rest = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    return response.status_code == 206 and is_rest and is_same
