"""What make hands on to the programs that it starts."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["run", "plan", "verify"])
@pytest.mark.parametrize("config", ["config/config.yaml", "my study.yaml", "it's – größer/$HOME;*.yaml"])
def test_path_of_a_config_file_is_one_argument(target: str, config: str) -> None:
    given = f"CONFIG={config.replace('$', '$$')}"  # a dollar sign is make's own
    dry = ["make", "--dry-run", "--no-print-directory", "--old-file=.venv/installed", target, given, "ARGS=-n --quiet"]
    printed = subprocess.run(dry, cwd=REPOSITORY, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    arguments = shlex.split(printed.splitlines()[-1])
    assert arguments[-3:] == [config, "-n", "--quiet"]
