"""The file lists of Zenodo and figshare, and downloads from servers that answer like them."""

import hashlib
import io
import json
import logging
import tarfile
import zipfile

import pytest
from file_server import Client, serving, sha256

from ecgtransfer.acquire.download import download
from ecgtransfer.acquire.listings import Published, read_figshare, read_zenodo
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of

MD5 = "0123456789abcdef" * 2


def zenodo_file(name="a.csv", checksum=f"md5:{MD5}", size=3, url="https://zenodo.org/a"):
    return {"key": name, "checksum": checksum, "size": size, "links": {"self": url}}


def figshare_file(name="a.csv", md5=MD5, size=3, url="https://ndownloader.figshare.com/files/1", **more):
    return {"id": 1, "name": name, "computed_md5": md5, "size": size, "download_url": url} | more


class Answers:
    """What a host answers, by address; remembers what was asked."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def __call__(self, address):
        self.asked.append(address)
        return json.dumps(self.answers[address])


def test_zenodo_record():
    files = read_zenodo("api/records/7", Answers(**{"api/records/7": {"id": 7, "files": [zenodo_file()]}}))
    assert files == {"a.csv": Published("a.csv", MD5, "md5", 3, "https://zenodo.org/a")}


def test_figshare_article_and_collection():
    article = "v2/articles/5/files?page_size=1000"
    expected = Published("a.csv", MD5, "md5", 3, "https://ndownloader.figshare.com/files/1")
    assert read_figshare("v2/articles/5", Answers(**{article: [figshare_file()]})) == {"a.csv": expected}
    linked = figshare_file("elsewhere", md5="", is_link_only=True)
    answers = Answers(**{
        "v2/collections/9/articles?page_size=1000": [{"id": 5}, {"id": 6}],
        article: [figshare_file()],
        "v2/articles/6/files?page_size=1000": [figshare_file("b.tar"), linked],
    })  # fmt: skip
    assert set(read_figshare("v2/collections/9", answers)) == {"a.csv", "b.tar"}


@pytest.mark.parametrize(
    "file",
    [
        {},
        None,
        "a.csv",
        zenodo_file(checksum=MD5),
        zenodo_file(checksum="md5:"),
        zenodo_file(checksum=f"md5:{MD5[1:]}g"),
        zenodo_file(checksum=f"sha1:{MD5}"),
        zenodo_file(checksum=None),
        zenodo_file(size=None),
        zenodo_file(size=-1),
        zenodo_file(url="file:///etc/passwd"),
        zenodo_file(url=None),
        zenodo_file(name=""),
        zenodo_file(name=7),
    ],
)
def test_files_that_lack_something_are_refused_by_number(file):
    with pytest.raises(InputError, match=r"^api/records/7: file 2 of the list lacks a name, a size, a checksum or"):
        read_zenodo("api/records/7", lambda _: json.dumps({"files": [zenodo_file(), file]}))


@pytest.mark.parametrize("text", ["<html>", "{}", "[]", '{"files": []}', '{"files": 3}', "null"])
def test_answers_that_are_no_list(text):
    with pytest.raises(InputError, match=r"^api/records/7: (the list names no file|expected a list of files as JSON)"):
        read_zenodo("api/records/7", lambda _: text)
    for path in ("v2/articles/7", "v2/collections/7"):
        with pytest.raises(InputError, match=rf"^{path}"):
            read_figshare(path, lambda _: text)


def test_unsafe_names_and_two_of_one_name_are_refused():
    with pytest.raises(InputError, match="leaves its folder"):
        read_zenodo("x", lambda _: json.dumps({"files": [zenodo_file("../a")]}))
    with pytest.raises(InputError, match=r"two files of the list are called 'a\.csv'"):
        read_zenodo("x", lambda _: json.dumps({"files": [zenodo_file(), zenodo_file()]}))


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def part_of_code(number):
    return bytes([number]) * 50_000


CODE_15 = {
    "path": "api/records/4916206",
    "listing": "zenodo",
    "folders": ["."],
    "suffixes": [".hdf5"],
    "tables": ["exams.csv"],
    "archives": ["exams_part*.zip"],
    "records_per_part": 20_000,
}
EXAMS = b"exam_id\n1\n"
N_PARTS = 12


def publish_on_zenodo(server, files):
    """Lay files out as Zenodo does: a record, and the content of each file behind an address of its own."""
    listed = []
    for number, (name, content) in enumerate(files.items()):
        address = f"api/records/4916206/files/{number}/content"
        target = server.folder / address
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        listed.append(zenodo_file(name, checksum, len(content), f"{server.url}/{address}"))
    record = server.folder / "api/records/4916206"
    (record.parent / "record.json").write_text(json.dumps({"files": listed}))
    server.aliases["api/records/4916206"] = "api/records/record.json"


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path / "web") as server:
        archives = {f"exams_part{number}.zip": zipped({f"exams_part{number}.hdf5": part_of_code(number)})
                    for number in range(N_PARTS)}  # fmt: skip
        publish_on_zenodo(server, {"exams.csv": EXAMS, "LICENSE": b"CC BY", **archives})
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    client = Client(server, tmp_path / "data")
    return lambda limit=None, **changes: client(limit, CODE_15 | {"host": server.url} | changes, "http://127.0.0.1:9")


def fetched(server):
    return {path for path, _ in server.requests if "/files/" in path}


def test_parts_that_cover_the_limit_are_fetched_verified_and_unpacked(server, fetch, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        table = fetch(limit=40_001)
    folder = tmp_path / "data"
    assert list(table["path"]) == ["exams.csv", "exams_part0.hdf5", "exams_part1.hdf5", "exams_part2.hdf5"]
    assert list(table["sha256"]) == [sha256(EXAMS), *(sha256(part_of_code(number)) for number in range(3))]
    assert list(table["bytes"]) == [len(EXAMS), 50_000, 50_000, 50_000]
    for path, checksum in zip(table["path"], table["sha256"], strict=True):
        assert sha256_of(folder / path) == checksum
    assert not list(folder.glob("*.zip")) and not list(folder.glob("*.part"))  # the archives are not kept
    assert len(fetched(server)) == 4 and server.n_sizes_asked == 0
    assert "4 of 4 files are to be fetched, about " in caplog.text
    # Nothing comes twice: not the same again, and of more only what is new.
    server.forget()
    assert fetch(limit=40_001).equals(table) and fetched(server) == set()
    assert len(fetch(limit=80_000)) == 5 and len(fetched(server)) == 1


def test_damaged_member_brings_its_archive_again(server, fetch, tmp_path):
    table = fetch(limit=40_000)
    (tmp_path / "data/exams_part1.hdf5").write_bytes(b"damaged")
    server.forget()
    assert fetch(limit=40_000).equals(table)
    assert fetched(server) == {"api/records/4916206/files/3/content"}


def test_killed_between_fetching_and_unpacking(server, fetch, tmp_path):
    (tmp_path / "data").mkdir()
    whole = (server.folder / "api/records/4916206/files/2/content").read_bytes()
    (tmp_path / "data/exams_part0.zip").write_bytes(whole)
    (tmp_path / "data/exams_part0.hdf5.exams_part0.zip.part").write_bytes(b"half of it")
    assert list(fetch(limit=1)["path"]) == ["exams.csv", "exams_part0.hdf5"]
    assert fetched(server) == {"api/records/4916206/files/0/content"}
    assert not list((tmp_path / "data").glob("*.part"))


def test_wrong_md5_is_refused(server, fetch):
    content = server.folder / "api/records/4916206/files/0/content"
    content.write_bytes(EXAMS[:-1] + b"!")
    with pytest.raises(InputError, match=r"/files/0/content: md5 is [0-9a-f]{32}, [0-9a-f]{32} is published; "):
        fetch(limit=1)


def test_changed_archive_is_fetched_and_unpacked_again(server, fetch):
    fetch(limit=1)
    files = {"exams.csv": EXAMS, "exams_part0.zip": zipped({"exams_part0.hdf5": b"new"})}
    publish_on_zenodo(server, files)
    table = fetch(limit=1)
    assert list(table["sha256"]) == [sha256(EXAMS), sha256(b"new")]


def test_table_in_an_archive_and_members_that_are_not_wanted(server, fetch, tmp_path):
    inside = {"data/a.hdf5": b"a", "data/README": b"r", "data/t.csv": b"t", "more/b.hdf5": b"b", "exams.csv": b"old"}
    publish_on_zenodo(server, {"exams.csv": EXAMS, "data.zip": zipped(inside)})
    entry = {"archives": ["data.zip"], "folders": ["data"], "tables": ["data/t.csv", "exams.csv"]}
    assert list(fetch(**entry)["path"]) == ["data/a.hdf5", "data/t.csv", "exams.csv"]
    assert (tmp_path / "data/exams.csv").read_bytes() == EXAMS  # the file that is published as such
    with pytest.raises(InputError, match=r"table 'no\.csv' is neither listed there nor in data\.zip; check `tables`"):
        fetch(**entry | {"tables": ["no.csv"]})
    with pytest.raises(InputError, match=r"no member of data\.zip under data is one of \.h5; check `folders`"):
        fetch(**entry | {"suffixes": [".h5"]})


def test_two_archives_that_disagree(server, fetch):
    archives = {f"exams_part{number}.zip": zipped({"x.hdf5": bytes([number])}) for number in range(2)}
    publish_on_zenodo(server, {"exams.csv": EXAMS, **archives})
    with pytest.raises(InputError, match=r"two of the archives hold different files called 'x\.hdf5'"):
        fetch()


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:xz"])  # the records.tar.gz of SPH is not compressed
def test_copy_with_archives_or_their_members(tmp_path, mode):
    records = {f"records/A{number:05d}.h5": bytes([number]) for number in range(20)}
    copy, metadata = tmp_path / "copy", b"ECG_ID\n"
    entry = {"path": "v2/collections/1", "listing": "figshare", "host": "http://127.0.0.1:9", "folders": ["records"]}
    entry |= {"suffixes": [".h5"], "tables": ["metadata.csv"], "archives": ["records.tar*"]}
    tables = []
    for files in ({"records.tar.gz": tarred(records, mode)}, records):
        files = files | {"metadata.csv": metadata}
        for name, content in files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(content)
        sums = "".join(f"{sha256(content)} {name}\n" for name, content in files.items())
        (copy / "SHA256SUMS.txt").write_text(sums)
        folder = tmp_path / f"data{len(tables)}"
        tables.append(download(entry, "http://127.0.0.1:9", folder, None, copy=copy.as_uri()))
    assert tables[0].equals(tables[1])
    assert list(tables[0]["path"]) == ["metadata.csv", *records]
    assert list(tables[0]["sha256"]) == [sha256(metadata), *(sha256(content) for content in records.values())]
    table = download(entry, "http://127.0.0.1:9", tmp_path / "data2", 3, copy=copy.as_uri())
    assert list(table["path"]) == ["metadata.csv", *list(records)[:3]]
