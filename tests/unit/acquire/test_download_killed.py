"""Downloads whose client, server or disk gives out in the middle: the next run fetches the rest, and only that."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from file_server import (
    BIG,
    ENTRY,
    WANTED,
    assert_none_half_written,
    assert_whole,
    wait_until,
)
from small_disk import REASON, can_mount, run_on

REPOSITORY = Path(__file__).parents[3]
CODE = (
    "import sys; from ecgtransfer.acquire.download import download; from ecgtransfer.errors import InputError\n"
    "def fetch(): return download({entry!r}, sys.argv[1], sys.argv[2], None, streams=1, pause=lambda _: None)\n"
)
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{REPOSITORY / 'workflow_scripts'}:{Path(__file__).parents[1]}"}


def test_killed_client_goes_on_with_the_remaining_bytes(server, fetch):
    server.faults[BIG] = ["stall"]
    code = CODE.format(entry=ENTRY) + "fetch()"
    client = subprocess.Popen([sys.executable, "-c", code, server.url, str(fetch.folder)], env=ENVIRONMENT)
    part = fetch.folder / f"{BIG}.part"
    wait_until(lambda: part.exists() and part.stat().st_size == 150_000, lambda: client.poll() is None)
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert_none_half_written(fetch.folder)
    done_before = {path for path in WANTED if (fetch.folder / path).exists()}
    server.forget()
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == ["bytes=150000-"] and server.sent[BIG] == 150_000
    assert "data/a.dat" in done_before and not done_before & set(server.sent)


def run_server(folder, port, faults):
    """Start a server in a process of its own and return it with its address."""
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "file_server.py"),
        str(folder),
        str(port),
        json.dumps(faults),
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=ENVIRONMENT, **pipes)
    return process, process.stdout.readline().strip()


def test_killed_server_that_comes_back(tmp_path, fetch):
    servers = [run_server(tmp_path / "mirror", 0, {BIG: ["stall"]})]
    first, address = servers[0]
    part = fetch.folder / f"{BIG}.part"
    waits = []

    def start_again(seconds):
        waits.append(seconds)
        if len(servers) == 1:
            servers.append(run_server(tmp_path / "mirror", address.rpartition(":")[2], {}))

    def kill():
        wait_until(lambda: part.exists() and part.stat().st_size == 150_000)
        first.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    table = fetch(mirror=address, pause=start_again, streams=1)
    killer.join()
    first.communicate()
    assert_whole(fetch.folder, table)
    requests, sent = json.loads(servers[1][0].communicate("")[0].splitlines()[-1])
    assert waits == [1] and requests[0] == [BIG, "bytes=150000-"] and sent[BIG] == 150_000
    assert "data/a.dat" not in sent  # had come before


FULL_DISK = """
from pathlib import Path
from ecgtransfer.acquire import lengths
lengths.SMALL_BYTES = 1 << 30  # that there is room for each file is not asked, as if others filled the disk meanwhile
folder = Path(sys.argv[2])
filler = folder.parent / "filler"
filler.write_bytes(bytes(400_000))
try:
    fetch()
except InputError as error:
    print(error)
whole = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.dat"))
parts = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.part")}
filler.unlink()
table = fetch()
from file_server import assert_whole
assert_whole(folder, table)
import json
print(json.dumps([whole, parts]))
"""


@pytest.mark.skipif(not can_mount(), reason=REASON)
@pytest.mark.parametrize("tells_sizes", [True, False])
def test_full_disk_and_then_room(server, tmp_path, tells_sizes):
    server.tells_sizes = tells_sizes
    disk = tmp_path / "disk"
    disk.mkdir()
    code = CODE.format(entry=ENTRY) + FULL_DISK
    client = [sys.executable, "-c", code, server.url, str(disk / "data")]
    result = run_on("mount -t tmpfs -o size=1200k tmpfs disk", client, tmp_path, ENVIRONMENT)
    assert result.returncode == 0, result.stderr
    message, state = result.stdout.splitlines()
    whole, parts = json.loads(state)
    if tells_sizes:
        assert message.startswith(f"{disk / 'data'}: 900 kB are needed for the 7 files to fetch, 8")
        assert (whole, parts) == ([], {})
    else:
        assert message.startswith(f"{disk / 'data'}: the disk is full (")
        assert len(whole) == 2 and len(parts) == 1
        unfinished = next(iter(parts)).removesuffix(".part")
        # What had come was not fetched again; the connection that was cut had more under way.
        assert server.requests_for(unfinished) == [None, f"bytes={parts[unfinished + '.part']}-"]
        assert all(len(server.requests_for(path)) == 1 for path in whole)
