"""What may be in place of a file: a pointer to it, a page of a web server, the file compressed, or nothing."""

import os

from ecgtransfer.file_names import found_beside

_FIRST_BYTES = 1024
_TO_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # waits for no pipe
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b\x08"
_HTML = (b"<html", b"<!doctype html")
_XML = (b"<?xml", b"<error")


def placeholder(path: str) -> str:
    """Return what is in place of a regular file that turned out to be unreadable, as `placeholder_of` does."""
    try:
        try:
            descriptor = os.open(path, _TO_READ)
        except FileNotFoundError:
            descriptor = os.open(found_beside(path), _TO_READ)
        try:
            return placeholder_of(os.read(descriptor, _FIRST_BYTES))
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return ""


def placeholder_of(content: bytes) -> str:
    """Return what a file is instead of data, by its beginning, and what to do about it; nothing if it may be data.

    It is the end of a message that begins with the name of the file.
    """
    if not content:
        return "is empty; copy or download it again"
    if content.startswith(b"version https://git-lfs"):
        return "is a git-lfs pointer, not the file itself; fetch it with git lfs pull"
    if content.startswith(_GZIP):
        return "is compressed with gzip; unpack it"
    text = content[:_FIRST_BYTES].removeprefix(_BYTE_ORDER_MARK).lstrip().lower()
    if text.startswith(b"<") and any(mark in text for mark in _HTML):
        return "is an HTML page (a sign-in or error page in place of the file); download it again"
    if text.startswith(_XML):
        return "is XML (an error message of a server in place of the file?); download it again"
    return ""
