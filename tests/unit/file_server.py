"""A web server for downloads that can do wrong, in this process or, run as a script, in one that can be killed."""

import hashlib
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd

from ecgtransfer.acquire.download import download

ROOT = "files/toy/1.0"
ENTRY = {"path": ROOT, "folders": ["data"], "suffixes": [".hea", ".dat"], "tables": ["toy.csv"]}
BIG, N_BIG = "data/b.dat", 300_000
WANTED = sorted(["toy.csv", *(f"data/{record}{suffix}" for record in ("a", "b", "c d") for suffix in (".dat", ".hea"))])


def toy_files(seed=0):
    noise = random.Random(seed)
    files = {"RECORDS": b"data/b\ndata/a\ndata/c d\n", "toy.csv": b"id,label\n", "data/b.atr": b"not wanted"}
    for record in ("b", "a", "c d"):
        files[f"data/{record}.hea"] = f"{record} 1 500 10\n".encode()
        files[f"data/{record}.dat"] = noise.randbytes(N_BIG)
    return files


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def publish(root, files, unlisted=()):
    """Lay `files` out under `root` with the SHA256SUMS.txt that belongs to them."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    lines = [f"{sha256(files[path])} {path}\n" for path in files if path not in unlisted]
    (root / "SHA256SUMS.txt").write_text("".join(lines), encoding="utf-8")


class Handler(BaseHTTPRequestHandler):
    """Serves a folder with the faults that the server holds for each path, one per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as real servers do; otherwise each answer waits for an acknowledgement

    def file(self):
        path = unquote(urlsplit(self.path).path).lstrip("/")
        path = self.server.aliases.get(path, path)
        return path.removeprefix(f"{ROOT}/"), self.server.folder / path

    def do_HEAD(self):
        file = self.file()[1]
        if self.server.tells_sizes == "is silent":
            with self.server.lock:
                self.server.n_sizes_asked += 1
            self.server.go_on.wait(timeout=60)
            self.close_connection = True
            return
        if not self.server.tells_sizes or not file.is_file():
            self.answer(405 if file.is_file() else 404, b"")
            return
        with self.server.lock:
            self.server.n_sizes_asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()

    def do_GET(self):
        server, (path, file) = self.server, self.file()
        with server.lock:
            server.requests.append((path, self.headers.get("Range")))
            fault = server.faults[path].pop(0) if server.faults[path] else None
            if fault is None and server.storm and path.startswith("data/"):
                fault = server.storm.pop()
        if path in server.meet:
            server.meet[path].wait(timeout=20)
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "silent":
            server.go_on.wait(timeout=60)
            self.close_connection = True
            return
        if fault in ("endless", "endless chunks"):
            self.answer_without_end(in_chunks=fault == "endless chunks")
            return
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        if isinstance(status, int) or not file.is_file():
            self.answer(status if isinstance(status, int) else 404, b"sorry", headers)
            return
        body = file.read_bytes()
        if fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        asked, names = self.headers.get("Range"), server.versions(body)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        version = self.headers.get("If-Range")
        changed = version is not None and version not in names.values() and server.honours_if_range
        if not start or not server.ranges or changed:
            self.answer(200, body, names, fault)
        elif start >= len(body):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        elif fault == "other range":
            self.answer(206, body[1:], {"Content-Range": f"bytes 1-{len(body) - 1}/{len(body)}"})
        else:
            rest = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            self.answer(206, body[start:], rest | names, fault)

    def answer(self, status, body, headers=None, fault=None):
        self.send_response(status)
        self.send_header("Content-Length", "10" * 9 if fault == "boast" else str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.counts = status in (200, 206)
        half = len(body) // 2
        self.send(body[:half])
        if fault == "truncate":
            self.close_connection = True
            return
        if fault == "stall":
            self.server.go_on.wait(timeout=60)
        if fault == "trickle":
            for number in range(half, len(body)):
                if self.server.go_on.wait(timeout=0.1):
                    break
                self.send(body[number : number + 1])
            self.close_connection = True
            return
        self.send(body[half:])
        if fault == "boast":
            self.close_connection = True
        if fault == "more than announced":
            self.send(b"HTTP/1.1 200 OK and so on")

    def answer_without_end(self, in_chunks):
        """Send zeros, of which nobody says how many come, until the client hangs up; 100 MB for one that never does."""
        self.send_response(200)
        if in_chunks:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.counts = self.close_connection = True
        zeros = bytes(50_000)
        for _ in range(2000):
            self.send(b"c350\r\n" + zeros + b"\r\n" if in_chunks else zeros)

    def send(self, content):
        self.wfile.write(content)
        if self.counts:
            with self.server.lock:
                self.server.sent[self.file()[0]] += len(content)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Attributes are switches and faults to set, and what was asked for and sent."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.root = folder / ROOT
        self.ranges = self.tells_sizes = self.honours_if_range = True
        self.version_header = "ETag"  # or Last-Modified, or None
        self.faults = defaultdict(list)  # path -> one for each request to come
        self.storm = []  # answers to whoever asks for a record
        self.aliases = {}  # path -> another
        self.meet = {}  # path -> barrier or event to wait for
        self.go_on = threading.Event()
        self.lock = threading.Lock()
        self.requests, self.n_sizes_asked = [], 0
        self.sent = Counter()  # bytes of files by path

    def versions(self, body):
        if self.version_header == "Last-Modified":
            return {"Last-Modified": f"Mon, 01 Jan 2024 00:00:{body[0] % 60:02d} GMT"}
        return {self.version_header: f'"{sha256(body)[:8]}"'} if self.version_header else {}

    def handle_error(self, request, client_address):
        pass  # a client that was killed

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requests_for(self, path):
        return [asked for name, asked in self.requests if name == path]

    def forget(self):
        self.requests.clear()
        self.sent.clear()


@contextmanager
def serving(folder):
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()


class Client:
    """Downloads from a server into a folder; notes the pauses in place of making them."""

    def __init__(self, server, folder):
        self.server, self.folder, self.waits = server, folder, []

    def __call__(self, limit=None, entry=ENTRY, mirror=None, pause=None, **options):
        mirror = self.server.url if mirror is None else mirror
        return download(entry, mirror, self.folder, limit, pause=pause or self.waits.append, **options)


def assert_whole(folder, table, paths=WANTED, files=None):
    """The table and the folder hold exactly `paths`, byte for byte, in addition to the lists that were read."""
    files = files or toy_files()
    expected = [(path, len(files[path]), sha256(files[path])) for path in paths]
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected, columns=["path", "bytes", "sha256"]))
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    lists = {path for path in there if Path(path).name in ("RECORDS", "SHA256SUMS.txt")}
    assert {path: there[path] for path in there.keys() - lists} == {path: files[path] for path in paths}
    assert {"RECORDS", "SHA256SUMS.txt"} <= lists


def assert_none_half_written(folder, files=None):
    """Whatever has its own name is as published; the rest is called .part, or is a note next to one."""
    files = files or toy_files()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and name != "SHA256SUMS.txt" and not name.endswith((".part", ".part.from")):
            assert path.read_bytes() == files[name]


def wait_until(reached, alive=lambda: True):
    for _ in range(3000):
        if reached():
            return
        assert alive()
        time.sleep(0.01)
    raise AssertionError("waited in vain")


if __name__ == "__main__":
    # Folder, port, and faults by path as JSON; what is sent is written to the standard output when the input ends.
    with Server(Path(sys.argv[1]), int(sys.argv[2])) as served:
        served.faults.update(json.loads(sys.argv[3]))
        threading.Thread(target=served.serve_forever, daemon=True).start()
        print(served.url, flush=True)
        sys.stdin.read()
        print(json.dumps([served.requests, served.sent]), flush=True)
