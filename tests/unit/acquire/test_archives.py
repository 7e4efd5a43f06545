"""Archives of records: unpacked whole and once, and what is refused."""

import hashlib
import io
import os
import shutil
import stat
import tarfile
import zipfile

import pytest

from ecgtransfer.acquire.archives import unpack, unpacked
from ecgtransfer.acquire.listings import Published
from ecgtransfer.errors import InputError

FILES = {"records/a.h5": os.urandom(3_000_000), "records/ü b.h5": b"", "table.csv": b"id\n"}
CHECKSUMS = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("records")
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo("./records")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


WRITERS = {
    "a.zip": write_zip,
    "a.tar": lambda path, files: write_tar(path, files, "w"),
    "a.tar.gz": write_tar,
    "a.tar.xz": lambda path, files: write_tar(path, files, "w:xz"),
}


def published(folder, name):
    return Published(name, hashlib.md5((folder / name).read_bytes()).hexdigest(), "md5")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("below", ["", "deep/er/"])
def test_unpacked_whole_and_remembered(tmp_path, name, below):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    WRITERS[name](tmp_path / below / name, {f"./{path}": content for path, content in FILES.items()})
    archive = published(tmp_path, below + name)
    assert unpacked(archive, tmp_path) is None
    expected = {below + path: checksum for path, checksum in CHECKSUMS.items()}
    assert unpack(archive, tmp_path) == expected
    for path, content in FILES.items():
        assert (tmp_path / below / path).read_bytes() == content
    assert not (tmp_path / below / name).exists()
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {*expected, f"{below}{name}.unpacked.json"}
    # The note is valid as long as the archive is the same and its members are whole.
    assert unpacked(archive, tmp_path) == expected
    assert unpacked(Published(archive.path, "0" * 32, "md5"), tmp_path) is None
    damaged = tmp_path / below / "records/a.h5"
    damaged.write_bytes(FILES["records/a.h5"][:-1])
    assert unpacked(archive, tmp_path) is None
    damaged.unlink()
    assert unpacked(archive, tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"md5": 1, "members": []}', '{"members": {"../x": "0"}}', "\xff"])
def test_damaged_note_is_no_note(tmp_path, text):
    write_zip(tmp_path / "a.zip", FILES)
    archive = published(tmp_path, "a.zip")
    (tmp_path / "a.zip.unpacked.json").write_text(text, encoding="latin-1")
    assert unpacked(archive, tmp_path) is None
    assert unpack(archive, tmp_path) == CHECKSUMS == unpacked(archive, tmp_path)


@pytest.mark.parametrize("member", ["../escape", "/tmp/escape", "a/../../escape", "a/./b", "..\\escape"])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_members_that_would_leave_the_folder_are_refused(tmp_path, member, write):
    folder = tmp_path / "inside"
    folder.mkdir()
    write(folder / "a", {"records/a.h5": b"a", member: b"b"})
    with pytest.raises(InputError, match="leaves its folder"):
        unpack(published(folder, "a"), folder)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a", "a.h5"}
    assert unpacked(published(folder, "a"), folder) is None


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InputError, match="member 'link' is a link or a device, expected plain files"):
        unpack(published(tmp_path, "a.tar"), tmp_path)
    assert not (tmp_path / "link").exists()


def test_link_in_a_zip_and_member_that_comes_twice_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="member 'link' is a link"):
        unpack(published(tmp_path, "a.zip"), tmp_path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("x", "1")
        archive.writestr("x", "2")
    with pytest.raises(InputError, match="holds 'x' twice"):
        unpack(published(tmp_path, "b.zip"), tmp_path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [*((name, damage) for name in WRITERS for damage in ("cut", "other")), ("a.zip", "byte")],
)
def test_damaged_archive_is_one_clear_line_and_nothing_half_written(tmp_path, name, damage):
    files = {"records/a.h5": FILES["records/a.h5"], "table.csv": b"id\n"}
    WRITERS[name](tmp_path / name, files)
    content = bytearray((tmp_path / name).read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "byte":
        content[len(content) // 2] ^= 1
    else:
        content = b"<html>not found</html>" * 100
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^{tmp_path / name}: is as published but cannot be unpacked \([^\n]*$"):
        unpack(published(tmp_path, name), tmp_path)
    for path, whole in files.items():
        assert not (tmp_path / path).exists() or (tmp_path / path).read_bytes() == whole
    assert not (tmp_path / f"{name}.unpacked.json").exists()


def test_encrypted_zip_is_one_clear_line(tmp_path):
    write_zip(tmp_path / "a.zip", {"x": b"1"})
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        begin = content.rindex(signature)
        content[begin + place] |= 1  # the flag that says so
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be unpacked \(File .* is encrypted"):
        unpack(published(tmp_path, "a.zip"), tmp_path)


def test_room_for_each_member_is_checked_before_it_is_written(tmp_path, monkeypatch):
    write_zip(tmp_path / "a.zip", FILES)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2_999_999))
    with pytest.raises(InputError, match=r"3\.0 MB are needed to unpack records/a\.h5 of a\.zip, 3\.0 MB are free"):
        unpack(published(tmp_path, "a.zip"), tmp_path)
    assert not list(tmp_path.rglob("*.h5"))
    monkeypatch.undo()
    assert unpack(published(tmp_path, "a.zip"), tmp_path) == CHECKSUMS


def test_members_that_are_published_as_files_are_left_out(tmp_path):
    write_tar(tmp_path / "a.tar", FILES)
    assert "table.csv" not in unpack(published(tmp_path, "a.tar"), tmp_path, listed={"table.csv"})
    assert not (tmp_path / "table.csv").exists()


@pytest.mark.parametrize("members", [["x" * 300], ["a", "a/b"], ["a/b", "a"], ["deep/" + "x" * 300 + "/a"]])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_member_that_no_folder_can_hold_is_refused(tmp_path, members, write):
    write(tmp_path / "data.zip", dict.fromkeys(members, b"a"))
    with pytest.raises(
        InputError, match=r"data\.zip: member '.*' cannot be unpacked \(.*\); do not trust this archive$"
    ):
        unpack(published(tmp_path, "data.zip"), tmp_path)
    assert unpacked(published(tmp_path, "data.zip"), tmp_path) is None
