"""SHA-256 of files, remembered for large ones, so that checking a finished study reads little."""

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of, written_whole
from ecgtransfer.system_errors import in_words, stop_if_it_may_pass

MEMORY = Path(".snakemake", "digests")
"""Where runs remember, in the folder of the workflow."""

SMALL_BYTES = 1_000_000
"""Files up to this size are always read."""


class Digests:
    """Digests of files in their current state.

    What was read of a large file is remembered with its size, times and inode, and holds for as long as these do. The
    memory belongs to one machine and can be deleted at any time.

    Parameters
    ----------
    memory
        Folder for what is remembered; None reads every byte each time.
    """

    def __init__(self, memory: Path | None) -> None:
        self.memory = memory

    def of(self, path: str | os.PathLike[str]) -> str | None:
        """Return a file's SHA-256 as 64 hexadecimal digits, or None if there is no such file."""
        try:
            if not Path(path).is_file():
                return None
            if Path(path).stat().st_size <= SMALL_BYTES:
                return sha256_of(path)
            stamp = _stamp(path)
            known = self._recall(path)
            if known is not None and known[0] == stamp:
                return known[1]
            sha256 = sha256_of(path)
            self._keep(path, stamp, sha256)
        except FileNotFoundError:
            return None
        except OSError as error:
            stop_if_it_may_pass(error, path)
            line = in_words(error, path)
            raise InputError(line or f"{path}: cannot be read ({error.strerror}); check what is there") from error
        return sha256

    def redate(self, path: str | os.PathLike[str], mtime_ns: int) -> None:
        """Give a file another time of change; what is remembered of it still holds."""
        known = self._recall(path)
        holds = known is not None and known[0] == _stamp(path)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        if known is not None and holds:
            self._keep(path, _stamp(path), known[1])

    def first_unlike(self, manifest: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str | None:
        """Return the first file that is not as its manifest says, or None.

        Parameters
        ----------
        manifest
            A table ``path, bytes, sha256``; a file without checksum was missing, and must still be.
        folder
            What the paths are relative to.
        """
        listed = list(_listed(manifest))
        stamp = _stamp_of_all(listed, Path(folder), sha256_of(manifest))
        files = f"{manifest} and its files"
        if self._recall(files) == (stamp, ""):
            return None
        with ThreadPoolExecutor() as pool:
            unlike = pool.map(lambda row: _is_unlike(Path(folder, row[0]), row[1]), listed)
            for (path, _), is_unlike in zip(listed, unlike, strict=True):
                if is_unlike:
                    pool.shutdown(wait=False, cancel_futures=True)
                    return path
        self._keep(files, stamp, "")
        return None

    def _place(self, path: str | os.PathLike[str]) -> Path | None:
        name = hashlib.sha256(str(Path(path).absolute()).encode(errors="surrogateescape")).hexdigest()
        return self.memory and self.memory / name

    def _recall(self, path: str | os.PathLike[str]) -> tuple[str, str] | None:
        """Return the stamp of a file and its digest when it was read, if that is remembered."""
        place = self._place(path)
        try:
            stamp, sha256, checksum = (place.read_text(encoding="utf-8") if place else "").splitlines()
        except (OSError, ValueError):
            return None
        return (stamp, sha256) if checksum == _checksum(stamp, sha256) else None

    def _keep(self, path: str | os.PathLike[str], stamp: str, sha256: str) -> None:
        place = self._place(path)
        if place:
            with written_whole(place) as temporary:
                temporary.write_text("\n".join((stamp, sha256, _checksum(stamp, sha256))), encoding="utf-8")


def _checksum(stamp: str, sha256: str) -> str:
    return hashlib.sha256(f"{stamp} {sha256}".encode()).hexdigest()


def _stamp(path: str | os.PathLike[str]) -> str:
    """Return what changes whenever a file does. Its time of change alone does not: `touch` and `rsync` set it."""
    found = Path(path).stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _stamp_of_all(listed: Iterable[tuple[str, str]], folder: Path, sha256_of_manifest: str) -> str:
    digest = hashlib.sha256(sha256_of_manifest.encode())
    for path, _ in listed:
        try:
            digest.update(_stamp(folder / path).encode())
        except OSError:
            digest.update(b"missing")
    return digest.hexdigest()


def _listed(manifest: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    with Path(manifest).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for path, _, sha256 in rows:
            yield path, sha256


def _is_unlike(path: Path, sha256: str) -> bool:
    try:
        return (sha256_of(path) if path.is_file() else "") != sha256
    except OSError as error:
        stop_if_it_may_pass(error, path)
        return sha256 != ""
