"""What a host other than PhysioNet publishes: the file lists of Zenodo and figshare.

Nothing here touches the network or the disk: texts come in, files come out.

An entry of ``config/datasets.yaml`` states with these keys where a data set is and what is fetched from it:

``host``
    Web server that holds it, ``https://zenodo.org`` or ``https://api.figshare.com``. Absent: config key `mirror`.
``path``
    Where it is below the host. PhysioNet: ``files/<slug>/<version>``. Zenodo: ``api/records/<id>``.
    figshare: ``v2/articles/<id>``, or ``v2/collections/<id>`` for all files of all its articles.
``listing``
    ``zenodo`` or ``figshare``: the host's own JSON list names files, sizes and MD5 checksums; files are known by the
    names in it, without folders. Absent: ``SHA256SUMS.txt`` and ``RECORDS``.
``tables``
    Files that must be there, by their path; after unpacking, where `archives` hold them.
``folders``, ``suffixes``
    Which other files make up the records: those below one of `folders` (``.`` is all) with one of `suffixes`.
    Without `archives` these are fetched; with `archives` these are the members that enter the manifest.
``archives``
    Patterns (``exams_part*.zip``) of zip and tar files (compressed or not) that are fetched. All their members are
    unpacked next to the archive, under the paths that they have in it, and the archive is removed.
``records_per_part``
    About how many records an archive, or without archives a file with the first of `suffixes`, holds. A `limit` then
    takes the first parts that cover it, in the order of their numbers (part 2 before part 10). Absent: one record per
    file, and all archives.

The config key `mirrors` gives one data set the address of a copy: of the very folder that holds its ``SHA256SUMS.txt``
(`path` is not added). A copy lists its files there, whatever `listing` says, and may hold the members of the archives
in place of the archives.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from string import hexdigits
from typing import Any
from urllib.parse import urlsplit

from ecgtransfer.acquire.manifest import safe_path
from ecgtransfer.errors import InputError

_PAGE = "?page_size=1000"
"""The most that figshare gives at once."""


@dataclass(frozen=True, slots=True)
class Published:
    """A file, as its publisher describes it.

    Attributes
    ----------
    path : str
        Relative path below the data set's folder.
    checksum : str
        Lower-case hexadecimal digits.
    algorithm : str
        What the checksum is: ``sha256`` or ``md5``.
    n_bytes : int or None
        Its size, where the list states it.
    url : str or None
        Where it is fetched from, if not from `path` below the data set's address.
    """

    path: str
    checksum: str
    algorithm: str = "sha256"
    n_bytes: int | None = None
    url: str | None = None


Read = Callable[[str], str]
"""Returns the text behind an address that is given without the host."""


def read_zenodo(path: str, read: Read) -> dict[str, Published]:
    """Return the files of a Zenodo record by their path, given the record's path below the host.

    Source: https://developers.zenodo.org, records.

    Raises
    ------
    InputError
        If what the host answers is no such record, lists no file, or lists one without name, size, checksum or address.
    """
    record = _parse(path, read)
    files = record.get("files") if isinstance(record, dict) else None
    return _index(path, files, _of_zenodo)


def read_figshare(path: str, read: Read) -> dict[str, Published]:
    """Return the files of a figshare article, or of all articles of a collection, by their path; as `read_zenodo`.

    Source: https://docs.figshare.com, public articles and collections.
    """
    if "/collections/" not in f"/{path}":
        return _index(path, _parse(f"{path}/files{_PAGE}", read), _of_figshare)
    articles = _parse(f"{path}/articles{_PAGE}", read)
    if not (isinstance(articles, list) and all(isinstance(article, dict) for article in articles)):
        raise InputError(f"{path}: expected a list of articles; check `listing` and `path`")
    below = path.partition("collections/")[0] + "articles"
    lists = [_parse(f"{below}/{article.get('id')}/files{_PAGE}", read) for article in articles]
    files = [file for listed in lists for file in (listed if isinstance(listed, list) else [listed])]
    return _index(path, files, _of_figshare)


READERS = {"zenodo": read_zenodo, "figshare": read_figshare}


def _of_zenodo(file: Any) -> Published:
    algorithm, _, checksum = file["checksum"].partition(":")
    return Published(file["key"], checksum.lower(), algorithm, file["size"], file["links"]["self"])


def _of_figshare(file: Any) -> Published:
    return Published(file["name"], file["computed_md5"].lower(), "md5", file["size"], file["download_url"])


def _index(path: str, files: Any, published: Callable[[Any], Published]) -> dict[str, Published]:
    """Return the files of a list by their path, each checked; those that only link elsewhere are left out."""
    if not isinstance(files, list) or not files:
        raise InputError(f"{path}: the list names no file; check `path`, and whether the files are public")
    index = {}
    for number, listed in enumerate(files, start=1):
        if isinstance(listed, dict) and listed.get("is_link_only"):
            continue
        try:
            file = published(listed)
            good = _is_whole(file)
        except (KeyError, TypeError, AttributeError, ValueError):
            good = False
        if not good:
            found = json.dumps(listed)[:100]
            raise InputError(
                f"{path}: file {number} of the list lacks a name, a size, a checksum or an address, found {found}; "
                "check `listing` and `path`"
            )
        relative = safe_path(file.path, path)
        if relative in index:
            raise InputError(f"{path}: two files of the list are called {relative!r}; take a `path` that has one")
        index[relative] = file
    return index


def _is_whole(file: Published) -> bool:
    digits = {"md5": 32, "sha256": 64}.get(file.algorithm)
    has_checksum = len(file.checksum) == digits and set(file.checksum) <= set(hexdigits)
    has_size = isinstance(file.n_bytes, int) and file.n_bytes >= 0
    has_name = isinstance(file.path, str) and file.path != ""
    return has_checksum and has_size and has_name and urlsplit(file.url).scheme in ("http", "https")


def _parse(address: str, read: Read) -> Any:
    try:
        return json.loads(read(address))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{address}: expected a list of files as JSON ({error}); check `listing`, `path`") from error
