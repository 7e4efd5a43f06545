"""Servers that send nothing or too much, and lists with names that no folder can hold: reported, bounded, refused."""

import json
import logging

import pytest
from file_server import BIG, ENTRY, N_BIG, ROOT, WANTED, assert_none_half_written, assert_whole, publish, toy_files

from ecgtransfer.acquire import progress
from ecgtransfer.acquire.download import download
from ecgtransfer.acquire.listings import read_zenodo
from ecgtransfer.acquire.mirrors import open_mirror
from ecgtransfer.errors import InputError

LISTED = {
    "path": "api/records/7", "listing": "zenodo", "folders": ["."], "suffixes": [".csv"], "tables": ["exams.csv"]
}  # fmt: skip
EXAMS = b"exam_id\n1\n"


def list_on_zenodo(server, name="exams.csv", n_bytes=10):
    """Publish one file as Zenodo does, behind an address of its own."""
    (server.folder / "api/records").mkdir(parents=True, exist_ok=True)
    (server.folder / "content").write_bytes(EXAMS)
    links = {"self": f"{server.url}/content"}
    file = {"key": name, "checksum": "md5:9a65df5a3b6f9bd6ef4ac8b7a4d5b2f0", "size": n_bytes, "links": links}
    (server.folder / "api/records/list.json").write_text(json.dumps({"files": [file]}))
    server.aliases["api/records/7"] = "api/records/list.json"


def fetch_listed(server, fetch, **changes):
    return fetch(entry=LISTED | {"host": server.url} | changes, mirror="http://127.0.0.1:9")


def lines_of(caplog, level):
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.mark.parametrize("path", ["SHA256SUMS.txt", "RECORDS", BIG])
def test_server_that_never_answers_is_said_within_30_seconds(server, fetch, monkeypatch, caplog, path):
    assert progress.LOG_SECONDS <= 30
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.05)
    server.faults[path] = ["silent"]

    def hang_up(record):  # the server is silent until the log says so
        if "waiting: nothing received for" in record.getMessage():
            server.go_on.set()
        return True

    monkeypatch.setattr(caplog.handler, "filters", [hang_up])
    with caplog.at_level(logging.INFO, "ecgtransfer"):
        assert_whole(fetch.folder, fetch())
    waiting = next(line for line in lines_of(caplog, logging.INFO) if "waiting: nothing received for" in line)
    assert waiting.startswith(f"{server.url}/{ROOT}/{'' if path == BIG else path}: ")
    assert fetch.waits == [1]


def test_every_try_is_said_with_its_address_and_the_first_on_the_terminal(server, fetch, caplog):
    server.faults["RECORDS"] = [500, "drop", 503, 503]
    with caplog.at_level(logging.INFO, "ecgtransfer"):
        fetch()
    assert fetch.waits == [1, 2, 4, 8]
    about = f"{server.url}/{ROOT}/RECORDS: "
    assert lines_of(caplog, logging.WARNING) == [f"{about}the server answers 500 (try 1); trying again in 1 s"]
    tries = [line for line in lines_of(caplog, logging.INFO) if "trying again" in line]
    assert [line.partition(" (try ")[2] for line in tries] == [
        f"{number}); trying again in {2 ** (number - 1)} s" for number in (2, 3, 4)
    ] and all(line.startswith(about) for line in tries)


def test_server_that_never_tells_a_size_is_asked_only_once_by_each_stream(server, fetch, monkeypatch, caplog):
    monkeypatch.setattr("ecgtransfer.acquire.mirrors.SIZE_TIMEOUT_SECONDS", 0.2)
    server.tells_sizes = "is silent"
    with caplog.at_level(logging.INFO, "ecgtransfer"):
        assert_whole(fetch.folder, fetch(streams=2))
    assert server.n_sizes_asked <= 2
    assert "this host does not report their sizes" in caplog.text


@pytest.mark.parametrize("fault", ["endless", "endless chunks"])
def test_endless_file_stops_at_its_listed_size(server, fetch, fault):
    list_on_zenodo(server)
    server.faults["content"] = [fault]
    with pytest.raises(InputError, match=rf"^{server.url}/content: more than 10 bytes come, which are neither listed"):
        fetch_listed(server, fetch)
    assert not list(fetch.folder.rglob("exams*"))


@pytest.mark.parametrize("fault", ["endless", "endless chunks"])
@pytest.mark.parametrize("path", ["SHA256SUMS.txt", "RECORDS", BIG])
def test_endless_answer_of_unknown_length_is_bounded(server, fetch, monkeypatch, fault, path):
    monkeypatch.setattr("ecgtransfer.acquire.download.LIST_BYTES", 1_000_000)
    monkeypatch.setattr("ecgtransfer.acquire.lengths.UNANNOUNCED_BYTES", 1_000_000)
    publish(server.root, toy_files(), unlisted=["RECORDS"])
    server.faults[path] = [fault]
    with pytest.raises(InputError, match=rf"^{server.url}/{ROOT}/{path}: more than 1,000,000 bytes come, [^\n]*$"):
        fetch()
    assert not (fetch.folder / f"{path}.part").exists()
    assert_none_half_written(fetch.folder)
    assert_whole(fetch.folder, fetch())


def test_endless_list_of_a_host_is_bounded(server, fetch, monkeypatch):
    monkeypatch.setattr("ecgtransfer.acquire.download.LIST_BYTES", 1_000_000)
    server.faults["api/records/7"] = ["endless"]
    with pytest.raises(InputError, match=rf"^{server.url}/api/records/7: more than 1,000,000 bytes come, "):
        fetch_listed(server, fetch)
    assert not any(path.is_file() for path in fetch.folder.rglob("*"))


def test_file_announced_longer_than_listed_is_refused_before_it_comes(server, fetch):
    list_on_zenodo(server, n_bytes=len(EXAMS) - 1)
    with pytest.raises(InputError, match=r"/content: 10 bytes are announced, 9 at most expected; .*another `mirror`$"):
        fetch_listed(server, fetch)
    assert server.requests_for("content") == [None] and not list(fetch.folder.rglob("exams*"))


def test_file_announced_longer_than_there_is_room_is_refused_before_it_comes(server, fetch):
    server.tells_sizes, server.faults[BIG] = False, ["boast"]
    with pytest.raises(InputError, match=rf"101010\.1 TB are needed for {server.url}/{ROOT}/{BIG}, .* are free on"):
        fetch()
    assert not list(fetch.folder.rglob("b.dat*"))
    assert_whole(fetch.folder, fetch())


def test_what_comes_behind_the_announced_end_is_not_taken(server, fetch):
    server.faults |= {path: ["more than announced"] for path in WANTED}
    assert_whole(fetch.folder, fetch(streams=1))
    assert server.sent[BIG] >= N_BIG


def test_copy_in_a_folder_that_is_longer_than_listed_is_not_copied(tmp_path):
    (tmp_path / "exams.csv").write_bytes(EXAMS)
    mirror = open_mirror(f"file://{tmp_path}", "", 1, None)
    with pytest.raises(InputError, match=r"exams\.csv: 10 bytes are announced, 9 at most expected"):
        mirror.fetch("exams.csv", tmp_path / "part", 9)
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("name", ["x" * 300, "心" * 100, "deep/" + "x" * 300 + "/a"], ids=["ascii", "wide", "folder"])
def test_name_that_no_folder_can_hold_is_refused(server, fetch, name):
    lines = [f"{'0' * 64} data/{name}.hea\n", f"{'0' * 64} toy.csv\n"]
    (server.root / "RECORDS").write_text(f"data/{name}\n", encoding="utf-8")
    (server.root / "SHA256SUMS.txt").write_text("".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{server.url}/{ROOT}/: a name in 'data/.*'\.\.\. has 30\d bytes, [^\n]*$"):
        fetch()


def test_long_name_of_a_file_that_nobody_wants_is_no_matter(server, fetch):
    with (server.root / "SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{'0' * 64} notes/{'x' * 300}.pdf\n")
    assert_whole(fetch.folder, fetch())


def test_name_of_no_characters_is_refused(server, fetch):
    list_on_zenodo(server, name="\ud800.csv")
    with pytest.raises(InputError, match=r"'\\ud800\.csv' is not a file name"):
        fetch_listed(server, fetch, tables=[])


def test_file_that_is_also_a_folder_is_refused(server, fetch):
    with (server.root / "SHA256SUMS.txt").open("a") as sums:
        sums.write(f"{'0' * 64} data/a.dat/deep/c.hea\n")
    (server.root / "RECORDS").write_text("data/a\ndata/a.dat/deep/c\n")
    with (server.root / "SHA256SUMS.txt").open() as sums:
        rest = [line for line in sums if not line.endswith(" RECORDS\n")]
    (server.root / "SHA256SUMS.txt").write_text("".join(rest))
    with pytest.raises(InputError, match=r"'data/a\.dat' is listed as a file and as a folder of others; [^\n]*$"):
        fetch()
    assert not (fetch.folder / "data").exists()


def test_redirect_to_no_address_is_refused(server, fetch):
    server.faults[BIG] = [(302, {"Location": "http://[::1"})]
    with pytest.raises(InputError, match=rf"^{server.url}/{ROOT}/{BIG}: .*check `mirror`$"):
        fetch()


@pytest.mark.parametrize("address", ["http://[::1", "https://[x]/y"])
def test_mirror_that_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(InputError, match=r"^mirror .*: expected https://host, http://host or file:///absolute/folder"):
        download(ENTRY, address, tmp_path, None)


def test_list_nested_without_end_and_address_that_is_none_are_refused():
    with pytest.raises(InputError, match=r"^x: expected a list of files as JSON \("):
        read_zenodo("x", lambda _: "[" * 200_000)
    file = {"key": "a", "checksum": "md5:" + "0" * 32, "size": 1, "links": {"self": "http://[::1"}}
    with pytest.raises(InputError, match=r"^x: file 1 of the list lacks"):
        read_zenodo("x", lambda _: json.dumps({"files": [file]}))
