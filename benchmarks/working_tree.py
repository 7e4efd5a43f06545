"""A copy of the working tree, in which a benchmark runs the workflow as a user would."""

import shutil
import subprocess
from pathlib import Path

from benchmarks import REPOSITORY


def copy_working_tree(folder: Path) -> None:
    """Copy what git knows or would add, so that neither data nor results of the working tree take part."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for path in filter(None, listed.split("\0")):
        if (REPOSITORY / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / path, folder / path)
