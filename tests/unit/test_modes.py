"""Every writer leaves files and folders with the modes that the umask gives, whatever the library under it sets."""

import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from file_server import assert_whole
from matplotlib.figure import Figure

from ecgtransfer.acquire.archives import unpack
from ecgtransfer.acquire.listings import Published
from ecgtransfer.exhibits.figure_files import save_figure
from ecgtransfer.files import sha256_of, write_arrays, write_csv, write_json, written_whole
from ecgtransfer.locks import exclusive, shared
from ecgtransfer.provenance.digests import SMALL_BYTES, Digests
from ecgtransfer.train.state import UnfinishedTraining
from ecgtransfer.train.weights import save_tensors


def with_a_mode_of_its_own(path):
    with written_whole(path) as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT, 0o600))


def unpacked(path):
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("deep/er/a")
        member.external_attr = (stat.S_IFREG | 0o400) << 16
        archive.writestr(member, b"a")
    unpack(Published(path.name, sha256_of(path)), path.parent)


def locked(path):
    with exclusive(path), shared(path.with_name("other"), wait=True):
        pass


def remembered(path):
    path.parent.mkdir()
    path.write_bytes(bytes(SMALL_BYTES + 1))
    Digests(path.with_name("memory")).of(path)


WRITERS = {
    "json": lambda path: write_json({}, path),
    "csv": lambda path: write_csv(pd.DataFrame({"a": [1]}), path),
    "npz": lambda path: write_arrays({"a": np.zeros(3)}, path),
    "weights": lambda path: save_tensors({"a": torch.zeros(3)}, "gru", ["AF"], path),
    "state of a killed training": lambda path: UnfinishedTraining(path, "key").save({"a": torch.zeros(3)}, {}),
    "figure": lambda path: save_figure(Figure(), path, path.with_name("b.png")),
    "a mode of its own": with_a_mode_of_its_own,
    "archive": unpacked,
    "lock": locked,
    "digests": remembered,
}


@pytest.fixture(params=[0o027, 0o002, 0o077], ids=["027", "002", "077"])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def assert_modes(folder: Path, umask: int) -> None:
    paths = [folder, *folder.rglob("*")]
    assert len(paths) > 1
    wrong = {}
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o777 if path.is_dir() else 0o666) & ~umask:
            wrong[path.name] = oct(mode)
    assert wrong == {}


@pytest.mark.parametrize("writer", WRITERS)
def test_writer_leaves_the_modes_of_the_umask(tmp_path, umask, writer):
    WRITERS[writer](tmp_path / "new" / "a")
    assert_modes(tmp_path / "new", umask)


def test_download_leaves_the_modes_of_the_umask(server, fetch, umask):
    assert_whole(fetch.folder, fetch())
    assert_modes(fetch.folder, umask)


def test_disk_that_knows_no_modes_is_written_all_the_same(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    write_json({"a": 1}, tmp_path / "a")
    assert (tmp_path / "a").is_file()
