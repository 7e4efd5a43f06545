"""The workflow as the catalog deploys it: a Snakefile that names a release on a git host, and a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import Checkout

ADDRESS = "https://github.com/nobody/ecg-transfer"
RELEASE = "v0.0.1"
MODULE = f"""\
configfile: "config/config.yaml"


module ecg_transfer:
    snakefile:
        github("nobody/ecg-transfer", path="workflow/Snakefile", tag="{RELEASE}")
    config:
        config


use rule * from ecg_transfer
"""
"""As snakedeploy writes it."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cache of Snakemake cannot be moved")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone of the working tree with all its changes in a release."""
    checkout = Checkout(tmp_path_factory.mktemp("released") / "clone")
    (checkout.folder / ".venv").rename(checkout.folder.with_name("venv"))
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "all"], ["tag", RELEASE]):
        subprocess.run(["git", *command], cwd=checkout.folder, check=True)
    return checkout


@pytest.fixture
def environment(release: Checkout, tmp_path: Path) -> dict[str, str]:
    """Variables by which git takes the clone for what lies on the host, with a cache of its own."""
    replaced = {"GIT_CONFIG_KEY_0": f"url.file://{release.folder}.insteadOf", "GIT_CONFIG_VALUE_0": ADDRESS}
    return {**os.environ, "GIT_CONFIG_COUNT": "1", **replaced, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def run(folder: Path, environment: dict[str, str], *command: str) -> str:
    """Run a command in a folder and return what it prints; it must succeed."""
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def assert_plans_the_default_study(folder: Path, environment: dict[str, str], release: Checkout) -> None:
    """A dry run has the jobs of one in the clone."""
    dry = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--quiet", "rules"]
    tables = [
        run(place, environment, *dry).partition("Job stats:")[2].partition("Reasons:")[0]
        for place in (release.folder, folder)
    ]
    assert "finetune" in tables[0]
    assert tables[0] == tables[1]


def test_release_on_a_git_host_is_unpacked_and_runs(
    release: Checkout, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "deployed here"
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow/Snakefile").write_text(MODULE)
    shutil.copytree(release.folder / "config", folder / "config")
    assert_plans_the_default_study(folder, environment, release)
    first = "results/default/raw/sim-hospital.csv"
    run(folder, environment, sys.executable, "-m", "snakemake", "--cores", "1", first)
    assert (folder / first).is_file()


@pytest.mark.skipif(shutil.which("snakedeploy") is None, reason="snakedeploy is not installed")
@pytest.mark.parametrize("is_hosted", [True, False], ids=["hosted", "local"])
def test_snakedeploy_ends_in_a_folder_where_the_default_study_runs(
    release: Checkout, environment: dict[str, str], tmp_path: Path, is_hosted: bool
) -> None:
    folder = tmp_path / "deployed"
    folder.mkdir()
    source = ADDRESS if is_hosted else str(release.folder)
    run(tmp_path, environment, "snakedeploy", "deploy-workflow", source, str(folder), "--tag", RELEASE)
    snakefile = folder / "workflow/Snakefile"
    if not is_hosted:  # of a clone it names the Snakefile as if it lay in the new folder
        text = snakefile.read_text()
        assert '"workflow/Snakefile"' in text
        snakefile.write_text(text.replace('"workflow/Snakefile"', f'"{release.folder}/workflow/Snakefile"'))
    assert_plans_the_default_study(folder, environment, release)
