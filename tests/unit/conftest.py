"""A server on loopback with some files, and a client of it, for all tests of downloads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import ROOT, Client, Server, publish, serving, toy_files


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach loopback without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve the toy data set."""
    publish(tmp_path / "mirror" / ROOT, toy_files())
    with serving(tmp_path / "mirror") as server:
        yield server


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Client:
    """Fetch the toy data set from the server."""
    return Client(server, tmp_path / "data")
