"""The library of a checkout, imported before its jobs ask for it: a third of what a small job takes."""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

SCRIPTS, LIBRARY = "workflow_scripts", "ecgtransfer"


def digest_of_library(folder: Path) -> str | None:
    """Return what changes with any file of the library of a checkout, None where there is none."""
    library = folder / SCRIPTS / LIBRARY
    if not library.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(_files_of(library)):
        digest.update(f"{path.relative_to(library)}\n{path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def copied_library(folder: Path) -> Iterator[Path]:
    """Yield a folder with a copy of the library, which stays as it is."""
    place = Path(tempfile.mkdtemp())  # no TemporaryDirectory: forks that end would remove it
    try:
        shutil.copytree(folder / SCRIPTS / LIBRARY, place / LIBRARY)
        yield place
    finally:
        shutil.rmtree(place)


def import_library(scripts: Path) -> None:
    """Import all of the library that imports no torch, or all of it where torch is here already.

    What cannot be imported is left to the job that needs it, which says so.
    """
    sys.path.insert(0, str(scripts))
    without_torch = "torch" not in sys.modules
    if without_torch:
        sys.modules["torch"] = None  # type: ignore[assignment]
    for path in sorted(_files_of(scripts / LIBRARY)):
        if path.suffix == ".py":
            parts = path.relative_to(scripts).with_suffix("").parts
            with contextlib.suppress(Exception):
                import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    if without_torch:
        del sys.modules["torch"]
    sys.path.remove(str(scripts))


def _files_of(library: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder, name) for name in files)
