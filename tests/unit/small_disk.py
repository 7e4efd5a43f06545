"""Disks that tests make: a small one that is soon full, and one that is read-only."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def can_mount() -> bool:
    """Return whether this system lets a test mount something of its own."""
    has_it = shutil.which("unshare") is not None
    return has_it and subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


REASON = "this system lets no test mount a disk (unshare -rm)"


def run_on(
    mount: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command where `mount`, a line of shell in `folder`, has mounted what only the command sees."""
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", *command],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
