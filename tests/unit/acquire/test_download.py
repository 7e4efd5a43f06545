"""Downloads from a real server on the loopback interface, and from folders: what is fetched and reported."""

import fcntl
import hashlib
import json
import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from file_server import BIG, ENTRY, ROOT, WANTED, assert_whole, publish, serving, toy_files, wait_until

from ecgtransfer.acquire.download import download
from ecgtransfer.acquire.mirrors import open_mirror
from ecgtransfer.errors import InputError

REPOSITORY = Path(__file__).parents[3]
REAL_MIRROR = REPOSITORY.parent / "shared/mirror"


@pytest.mark.parametrize("slash", ["", "/"])
def test_fetches_every_file_as_published(server, fetch, caplog, slash):
    with caplog.at_level(logging.INFO):
        assert_whole(fetch.folder, fetch(mirror=server.url + slash))
    assert "7 of 7 files are to be fetched, 900 kB" in caplog.text
    assert "7 of 7 files, 900 kB of 900 kB, " in caplog.text
    assert fetch.waits == [] and "data/b.atr" not in dict(server.requests)
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


def test_second_run_fetches_only_the_checksums_and_what_is_damaged(server, fetch, caplog):
    fetch()
    server.forget()
    with caplog.at_level(logging.INFO):
        fetch()
    assert server.requests == [("SHA256SUMS.txt", None)] and "none is fetched" in caplog.text
    (fetch.folder / BIG).write_bytes(b"\0" * 300_000)
    server.forget()
    assert_whole(fetch.folder, fetch())
    assert server.requests == [("SHA256SUMS.txt", None), (BIG, None)]


def test_files_come_several_at_a_time(server, fetch):
    files = [path for path in WANTED if path.endswith(".dat")]
    server.meet = dict.fromkeys(files, threading.Barrier(len(files)))  # none is sent before all are asked for
    assert_whole(fetch.folder, fetch(streams=3))
    assert all(len(server.requests_for(path)) == 1 for path in files)


def test_progress_is_logged_while_files_are_coming(server, fetch, monkeypatch, caplog):
    monkeypatch.setattr("ecgtransfer.acquire.progress.LOG_SECONDS", 0.05)
    server.faults[BIG] = ["stall"]

    def let_it_go_on(record):
        if "6 of 7 files" in record.getMessage():
            server.go_on.set()
        return True

    monkeypatch.setattr(caplog.handler, "filters", [let_it_go_on])
    with caplog.at_level(logging.INFO, "ecgtransfer"):
        fetch()
    lines = [record.getMessage() for record in caplog.records]
    assert any("6 of 7 files, 750 kB of 900 kB" in line and line.endswith(" left") for line in lines)
    assert "7 of 7" in lines[-1] and "left" not in lines[-1]


def test_total_is_estimated_from_some_files_of_each_kind(server, fetch, monkeypatch, caplog):
    monkeypatch.setattr("ecgtransfer.acquire.transfer.SIZES_ASKED", 2)
    with caplog.at_level(logging.INFO):
        assert_whole(fetch.folder, fetch())
    assert "7 of 7 files are to be fetched, about 900 kB" in caplog.text and server.n_sizes_asked == 5


def test_host_that_tells_no_sizes_is_said_to(server, fetch, caplog):
    server.tells_sizes = False
    with caplog.at_level(logging.INFO):
        assert_whole(fetch.folder, fetch())
    assert "7 of 7 files are to be fetched; this host does not report their sizes" in caplog.text


def test_too_little_room_is_said_before_anything_is_fetched(server, fetch, monkeypatch):
    usage = shutil.disk_usage(fetch.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=899_000))
    with pytest.raises(
        InputError,
        match=rf"^{fetch.folder}: 900 kB are needed for the 7 files to fetch, 899 kB are free on that disk; free",
    ):
        fetch()
    assert {path for path, _ in server.requests} == {"SHA256SUMS.txt", "RECORDS"}
    part = fetch.folder / f"{BIG}.part"
    part.parent.mkdir()
    part.write_bytes(toy_files()[BIG][:2000])  # counts as there
    assert_whole(fetch.folder, fetch())


def test_limit_takes_the_first_records(fetch):
    assert_whole(fetch.folder, fetch(limit=1), ["data/b.dat", "data/b.hea", "toy.csv"])


@pytest.mark.parametrize(("limit", "n_records", "asked"), [(3, 3, 3), (None, 3, 3), (None, None, "all")])
def test_fewer_records_than_asked_for_is_a_warning(server, fetch, caplog, limit, n_records, asked):
    publish(server.root, toy_files(), unlisted=["data/b.hea", "data/b.dat"])
    table = fetch(limit, entry=ENTRY | ({"n_records": n_records} if n_records else {}))
    assert_whole(fetch.folder, table, [path for path in WANTED if not path.startswith("data/b")])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert f"serves 2 records, {asked} were requested; 1 entries of RECORDS are not in SHA256SUMS.txt" in warnings[0]


@pytest.mark.parametrize("unlisted", [(), ("RECORDS", "training/x/g1/RECORDS")])
def test_nested_records(server, fetch, unlisted):
    files = {
        "RECORDS": b"training/x/g1/\ntraining/y/g1/\n",
        "training/x/g1/RECORDS": b"E1\nE2\n",
        "training/x/g1/E1.hea": b"E1",
        "training/x/g1/E1.mat": b"1",
        "training/x/g1/E2.hea": b"E2",
        "training/y/g1/RECORDS": b"Q1\n",
        "training/y/g1/Q1.hea": b"Q1",
    }
    publish(server.root, files, unlisted)
    entry = {"path": ROOT + "/", "folders": ["training/x"], "suffixes": [".hea", ".mat"], "tables": []}
    paths = ["training/x/g1/E1.hea", "training/x/g1/E1.mat", "training/x/g1/E2.hea"]
    assert_whole(fetch.folder, fetch(entry=entry), paths, files)
    assert (fetch.folder / "training/x/g1/RECORDS").read_bytes() == b"E1\nE2\n"
    assert "training/y/g1/RECORDS" not in dict(server.requests)
    # A longer list on the mirror is seen, whether it has a checksum or not.
    publish(server.root, files | {"training/x/g1/RECORDS": b"E2\n"}, unlisted)
    assert list(fetch(entry=entry)["path"]) == ["training/x/g1/E2.hea"]


def test_unsafe_path_writes_nothing_outside(server, fetch):
    with (server.root / "SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{'0' * 64} ../../escape.dat\n")
    with pytest.raises(InputError, match=r"escape\.dat"):
        fetch()
    assert sorted(path.name for path in fetch.folder.rglob("*")) == ["SHA256SUMS.txt"]


def test_names_that_need_care(server, fetch):
    names = ["Übung 1", "心電図", "a%20b", "a#b?c&d", "line\u2028break", "e\u0301 and \xe9"]
    files = {"RECORDS": "".join(f"data/{name}\n" for name in names).encode(), "toy.csv": b""}
    files |= {f"data/{name}.hea": name.encode() for name in names}
    publish(server.root, files)
    assert_whole(fetch.folder, fetch(), sorted(files.keys() - {"RECORDS"}), files)


def test_redirect_to_another_host(server, fetch, tmp_path):
    publish(tmp_path / "elsewhere" / ROOT, toy_files())
    with serving(tmp_path / "elsewhere") as other:
        there = {"Location": f"{other.url}/{ROOT}/{quote(BIG)}"}
        server.faults[BIG] = [(302, there), (307, there)]
        other.faults[BIG] = ["truncate"]
        assert_whole(fetch.folder, fetch())
        assert other.requests_for(BIG) == [None, "bytes=150000-"]
        assert other.sent[BIG] == 300_000 and server.sent[BIG] == 0


def test_name_with_several_addresses_of_which_one_answers(server, fetch):
    # localhost is ::1, too, where nothing listens
    assert_whole(fetch.folder, fetch(mirror=server.url.replace("127.0.0.1", "localhost")))


def test_folder_mirror_verifies_too(server, fetch, tmp_path):
    root = tmp_path / "mir%ror x"
    (tmp_path / "mirror").rename(root)
    mirror = root.as_uri() + "/"
    assert_whole(fetch.folder, fetch(mirror=mirror))
    (fetch.folder / BIG).write_bytes(b"damaged here")
    assert_whole(fetch.folder, fetch(mirror=mirror))
    (fetch.folder / BIG).unlink()
    (root / ROOT / BIG).write_bytes(b"damaged there")
    with pytest.raises(InputError, match=rf"{BIG}: sha256 is .* is published"):
        fetch(mirror=mirror)
    (root / ROOT / BIG).unlink()
    with pytest.raises(InputError, match=f"{BIG}: no such file"):
        fetch(mirror=mirror)
    assert server.requests == []


@pytest.mark.parametrize("is_web", [True, False])
def test_copy_of_one_data_set(server, fetch, tmp_path, is_web):
    copy = f"{server.url}/{ROOT}/" if is_web else server.root.as_uri()
    assert_whole(fetch.folder, fetch(mirror="http://127.0.0.1:9", copy=copy))
    with pytest.raises(InputError, match=r"^mirrors 'file:///not/here': folder /not/here does not exist"):
        fetch(copy="file:///not/here")


def test_bucket_holds_data_sets_without_the_folder_files():
    bucket = open_mirror("https://physionet-open.s3.amazonaws.com/", "files/ptb-xl/1.0.3", 1, None)
    assert bucket.address("RECORDS") == "https://physionet-open.s3.amazonaws.com/ptb-xl/1.0.3/RECORDS"
    assert open_mirror("https://physionet.org", "files/ptb-xl/1.0.3", 1, None).address("RECORDS") == (
        "https://physionet.org/files/ptb-xl/1.0.3/RECORDS"
    )


@pytest.mark.parametrize(
    "mirror",
    ["ftp://physionet.org", "physionet.org", "/abs/folder", "file://relative", "https://", "", "file:///not/here"],
)
def test_mirrors_that_cannot_be(fetch, mirror):
    with pytest.raises(InputError, match=r"^mirror '.*: (expected https://|folder /not/here does not exist)"):
        fetch(mirror=mirror)


@pytest.mark.parametrize("lock", [".{host}.lock", ".data.lock"])
def test_one_download_at_a_time_from_a_host_and_into_a_folder(server, fetch, tmp_path, caplog, lock):
    path = tmp_path / lock.format(host=server.url.removeprefix("http://"))
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=fetch)
        thread.start()
        wait_until(lambda: "waiting for another download" in caplog.text)
        assert server.requests == []
    thread.join()
    assert (fetch.folder / BIG).exists()


def test_10000_tiny_files_and_memory(tmp_path):
    n_files = 10_000
    files = {f"data/{number // 100}/{number}.hea": b"%d" % number for number in range(n_files)}
    files["RECORDS"] = "".join(f"{path.removesuffix('.hea')}\n" for path in files).encode()
    publish(tmp_path / "mirror" / ROOT, files)
    code = (
        "import json, resource, sys; from ecgtransfer.acquire.download import download; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "table = download(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], None); "
        "print(len(table), table['bytes'].sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    with serving(tmp_path / "mirror") as server:
        entry = json.dumps(ENTRY | {"tables": []})
        command = [sys.executable, "-c", code, entry, server.url, str(tmp_path / "data")]
        environment = {"PYTHONPATH": str(REPOSITORY / "workflow_scripts"), "NO_PROXY": "127.0.0.1"}
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert len(server.requests) == n_files + 2
    n_rows, n_bytes, kilobytes = map(int, printed.split())
    assert (n_rows, n_bytes) == (n_files, sum(len(content) for path, content in files.items() if path != "RECORDS"))
    assert kilobytes < 50_000


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
    table = download(entry, REAL_MIRROR.as_uri(), tmp_path / "data", limit)
    published = REAL_MIRROR / "files" / path
    assert set(tables) < set(table["path"]) or not tables
    assert len(table) == n_records * len(suffixes) + len(tables)
    for name, size, checksum in table.itertuples(index=False):
        content = (published / name).read_bytes()
        assert (tmp_path / "data" / name).read_bytes() == content
        assert (size, checksum) == (len(content), hashlib.sha256(content).hexdigest())
    if limit is None:
        assert set(table["path"]) - set(tables) == {
            str(file.relative_to(published)) for file in (published / folder).rglob("*") if file.suffix in suffixes
        }
