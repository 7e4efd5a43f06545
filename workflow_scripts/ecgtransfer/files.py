"""Files that are never half-written, and their checksums."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.system_errors import named

PROBE_BYTES = 1 << 16


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file next to `path` that is moved into place when the block ends without an error.

    It gets the mode that the umask gives, whatever the writer of the block sets. An error of writing names `path`.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with named(target, temporary):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            if temporary.stat().st_mode != mode:  # some disks know no modes, and refuse to set one
                temporary.chmod(mode)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def require_listable(folder: str | os.PathLike[str]) -> None:
    """Raise the error of the system if `folder` is there and cannot be listed, or is none."""
    with suppress(FileNotFoundError), os.scandir(folder):
        pass


def require_writable(folder: str | os.PathLike[str]) -> None:
    """Raise the error of the system if no file can be written into `folder`, which is made if need be."""
    probe = Path(folder, f".writable.{secrets.token_hex(4)}.part")
    with named(folder, probe):
        probe.parent.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        finally:
            probe.unlink(missing_ok=True)


def write_csv(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write `table` as CSV without its index, whole or not at all."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def write_json(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `write_json` wrote."""
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def write_arrays(arrays: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Write `arrays` as npz without pickles, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_there(manifest: pd.DataFrame) -> list[str]:
    """Return the paths in a manifest but those of files that were missing, which have no checksum there."""
    return manifest.loc[manifest["sha256"] != "", "path"].tolist()


def manifest_of(paths: Iterable[str], folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Return ``path, bytes, sha256`` of files given relative to `folder`, sorted by path."""
    rows = [(path, Path(folder, path).stat().st_size, sha256_of(Path(folder, path))) for path in sorted(paths)]
    return pd.DataFrame(rows, columns=["path", "bytes", "sha256"])
