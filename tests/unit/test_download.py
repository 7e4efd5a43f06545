"""Downloads against real servers on the loopback interface, and against folders."""

import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from ecgtransfer.acquire.download import download
from ecgtransfer.errors import InputError

REPOSITORY = Path(__file__).parents[2]
REAL_MIRROR = REPOSITORY.parent / "shared/mirror"
ROOT = "files/toy/1.0"
ENTRY = {"path": ROOT, "folders": ["data"], "suffixes": [".hea", ".dat"], "tables": ["toy.csv"]}
BIG = "data/b.dat"


def write_mirror(root, files, unlisted=()):
    """Lay `files` out under `root` with the SHA256SUMS.txt that belongs to them."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    lines = [f"{hashlib.sha256(files[path]).hexdigest()} {path}\n" for path in files if path not in unlisted]
    (root / "SHA256SUMS.txt").write_text("".join(lines))


def toy_files():
    noise = random.Random(0)
    files = {"RECORDS": b"data/b\ndata/a\ndata/c d\n", "toy.csv": b"id,label\n", "data/b.atr": b"not wanted"}
    for record in ("b", "a", "c d"):
        files[f"data/{record}.hea"] = f"{record} 1 500 10\n".encode()
        files[f"data/{record}.dat"] = noise.randbytes(300_000)
    return files


WANTED = sorted(["toy.csv", *(f"data/{record}{suffix}" for record in ("a", "b", "c d") for suffix in (".dat", ".hea"))])


class Handler(BaseHTTPRequestHandler):
    """Serves a folder with the faults that the server holds for each path, one per request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, path = self.server, unquote(self.path).removeprefix(f"/{ROOT}/")
        with server.lock:
            server.requests.append((path, self.headers.get("Range")))
            fault = server.faults[path].pop(0) if server.faults[path] else None
        if fault == "drop":
            self.close_connection = True
            return
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        if isinstance(status, int) or not (server.root / path).is_file():
            self.answer(status if isinstance(status, int) else 404, b"sorry", headers)
            return
        if path in server.meet:
            server.meet[path].wait(timeout=20)
        body = (server.root / path).read_bytes()
        if fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if self.headers["Range"] else 0
        if not start or not server.ranges:
            self.answer(200, body, {}, fault)
        elif start >= len(body):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        elif fault == "other range":
            self.answer(206, body[1:], {"Content-Range": f"bytes 1-{len(body) - 1}/{len(body)}"})
        else:
            self.answer(206, body[start:], {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, fault)

    def answer(self, status, body, headers, fault=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if fault == "truncate":
            self.close_connection = True
            return
        if fault == "stall":
            self.server.go_on.wait(timeout=60)
        self.wfile.write(body[half:])
        self.server.sent[unquote(self.path).removeprefix(f"/{ROOT}/")] += len(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root / ROOT
        self.ranges = True
        self.faults = defaultdict(list)
        self.meet = {}
        self.go_on = threading.Event()
        self.lock = threading.Lock()
        self.requests, self.sent = [], Counter()

    def handle_error(self, request, client_address):
        pass  # a client that was killed

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requests_for(self, path):
        return [asked for name, asked in self.requests if name == path]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server(tmp_path):
    write_mirror(tmp_path / "mirror" / ROOT, toy_files())
    server = Server(tmp_path / "mirror")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetch(server, tmp_path, waits):
    def fetch(limit=None, entry=ENTRY, mirror=server.url, **options):
        return download(entry, mirror, tmp_path / "data", limit, pause=waits.append, **options)

    return fetch


def assert_whole(folder, table, paths=WANTED, files=None):
    """The table and the folder hold exactly `paths`, byte for byte, beside the lists that were read."""
    files = files or toy_files()
    expected = [(path, len(files[path]), hashlib.sha256(files[path]).hexdigest()) for path in paths]
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected, columns=["path", "bytes", "sha256"]))
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    lists = {path for path in there if Path(path).name in ("RECORDS", "SHA256SUMS.txt")}
    assert {path: there[path] for path in there.keys() - lists} == {path: files[path] for path in paths}
    assert {"RECORDS", "SHA256SUMS.txt"} <= lists


@pytest.mark.parametrize("slash", ["", "/"])
def test_fetches_every_file_as_published(server, fetch, tmp_path, waits, caplog, slash):
    with caplog.at_level(logging.INFO):
        assert_whole(tmp_path / "data", fetch(mirror=server.url + slash))
    assert "7 of 7 files verified, 7 fetched, 0.9 MB" in caplog.text
    assert waits == [] and "data/b.atr" not in dict(server.requests)
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


def test_second_run_fetches_only_the_checksums_and_what_is_damaged(server, fetch, tmp_path):
    fetch()
    server.requests.clear()
    fetch()
    assert server.requests == [("SHA256SUMS.txt", None)]
    (tmp_path / "data" / BIG).write_bytes(b"\0" * 300_000)
    server.requests.clear()
    assert_whole(tmp_path / "data", fetch())
    assert server.requests == [("SHA256SUMS.txt", None), (BIG, None)]


@pytest.mark.parametrize("kept", [1, 123_456, 299_999])
def test_partial_file_goes_on_where_it_ends(server, fetch, tmp_path, kept):
    part = tmp_path / "data" / f"{BIG}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(toy_files()[BIG][:kept])
    assert_whole(tmp_path / "data", fetch())
    assert server.requests_for(BIG) == [f"bytes={kept}-"] and server.sent[BIG] == 300_000 - kept


def test_complete_partial_file_needs_no_request(server, fetch, tmp_path):
    (tmp_path / "data/data").mkdir(parents=True)
    (tmp_path / "data" / f"{BIG}.part").write_bytes(toy_files()[BIG])
    assert_whole(tmp_path / "data", fetch())
    assert server.requests_for(BIG) == []


@pytest.mark.parametrize(
    ("ranges", "fault", "kept", "asked"),
    [
        (False, None, b"\0" * 9, ["bytes=9-"]),  # answers 200 with everything
        (True, "other range", b"\0" * 9, ["bytes=9-", None]),
        (True, None, b"\0" * 9, ["bytes=9-", None]),  # the whole has the wrong checksum
        (True, None, b"\0" * 300_001, ["bytes=300001-", None]),  # answers 416
    ],
)
def test_partial_file_that_cannot_go_on_starts_again(server, fetch, tmp_path, ranges, fault, kept, asked):
    server.ranges, server.faults[BIG] = ranges, [fault]
    (tmp_path / "data/data").mkdir(parents=True)
    (tmp_path / "data" / f"{BIG}.part").write_bytes(kept)
    assert_whole(tmp_path / "data", fetch())
    assert server.requests_for(BIG) == asked


def test_wrong_checksum_once_is_fetched_again_from_zero(server, fetch, tmp_path):
    server.faults[BIG] = ["flip"]
    assert_whole(tmp_path / "data", fetch())
    assert server.requests_for(BIG) == [None, None]


def test_wrong_checksum_twice_is_an_error_and_leaves_nothing_behind(server, fetch, tmp_path):
    server.faults[BIG] = ["flip"] * 2
    right = hashlib.sha256(toy_files()[BIG]).hexdigest()
    with pytest.raises(InputError, match=rf"{ROOT}/{BIG}: sha256 is [0-9a-f]{{64}}, SHA256SUMS.txt says {right}; "):
        fetch()
    assert not list((tmp_path / "data/data").glob("b.dat*"))
    assert_whole(tmp_path / "data", fetch())


def test_truncated_bodies_are_continued(server, fetch, tmp_path, waits):
    server.faults[BIG] = ["truncate"] * 3
    assert_whole(tmp_path / "data", fetch())
    starts = [int(asked[len("bytes=") : -1]) if asked else 0 for asked in server.requests_for(BIG)]
    assert len(starts) == 4 and starts == sorted(set(starts)) and starts[1] > 100_000
    assert waits == [1, 2, 4]


def test_truncated_without_range_support_starts_again(server, fetch, tmp_path):
    server.ranges, server.faults[BIG] = False, ["truncate", "truncate"]
    assert_whole(tmp_path / "data", fetch())
    assert server.sent[BIG] == 300_000


@pytest.mark.parametrize("path", ["SHA256SUMS.txt", "RECORDS", BIG])
@pytest.mark.parametrize("fault", [503, 500, 429, 408, "drop"])
def test_failures_that_pass_are_waited_for(server, fetch, tmp_path, waits, path, fault):
    server.faults[path] = [fault] * 4
    assert_whole(tmp_path / "data", fetch())
    assert waits == [1, 2, 4, 8]


def test_storm_that_does_not_pass_ends_after_five_tries(server, fetch, tmp_path, waits):
    server.faults[BIG] = [503] * 100
    with pytest.raises(InputError, match=rf"{BIG}: the server answers 503, after 5 tries; .*run again"):
        fetch()
    assert len(server.requests_for(BIG)) == 5 and waits == [1, 2, 4, 8]
    server.faults.clear()
    assert_whole(tmp_path / "data", fetch())


def test_retry_after_is_honoured_up_to_a_limit(server, fetch, waits):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    answers = ["7", "0", "100000", later]
    server.faults["RECORDS"] = [(429, {"Retry-After": answer}) for answer in answers]
    fetch()
    assert waits[:3] == [7, 0, 600] and 50 < waits[3] <= 100
    waits.clear()
    server.faults["SHA256SUMS.txt"] = [(503, {"Retry-After": "soon"})]
    fetch()
    assert waits == [1]


def test_unreachable_server(fetch, server, waits):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        port = other.server_address[1]
    with pytest.raises(
        InputError, match=rf"127.0.0.1:{port}/{ROOT}/SHA256SUMS.txt: ConnectionError .*check the network"
    ):
        fetch(mirror=f"http://127.0.0.1:{port}")
    assert len(waits) == 4


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answers 401: these files need an account, often a credentialed one"),
        (403, "answers 403: these files need an account, often a credentialed one"),
        (404, r"no such file \(404\); check `mirror`, and `path` and `version`"),
        (410, "answers 410, expected 200"),
    ],
)
@pytest.mark.parametrize("path", ["SHA256SUMS.txt", BIG])
def test_refusals_name_the_address_and_are_not_repeated(server, fetch, waits, path, status, message):
    server.faults[path] = [status]
    with pytest.raises(InputError, match=rf"^{server.url}/{ROOT}/{path}: .*{message}"):
        fetch()
    assert len(server.requests_for(path)) == 1 and waits == []


def test_killed_client_goes_on_with_the_remaining_bytes(server, fetch, tmp_path):
    server.faults[BIG] = ["stall"]
    code = (
        "import sys; from ecgtransfer.acquire.download import download; "
        f"download({ENTRY!r}, sys.argv[1], sys.argv[2], None, streams=1)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
    client = subprocess.Popen([sys.executable, "-c", code, server.url, str(tmp_path / "data")], env=environment)
    part = tmp_path / "data" / f"{BIG}.part"
    for _ in range(3000):
        if part.exists() and part.stat().st_size > 100_000:
            break
        assert client.poll() is None
        time.sleep(0.01)
    client.send_signal(signal.SIGKILL)
    client.wait()
    kept = part.stat().st_size
    assert 100_000 < kept <= 150_000
    server.requests.clear()
    server.sent.clear()
    done_before = {path for path in WANTED if (tmp_path / "data" / path).exists()}
    assert_whole(tmp_path / "data", fetch())
    assert server.requests_for(BIG) == [f"bytes={kept}-"] and server.sent[BIG] == 300_000 - kept
    assert "data/a.dat" in done_before and not done_before & set(server.sent)


def test_files_come_several_at_a_time(server, fetch, tmp_path):
    files = [path for path in WANTED if path.endswith(".dat")]
    server.meet = dict.fromkeys(files, threading.Barrier(len(files)))  # none is sent before all are asked for
    assert_whole(tmp_path / "data", fetch(streams=3))
    assert all(len(server.requests_for(path)) == 1 for path in files)


def test_progress_is_logged_while_files_are_coming(server, fetch, monkeypatch, caplog):
    monkeypatch.setattr("ecgtransfer.acquire.download.PROGRESS_SECONDS", 0.05)
    server.faults[BIG] = ["stall"]

    def let_it_go_on(record):
        if "6 of 7 files" in record.getMessage():
            server.go_on.set()
        return True

    monkeypatch.setattr(caplog.handler, "filters", [let_it_go_on])
    with caplog.at_level(logging.INFO, "ecgtransfer"):
        fetch()
    lines = [record.getMessage() for record in caplog.records]
    assert any("6 of 7 files verified, 6 fetched" in line and "min left" in line for line in lines)
    assert "7 of 7" in lines[-1] and "left" not in lines[-1]


def test_limit_takes_the_first_records(fetch, tmp_path):
    assert_whole(tmp_path / "data", fetch(limit=1), ["data/b.dat", "data/b.hea", "toy.csv"])


@pytest.mark.parametrize(("limit", "n_records", "asked"), [(3, 3, 3), (None, 3, 3), (None, None, "all")])
def test_fewer_records_than_asked_for_is_a_warning(server, fetch, tmp_path, caplog, limit, n_records, asked):
    write_mirror(server.root, toy_files(), unlisted=["data/b.hea", "data/b.dat"])
    table = fetch(limit, entry=ENTRY | ({"n_records": n_records} if n_records else {}))
    assert_whole(tmp_path / "data", table, [path for path in WANTED if not path.startswith("data/b")])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert f"serves 2 records, {asked} were asked for; 1 entries of RECORDS are not in SHA256SUMS.txt" in warnings[0]


@pytest.mark.parametrize("unlisted", [(), ("RECORDS", "training/x/g1/RECORDS")])
def test_nested_records(server, fetch, tmp_path, unlisted):
    files = {
        "RECORDS": b"training/x/g1/\ntraining/y/g1/\n",
        "training/x/g1/RECORDS": b"E1\nE2\n",
        "training/x/g1/E1.hea": b"E1",
        "training/x/g1/E1.mat": b"1",
        "training/x/g1/E2.hea": b"E2",
        "training/y/g1/RECORDS": b"Q1\n",
        "training/y/g1/Q1.hea": b"Q1",
    }
    write_mirror(server.root, files, unlisted)
    entry = {"path": ROOT + "/", "folders": ["training/x"], "suffixes": [".hea", ".mat"], "tables": []}
    paths = ["training/x/g1/E1.hea", "training/x/g1/E1.mat", "training/x/g1/E2.hea"]
    assert_whole(tmp_path / "data", fetch(entry=entry), paths, files)
    assert (tmp_path / "data/training/x/g1/RECORDS").read_bytes() == b"E1\nE2\n"
    assert "training/y/g1/RECORDS" not in dict(server.requests)
    # A longer list on the mirror is seen, whether it has a checksum or not.
    write_mirror(server.root, files | {"training/x/g1/RECORDS": b"E2\n"}, unlisted)
    assert list(fetch(entry=entry)["path"]) == ["training/x/g1/E2.hea"]


def test_unsafe_path_writes_nothing_outside(server, fetch, tmp_path):
    with (server.root / "SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{'0' * 64} ../../escape.dat\n")
    with pytest.raises(InputError, match=r"escape\.dat"):
        fetch()
    assert sorted(path.name for path in (tmp_path / "data").rglob("*")) == ["SHA256SUMS.txt"]


def test_folder_mirror_verifies_too(server, fetch, tmp_path, caplog):
    root = tmp_path / "mir%ror x"
    (tmp_path / "mirror").rename(root)
    mirror = root.as_uri() + "/"
    assert_whole(tmp_path / "data", fetch(mirror=mirror))
    (tmp_path / "data" / BIG).write_bytes(b"damaged here")
    assert_whole(tmp_path / "data", fetch(mirror=mirror))
    (tmp_path / "data" / BIG).unlink()
    (root / ROOT / BIG).write_bytes(b"damaged there")
    with pytest.raises(InputError, match=rf"{BIG}: sha256 is .*, SHA256SUMS.txt says "):
        fetch(mirror=mirror)
    (root / ROOT / BIG).unlink()
    with pytest.raises(InputError, match=f"{BIG}: no such file"):
        fetch(mirror=mirror)
    assert server.requests == []


@pytest.mark.parametrize(
    "mirror",
    ["ftp://physionet.org", "physionet.org", "/abs/folder", "file://relative", "https://", "", "file:///not/here"],
)
def test_mirrors_that_cannot_be(fetch, mirror):
    with pytest.raises(InputError, match=r"^mirror '.*: (expected https://|folder /not/here does not exist)"):
        fetch(mirror=mirror)


@pytest.mark.skipif(not REAL_MIRROR.is_dir(), reason="no real recordings here")
@pytest.mark.parametrize(
    ("path", "folder", "suffixes", "tables", "limit", "n_records"),
    [
        ("challenge-2021/1.0.3", "training/georgia", [".hea", ".mat"], [], None, 55),
        ("ludb/1.0.1", "data", [".hea", ".dat"], ["ludb.csv"], None, 150),
        ("ptb-xl/1.0.3", "records500", [".hea", ".dat"], ["ptbxl_database.csv", "scp_statements.csv"], 20, 20),
    ],
)
def test_real_recordings(tmp_path, path, folder, suffixes, tables, limit, n_records):
    entry = {"path": f"files/{path}", "folders": [folder], "suffixes": suffixes, "tables": tables}
    table = download(entry, REAL_MIRROR.as_uri(), tmp_path, limit)
    published = REAL_MIRROR / "files" / path
    assert set(tables) < set(table["path"]) or not tables
    assert len(table) == n_records * len(suffixes) + len(tables)
    for name, size, sha256 in table.itertuples(index=False):
        content = (published / name).read_bytes()
        assert (tmp_path / name).read_bytes() == content
        assert (size, sha256) == (len(content), hashlib.sha256(content).hexdigest())
    if limit is None:
        assert set(table["path"]) - set(tables) == {
            str(file.relative_to(published)) for file in (published / folder).rglob("*") if file.suffix in suffixes
        }
