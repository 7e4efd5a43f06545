"""Archives that hold records: unpacked once, whole, and remembered.

A member gets its own name when all its bytes are there and the archive's own check of it has passed. What was unpacked
is noted next to the archive with the archive's checksum, so that neither is needed again as long as the members are
unchanged.
"""

import errno
import gzip
import hashlib
import json
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ecgtransfer.acquire.listings import Published
from ecgtransfer.acquire.manifest import safe_path
from ecgtransfer.acquire.space import require_space
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of, write_json

NOTE_SUFFIX = ".unpacked.json"
CHUNK_BYTES = 1 << 20
ZIP_BEGINS = b"PK\x03\x04"
_UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, EOFError, ValueError)
_UNKNOWN = (NotImplementedError, RuntimeError)
"""What the standard library raises for a damaged archive, and for an encrypted one or one of an unknown method."""
_NO_NAME = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def unpacked(archive: Published, folder: Path) -> dict[str, str] | None:
    """Return ``{path: sha256}`` of an archive's members if all are there unchanged, otherwise None."""
    try:
        note = json.loads((folder / (archive.path + NOTE_SUFFIX)).read_text(encoding="utf-8"))
        members: dict[str, str] = note["members"]
        if note[archive.algorithm] != archive.checksum:
            return None
        is_whole = all(sha256_of(folder / safe_path(path, "")) == sha256 for path, sha256 in members.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return None
    return members if is_whole else None


def unpack(archive: Published, folder: Path, listed: Container[str] = ()) -> dict[str, str]:
    """Unpack the members next to the archive, note them, remove the archive, return ``{path: sha256}``.

    Parameters
    ----------
    archive : Published
        The archive, which lies whole under `folder`.
    folder : path
        The data set's folder.
    listed : container of str
        Paths that the publisher offers as files of their own: members of that name are left out.

    Raises
    ------
    InputError
        If a member's path leaves the folder, if a member is no plain file, if the archive is damaged, encrypted or of
        another kind, or if there is no room for a member. Members that are whole by then keep their names, but the
        note is only written when all are.
    """
    file = folder / archive.path
    members: dict[str, str] = {}
    try:
        for name, content, size in _contents(file):
            path = str(PurePosixPath(archive.path).parent / safe_path(name, str(file)))
            if path in listed:
                continue
            if path in members:
                raise InputError(f"{file}: holds {name!r} twice; do not trust this archive")
            require_space(size, folder, f"to unpack {name} of {file.name}")
            # Named after the archive, too: another one with such a member may be unpacked at the same time.
            part = folder / f"{path}.{file.name}.part"
            with _names_that_fit(file, name):
                members[path] = _write(content, size, part)
                part.replace(folder / path)
    except (*_UNREADABLE, *_UNKNOWN) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InputError(
            f"{file}: is as published but cannot be unpacked ({reason}); check that `archives` names zip or tar files"
        ) from error
    write_json({archive.algorithm: archive.checksum, "members": members}, folder / (archive.path + NOTE_SUFFIX))
    file.unlink()
    return members


def _contents(file: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    """Yield name, content and size of each file in an archive."""
    with file.open("rb") as opened:
        is_zip = opened.read(len(ZIP_BEGINS)) == ZIP_BEGINS
    return _in_zip(file) if is_zip else _in_tar(file)


def _in_zip(file: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                _refuse_unless(stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG), file, info.filename)
                with archive.open(info) as content:
                    yield info.filename, content, info.file_size


def _in_tar(file: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    with tarfile.open(file, "r:*") as archive:
        for member in archive:
            if not member.isdir():
                _refuse_unless(member.isreg(), file, member.name)
                content = archive.extractfile(member)
                assert content is not None  # of a plain file
                with content:
                    yield member.name, content, member.size


def _refuse_unless(is_plain: bool, file: Path, name: str) -> None:
    if not is_plain:
        raise InputError(f"{file}: member {name!r} is a link or a device, expected plain files; do not trust it")


@contextmanager
def _names_that_fit(file: Path, name: str) -> Iterator[None]:
    """Refuse a member that no folder can hold: one of too long a name, or whose name is that of a folder, too."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_NAME:
            raise
        raise InputError(
            f"{file}: member {name[:60]!r} cannot be unpacked ({error.strerror}); do not trust this archive"
        ) from error


def _write(content: IO[bytes], size: int, part: Path) -> str:
    """Write a member to `part` and return its SHA-256."""
    part.parent.mkdir(parents=True, exist_ok=True)
    digest, written = hashlib.sha256(), 0
    with part.open("wb") as file:
        while chunk := content.read(CHUNK_BYTES):
            written += file.write(chunk)
            digest.update(chunk)
    if written != size:
        raise EOFError(f"{part.name} has {written} bytes, the archive says {size}")
    return digest.hexdigest()
