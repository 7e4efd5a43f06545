"""Bring files of a mirror into a folder and verify them: resumable, several at a time.

A file is gathered in ``<name>.part`` and moved into place once its checksum is the published one, so a file under its
own name is always whole. A killed download goes on where its ``.part`` ends.
"""

import hashlib
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ecgtransfer.acquire.archives import unpack, unpacked
from ecgtransfer.acquire.listings import Published
from ecgtransfer.acquire.mirrors import Mirror
from ecgtransfer.acquire.partial_files import forget, put_in_place
from ecgtransfer.acquire.progress import Progress
from ecgtransfer.acquire.space import full_disk_in_words, in_words, require_space
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of

SIZES_ASKED = 32
"""For files of each kind whose size no list states, the host is queried for the sizes of this many."""
CHUNK_BYTES = 1 << 20

logger = logging.getLogger(__name__)

T = TypeVar("T")


def bring(
    source: Mirror, files: Sequence[Published], archives: Collection[str], folder: Path, streams: int
) -> dict[str, str]:
    """Bring files into `folder` and return the SHA-256 of each by its path.

    Files that are there with the published checksum are not fetched again. Archives are unpacked; the SHA-256 of their
    members is returned in place of theirs, and they are not needed again as long as their members are whole.

    Parameters
    ----------
    source : Mirror
        Where the files come from.
    files : sequence of Published
        What is wanted.
    archives : collection of str
        Paths of those that are unpacked.
    folder : path
        Where they go.
    streams : int
        Files that are checked or fetched at a time.

    Raises
    ------
    InputError
        If there is too little room, if a file is not to be had, has the wrong checksum twice or cannot be unpacked.
        What has arrived by then is kept, and used by the next run.
    """
    listed = {file.path for file in files} if archives else set()
    checksums: dict[str, str] = {}
    there: set[str] = set()

    def keep(file: Published, sha256: str) -> None:
        _add(checksums, unpack(file, folder, listed) if file.path in archives else {file.path: sha256}, source)

    def check(file: Published) -> None:
        if file.path in archives and (members := unpacked(file, folder)):
            _add(checksums, members, source)
        elif sha256 := _sha256_if_whole(folder / file.path, file):
            keep(file, sha256)
        else:
            return
        there.add(file.path)

    def fetch(file: Published) -> None:
        keep(file, fetch_verified(source, file, folder))
        progress.file_is_done()

    with full_disk_in_words(folder):
        logger.info(f"{source.address('')}: checking which of {len(files)} files are in {folder}")
        _in_parallel(check, files, streams)
        missing = [file for file in files if file.path not in there]
        n_bytes = _announce(source, missing, len(files), archives, folder, streams)
        progress = Progress(source.address(""), len(missing), n_bytes, lambda: source.n_bytes)
        try:
            _in_parallel(fetch, missing, streams, progress.show, progress.interval_s, source.stop)
        finally:
            progress.close()
    return checksums


def fetch_verified(source: Mirror, file: Published, folder: Path) -> str:
    """Bring one file into `folder` in any case and return its SHA-256."""
    target = folder / file.path
    part = part_of(target)
    # What is left of an earlier run may be of another version, which is no fault of this one.
    for _ in range(3 if part.exists() else 2):
        sha256 = _sha256_if_whole(part, file)
        if sha256 is None:
            source.fetch(file.path, part, file.n_bytes)
            found, sha256 = _checksums_of(part, file.algorithm)
            if found != file.checksum:
                forget(part)
                continue
        put_in_place(part, target)
        return sha256
    raise InputError(
        f"{source.address(file.path)}: {file.algorithm} is {found}, {file.checksum} is published; the file there is "
        "damaged or of another version: run again later or set another `mirror`"
    )


def part_of(target: Path) -> Path:
    """Return where a file is gathered until it is verified; the folder is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return _part_name(target)


def _part_name(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _checksums_of(path: Path, algorithm: str) -> tuple[str, str]:
    """Return a file's checksum as published and its SHA-256."""
    if algorithm == "sha256":
        sha256 = sha256_of(path)
        return sha256, sha256
    published, sha256_digest = hashlib.new(algorithm, usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            published.update(chunk)
            sha256_digest.update(chunk)
    return published.hexdigest(), sha256_digest.hexdigest()


def _sha256_if_whole(path: Path, file: Published) -> str | None:
    """Return the SHA-256 of a file that is there as published, otherwise None."""
    if not path.is_file() or (file.n_bytes is not None and path.stat().st_size != file.n_bytes):
        return None
    found, sha256 = _checksums_of(path, file.algorithm)
    return sha256 if found == file.checksum else None


def _add(checksums: dict[str, str], more: Mapping[str, str], source: Mirror) -> None:
    """Add to `checksums`; two archives may hold the same file, but not two files of one name."""
    for path, sha256 in more.items():
        if checksums.setdefault(path, sha256) != sha256:
            raise InputError(f"{source.address('')}: two of the archives hold different files called {path!r}")


def _announce(
    source: Mirror,
    missing: Sequence[Published],
    n_files: int,
    archives: Collection[str],
    folder: Path,
    streams: int,
) -> float | None:
    """Log what will be fetched, check that there is room, and return how many bytes will come, if that is known."""
    if not missing:
        logger.info(f"{source.address('')}: all {n_files} files are in {folder}, none is fetched")
        return None
    packed = [file for file in missing if file.path in archives]
    n_all, is_exact = _total_bytes(source, missing, streams)
    n_packed, _ = _total_bytes(source, packed, streams)
    there = sum(part.stat().st_size for file in missing if (part := _part_name(folder / file.path)).exists())
    what = f"{source.address('')}: {len(missing)} of {n_files} files are to be fetched"
    if n_all is None or n_packed is None:
        logger.info(f"{what}; this host does not report their sizes, so disk space cannot be checked beforehand")
        return None
    about = "" if is_exact and not packed else "about "
    n_bytes = max(n_all - there, 0)
    logger.info(f"{what}, {about}{in_words(n_bytes)}")
    # Members need about as much again as their archive, often more; each is checked when its size is known.
    purpose = f"for the {len(missing)} files to fetch" + (" and to unpack" if packed else "")
    require_space(n_bytes + n_packed, folder, purpose, about)
    return n_bytes


def _total_bytes(source: Mirror, files: Sequence[Published], streams: int) -> tuple[float | None, bool]:
    """Return how many bytes files have, None if that is not to be had, and whether it is exact, not an estimate.

    Where no list states the sizes, the host is queried for some files of each kind, spread over all.
    """
    total = float(sum(file.n_bytes for file in files if file.n_bytes is not None))
    kinds = defaultdict(list)
    for file in files:
        if file.n_bytes is None:
            kinds[PurePosixPath(file.path).suffix].append(file.path)
    is_exact = True
    with ThreadPoolExecutor(streams) as pool:
        for paths in kinds.values():
            asked = [paths[number * len(paths) // SIZES_ASKED] for number in range(min(SIZES_ASKED, len(paths)))]
            asked = paths if len(paths) <= SIZES_ASKED else asked
            sizes = [size for size in pool.map(source.size, asked) if size is not None]
            if not sizes:
                return None, False
            total += sum(sizes) / len(sizes) * len(paths)
            is_exact = is_exact and len(sizes) == len(paths)
    return total, is_exact


def _in_parallel(
    work: Callable[[T], None],
    items: Iterable[T],
    n_threads: int,
    tick: Callable[[], None] = lambda: None,
    interval_s: float | None = None,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Do the work for each item on several threads; the first error ends it, and `stop` is called.

    `tick` is called every `interval_s` seconds. Nothing is kept per item, so there may be millions.
    """
    todo, lock, ended = iter(items), threading.Lock(), threading.Event()

    def work_on() -> None:
        while not ended.is_set():
            with lock:
                try:
                    item = next(todo)
                except StopIteration:
                    return
            work(item)

    pool = ThreadPoolExecutor(n_threads)
    try:
        pending = {pool.submit(work_on) for _ in range(n_threads)}
        while pending:
            done, pending = wait(pending, interval_s, FIRST_EXCEPTION)
            tick()
            for future in done:
                future.result()
    except BaseException:
        ended.set()
        stop()
        raise
    finally:
        pool.shutdown()
