"""Downloads from a server on loopback that goes wrong: nothing is lost, nothing half-written is taken for whole."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import ThreadingHTTPServer

import pytest
from file_server import (
    BIG,
    ENTRY,
    N_BIG,
    ROOT,
    WANTED,
    Handler,
    assert_none_half_written,
    assert_whole,
    publish,
    sha256,
    toy_files,
    wait_until,
)

from ecgtransfer.errors import InputError


@pytest.fixture
def part(fetch):
    """The partial file of the big one; its folder is there."""
    part = fetch.folder / f"{BIG}.part"
    part.parent.mkdir(parents=True)
    return part


def starts_of(server):
    return [int(asked[len("bytes=") : -1]) if asked else 0 for asked in server.requests_for(BIG)]


def note(part, server, content):
    """Write next to a partial file what a download would have."""
    part.with_name(part.name + ".from").write_text(
        f"{server.url}/{ROOT}/{BIG}\n{next(iter(server.versions(content).values()))}\n"
    )


@pytest.mark.parametrize("kept", [1, 123_456, 299_999])
@pytest.mark.parametrize("version", ["ETag", "Last-Modified", None])
def test_partial_file_goes_on_where_it_ends(server, fetch, part, kept, version):
    server.version_header = version
    part.write_bytes(toy_files()[BIG][:kept])
    if version:
        note(part, server, toy_files()[BIG])
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == [f"bytes={kept}-"] and server.sent[BIG] == N_BIG - kept


def test_partial_file_from_another_server_goes_on_too(server, fetch, part):
    part.write_bytes(toy_files()[BIG][:1000])
    part.with_name(part.name + ".from").write_text('https://elsewhere.org/b.dat\n"another name"\n')
    assert_whole(fetch.folder, fetch())
    assert server.sent[BIG] == N_BIG - 1000


def test_complete_partial_file_needs_no_request(server, fetch, part):
    part.write_bytes(toy_files()[BIG])
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == []


@pytest.mark.parametrize(
    ("ranges", "fault", "kept", "asked"),
    [
        (False, None, b"\0" * 9, ["bytes=9-"]),  # answers 200 with everything
        (True, "other range", b"\0" * 9, ["bytes=9-", None]),
        (True, None, b"\0" * 9, ["bytes=9-", None]),  # the whole has the wrong checksum
        (True, None, b"\0" * 300_001, ["bytes=300001-", None]),  # answers 416
        (True, (416, {}), b"\0" * 9, ["bytes=9-", None]),
    ],
)
def test_partial_file_that_cannot_go_on_starts_again(server, fetch, part, ranges, fault, kept, asked):
    server.ranges, server.faults[BIG] = ranges, [fault]
    part.write_bytes(kept)
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == asked


@pytest.mark.parametrize("version", ["ETag", "Last-Modified", None])
@pytest.mark.parametrize("honours_if_range", [True, False])
def test_file_changed_on_the_server_between_two_runs(server, fetch, part, version, honours_if_range):
    server.version_header, server.honours_if_range = version, honours_if_range
    old, new = toy_files(), toy_files(seed=1)
    fetch(entry=ENTRY | {"tables": []})
    (fetch.folder / BIG).unlink()
    part.write_bytes(old[BIG][:200_000])
    if version:
        note(part, server, old[BIG])
    files = old | {path: new[path] for path in (BIG, "data/a.dat")}
    publish(server.root, files)
    server.forget()
    assert_whole(fetch.folder, fetch(), files=files)
    # A server that says that the file is another one sends it once; without a word, the checksum tells.
    n_useless = 0 if version and honours_if_range else 100_000
    assert server.requests_for(BIG) == ["bytes=200000-"] + [None] * (n_useless > 0)
    # If the server names another version but sends the rest all the same, the rest is not taken.
    assert fetch.waits == ([0] if version and not honours_if_range else [])
    assert N_BIG + n_useless * (version is None) <= server.sent[BIG] <= N_BIG + n_useless
    assert server.sent["data/a.dat"] == N_BIG
    assert set(server.sent) == {"SHA256SUMS.txt", "toy.csv", BIG, "data/a.dat"}


def test_file_changed_under_way(server, fetch):
    server.faults[BIG] = ["truncate"]
    files = toy_files() | {BIG: toy_files(seed=1)[BIG]}
    sums = (server.root / "SHA256SUMS.txt").read_text()

    def change(_):
        (server.root / BIG).write_bytes(files[BIG])

    (server.root / "SHA256SUMS.txt").write_text(sums.replace(sha256(toy_files()[BIG]), sha256(files[BIG])))
    assert_whole(fetch.folder, fetch(pause=change), files=files)
    assert server.sent[BIG] == 150_000 + N_BIG


def test_wrong_byte_once_is_fetched_again_from_zero(server, fetch):
    server.faults[BIG] = ["flip"]
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == [None, None]


def test_wrong_byte_always_is_an_error_and_leaves_nothing_behind(server, fetch):
    server.faults[BIG] = ["flip"] * 2
    right = sha256(toy_files()[BIG])
    with pytest.raises(InputError, match=rf"{ROOT}/{BIG}: sha256 is [0-9a-f]{{64}}, {right} is published; [^\n]*$"):
        fetch()
    assert not list((fetch.folder / "data").glob("b.dat*"))
    assert_none_half_written(fetch.folder)
    assert_whole(fetch.folder, fetch())


def test_truncated_bodies_are_continued(server, fetch):
    server.faults[BIG] = ["truncate"] * 3
    assert_whole(fetch.folder, fetch())
    assert starts_of(server) == [0, 150_000, 225_000, 262_500] and server.sent[BIG] == N_BIG
    assert fetch.waits == [1, 1, 2]  # a failure after which much has come is no series


def test_truncated_without_range_support_starts_again(server, fetch):
    server.ranges, server.faults[BIG] = False, ["truncate", "truncate"]
    assert_whole(fetch.folder, fetch())
    assert server.sent[BIG] == 2 * N_BIG // 2 + N_BIG


@pytest.mark.parametrize("path", ["SHA256SUMS.txt", "RECORDS", BIG])
@pytest.mark.parametrize("fault", [503, 500, 429, 408, "drop"])
def test_failures_that_pass_are_waited_for(server, fetch, path, fault):
    server.faults[path] = [fault] * 5
    assert_whole(fetch.folder, fetch())
    assert fetch.waits == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "30"}, {"Retry-After": "0"}])
def test_storm_of_hundreds_of_answers_passes(server, fetch, status, headers):
    server.storm = [(status, headers)] * 300
    assert_whole(fetch.folder, fetch(streams=8))
    assert server.storm == [] and len(server.requests) == 300 + 9
    assert sum(server.sent.values()) == sum(path.stat().st_size for path in fetch.folder.rglob("*") if path.is_file())
    if headers:
        assert set(fetch.waits) == {max(1.0, float(headers["Retry-After"]))}
    else:
        assert max(fetch.waits) <= 64


def test_busy_server_is_given_time_by_all_streams_at_once(server, fetch):
    files = [path for path in WANTED if path.endswith(".dat")]
    server.meet = dict.fromkeys(files, threading.Barrier(len(files)))  # all ask before the first is answered
    server.faults |= {path: [503] for path in files}
    waits = []

    def pause(seconds):
        waits.append(seconds)
        time.sleep(0.5)  # for the other streams to read their answers
        assert all(len(server.requests_for(path)) == 1 for path in files)

    assert_whole(fetch.folder, fetch(pause=pause))
    assert waits == [1]


def test_storm_that_does_not_pass_ends_within_two_hours(server, fetch):
    server.faults[BIG] = [503] * 1000
    with pytest.raises(InputError, match=rf"{BIG}: the server answers 503, after \d+ tries; .*run again"):
        fetch()
    assert 3000 < sum(fetch.waits) < 7200
    assert_none_half_written(fetch.folder)
    server.faults.clear()
    server.forget()
    assert_whole(fetch.folder, fetch())
    assert set(server.sent) <= {"SHA256SUMS.txt", BIG, *WANTED}


def test_broken_server_is_given_up_sooner(server, fetch):
    server.faults[BIG] = [500] * 1000
    with pytest.raises(InputError, match=rf"{BIG}: the server answers 500, after 6 tries; .*run again"):
        fetch()
    assert len(server.requests_for(BIG)) == 6 and fetch.waits == [1, 2, 4, 8, 16]


def test_retry_after_is_honoured_up_to_a_limit(server, fetch):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.faults["RECORDS"] = [(429, {"Retry-After": answer}) for answer in ["7", "100000", later]]
    fetch()
    assert fetch.waits[:2] == [7, 600] and 50 < fetch.waits[2] <= 100
    fetch.waits.clear()
    server.faults["SHA256SUMS.txt"] = [(503, {"Retry-After": "soon"})]
    fetch()
    assert fetch.waits == [1]


def test_unreachable_server(fetch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        port = other.server_address[1]
    with pytest.raises(
        InputError, match=rf"127.0.0.1:{port}/{ROOT}/SHA256SUMS.txt: ConnectionError .*check the network"
    ):
        fetch(mirror=f"http://127.0.0.1:{port}")
    assert len(fetch.waits) == 5


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answers 401: these files need an account, often a credentialed one"),
        (403, "answers 403: these files need an account, often a credentialed one"),
        (404, r"no such file \(404\); check `mirror`, and `path` and `version`"),
        (410, "answers 410, expected 200"),
        (416, "answers 416, expected 200"),
    ],
)
@pytest.mark.parametrize("path", ["SHA256SUMS.txt", BIG])
def test_refusals_name_the_address_and_are_not_repeated(server, fetch, path, status, message):
    server.faults[path] = [status]
    with pytest.raises(InputError, match=rf"^{server.url}/{ROOT}/{path}: .*{message}"):
        fetch()
    assert len(server.requests_for(path)) == 1 and fetch.waits == []


def test_first_error_ends_the_other_streams_and_keeps_what_they_have(server, fetch):
    server.faults["data/a.dat"], server.faults[BIG] = [(404, {})], ["trickle"]
    server.meet = {"data/a.dat": threading.Event()}
    part = fetch.folder / f"{BIG}.part"

    def answer_late():
        wait_until(lambda: part.exists() and part.stat().st_size >= 150_000)
        server.meet["data/a.dat"].set()

    helper = threading.Thread(target=answer_late)
    helper.start()
    with pytest.raises(InputError, match=r"data/a\.dat: no such file"):
        fetch(streams=2)
    helper.join()
    assert_none_half_written(fetch.folder)
    kept = part.stat().st_size
    assert 150_000 <= kept < 160_000  # the slow stream was not waited for
    server.forget()
    assert_whole(fetch.folder, fetch())
    assert server.requests_for(BIG) == [f"bytes={kept}-"]  # and so goes on where it had come to


def test_slow_loris_is_given_up_and_begun_anew(server, fetch, monkeypatch):
    monkeypatch.setattr("ecgtransfer.acquire.mirrors.SLOWEST_SECONDS", 0.3)
    server.faults[BIG] = ["trickle", "trickle"]
    assert_whole(fetch.folder, fetch())
    starts = starts_of(server)
    assert len(starts) == 3 and 150_000 < starts[1] < 151_000 and 225_000 < starts[2] < 226_000
    assert fetch.waits == [1, 1]


def test_silent_server_is_given_up_and_begun_anew(server, fetch, monkeypatch):
    monkeypatch.setattr("ecgtransfer.acquire.mirrors.TIMEOUT_SECONDS", (5.0, 0.3))
    server.faults[BIG] = ["stall"]
    assert_whole(fetch.folder, fetch())
    assert starts_of(server) == [0, 150_000]
