"""Colleagues can read what a study makes as far as the umask lets them: every file and folder, whoever writes it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from fast_runner import FastRunner
from micro_study import MicroStudy


def unlike_umask(folder: Path, umask: int) -> dict[str, str]:
    """Return the modes of files and folders that have another one than the umask gives."""
    modes = {}
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink() and mode != (0o777 if path.is_dir() else 0o666) & ~umask:
            modes[str(path)] = oct(mode)
    return modes


@pytest.fixture(params=[0o027, 0o002], ids=["027", "002"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set the mask of this process and of all that it starts."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_whole_study_has_the_modes_of_the_umask(new_micro: MicroStudy, tmp_path: Path, umask: int) -> None:
    micro = MicroStudy.copied(new_micro.folder, tmp_path / "checkout")
    with FastRunner(hash_seed=1) as runner:  # one that was started under another mask would keep that
        ended = micro.make_run(runner)
        assert ended.returncode == 0, ended.output
        study = "results/micro"
        (micro.folder / study / "labels/clinic.csv").unlink()  # something is set aside and rebuilt
        assert micro.make_run(runner).returncode == 0
    there = {path.suffix for path in (micro.folder / study).rglob("*") if path.is_file()}
    assert there >= {".csv", ".json", ".npy", ".npz", ".safetensors", ".svg", ".png", ".html", ".log", ".tsv"}
    assert unlike_umask(micro.folder / "results", umask) == unlike_umask(micro.folder / "data", umask) == {}


def test_trained_weights_and_figures_have_the_modes_of_the_umask(finished: Checkout) -> None:
    """No stand-in wrote these; the study ran under the mask of the tests."""
    umask = os.umask(0)
    os.umask(umask)
    suffixes = {path.suffix for path in (finished.folder / "results/tiny/pretrained").rglob("*") if path.is_file()}
    assert ".safetensors" in suffixes
    assert unlike_umask(finished.folder / "results", umask) == unlike_umask(finished.folder / "data", umask) == {}
