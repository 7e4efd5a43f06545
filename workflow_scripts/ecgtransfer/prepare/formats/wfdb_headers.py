"""WFDB headers: rate, length, leads and comments of a recording, checked before anyone relies on them.

Unlike the ``wfdb`` package, a record name that carries its file's suffix is accepted, as many Georgia headers write it.
Headers of one data set repeat the same few formats, gains and names, so what is made of a signal line is remembered.

Source: WFDB header specification, header(5), https://physionet.org/physiotools/wag/header-5.htm
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ecgtransfer.errors import InputError
from ecgtransfer.file_names import found_beside, is_file
from ecgtransfer.placeholders import placeholder_of
from ecgtransfer.prepare.formats.regular_files import open_regular, stays_within
from ecgtransfer.system_errors import stop_if_it_may_pass

DEFAULT_GAIN = 200.0
"""ADC units per physical unit where a header gives none or 0 (WFDB specification)."""

SLOWEST_HZ, FASTEST_HZ = 20.0, 50_000.0
"""Sampling rates of ECGs are in this range; anything outside is in another unit, or of another signal."""

_MOST_BYTES = 1 << 17  # a header of a hundred signals has some 10 kB
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_INTEGER = re.compile(rb"[-+]?\d{1,15}")
_RATE = re.compile(rb"(\d{1,12}(?:\.\d{0,15})?)(?:[/(].*)?")
_GAIN = re.compile(
    rb"(?P<gain>[-+]?(?:\d{1,15}\.?\d{0,20}|\.\d{1,20})(?:[eE][-+]?\d{1,3})?)"
    rb"(?:\((?P<baseline>[-+]?\d{1,15})\))?(?:/(?P<unit>\S+))?"
)
_FORMAT = re.compile(
    rb"(?P<format>\d{1,4})(?:x(?P<per_frame>\d{1,9}))?(?::(?P<skew>\d{1,9}))?(?:\+(?P<offset>\d{1,15}))?"
)


class LeadSpecification(NamedTuple):
    """What a signal line states about how samples are stored and converted to a voltage."""

    sample_format: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    name: str


class Header(NamedTuple):
    """A record's header: rate in Hz, length in samples per lead, leads and their files, comments without ``#``."""

    sampling_rate_hz: float
    n_samples: int
    leads: tuple[LeadSpecification, ...]
    file_names: tuple[str, ...]
    comments: tuple[str, ...]


def read_header(path: str | Path) -> Header:
    """Return the parsed header file.

    Raises
    ------
    InputError
        If the file is missing or does not follow the WFDB specification; the line names file and field.
    """
    name = str(path)
    descriptor, size = open_regular(name, name, "header")
    try:
        content = os.read(descriptor, min(size, _MOST_BYTES))
    except OSError as error:
        stop_if_it_may_pass(error, name)
        raise InputError(f"{name}: header cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    try:
        if size > _MOST_BYTES:
            raise InputError(f"{name}: {size} bytes are no header; is this a signal file?")
        return _parse(content, name)
    except InputError as error:
        instead = placeholder_of(content)
        if instead:
            raise InputError(f"{name}: {instead}") from error
        raise


def signal_files(path: Path) -> tuple[str, ...]:
    """Return the signal files that a header names, each once and relative to its folder; none if it is no header.

    One that is there in another spelling (`ecgtransfer.file_names`) is named as it is on the disk.
    """
    try:
        named = dict.fromkeys(read_header(path).file_names)
    except InputError:
        return ()
    beside = f"{path.parent}/"
    return tuple(name if is_file(path.parent / name) else found_beside(beside + name)[len(beside) :] for name in named)


def _parse(content: bytes, path: str) -> Header:
    if content.startswith(_BYTE_ORDER_MARK):
        content = content[len(_BYTE_ORDER_MARK) :]
    elif content.startswith(_UTF_16):
        content = content.decode("utf-16", "replace").encode()
    lines = [line for line in map(bytes.strip, content.splitlines()) if line]
    comments: tuple[str, ...] = ()
    if b"#" in content:
        comments = tuple(as_text(line[1:]).strip() for line in lines if line.startswith(b"#"))
        lines = [line for line in lines if not line.startswith(b"#")]
    if not lines:
        raise InputError(f"{path}: the header is empty, expected a record line")
    rate, n_samples, n_leads = _record_line(lines, path)
    if len(lines) - 1 < n_leads:
        raise InputError(f"{path}: the record line announces {n_leads} signals, {len(lines) - 1} follow")
    leads: list[LeadSpecification] = []
    files: list[str] = []
    previous, file_name = b"", ""
    for line in lines[1 : n_leads + 1]:
        words = line.split(None, 8)
        try:
            if len(words) == 9:
                leads.append(_specification(words[1], words[2], words[4], words[8]))
            else:
                leads.append(_specification(words[1], *words[2:3] or (b"",), *words[4:5] or (b"0",), b""))
            if words[0] != previous:
                previous, file_name = words[0], _file_name(words[0])
            files.append(file_name)
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: signal line {_shown(line)} cannot be read ({error})") from error
    return Header(rate, n_samples, tuple(leads), tuple(files), comments)


def _record_line(lines: list[bytes], path: str) -> tuple[float, int, int]:
    line = lines[0]
    words = line.split(None, 4)
    if len(words) < 4:
        raise _wrong_record_line(line, path)
    if b"/" in words[0] and _has_segments(words[0], lines[1:2]):
        raise InputError(f"{path}: multi-segment records are not supported; split the record into its segments")
    rate_found = _RATE.fullmatch(words[2])
    if rate_found is None or not _INTEGER.fullmatch(words[1]) or not _INTEGER.fullmatch(words[3]):
        raise _wrong_record_line(line, path)
    rate, n_samples, n_leads = float(rate_found[1]), int(words[3]), int(words[1])
    if n_leads < 1 or not 0 < rate < 1e6 or not 0 < n_samples < 2**40:
        raise InputError(f"{path}: record line {_shown(line)} has an impossible number of signals, rate or samples")
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise InputError(
            f"{path}: {rate:g} Hz is not a sampling rate of an ECG, expected {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz;"
            " fix the record line"
        )
    return rate, n_samples, n_leads


def _has_segments(name: bytes, following: list[bytes]) -> bool:
    """Return whether a record is in segments, whose lines have two words, and not just called after a folder, too."""
    return name.rpartition(b"/")[2].isdigit() and all(len(line.split()) == 2 for line in following)


def _wrong_record_line(line: bytes, path: str) -> InputError:
    return InputError(
        f"{path}: record line {_shown(line)} is not 'name signals sampling-rate samples'; fix or remove the record"
    )


@lru_cache(maxsize=4096)
def _specification(layout_word: bytes, gain_word: bytes, adc_zero: bytes, name: bytes) -> LeadSpecification:
    layout = _FORMAT.fullmatch(layout_word)
    gain_found = _GAIN.fullmatch(gain_word or b"0")
    if layout is None or gain_found is None or not _INTEGER.fullmatch(adc_zero):
        raise ValueError("format, gain or ADC zero")
    if int(layout["per_frame"] or 1) != 1:
        raise ValueError("several samples per frame")
    if int(layout["skew"] or 0):
        raise ValueError("skewed signals")
    return LeadSpecification(
        sample_format=int(layout["format"]),
        byte_offset=int(layout["offset"] or 0),
        gain=_usable_gain(gain_found["gain"]),
        baseline=int(gain_found["baseline"] or adc_zero),
        unit=as_text(gain_found["unit"] or b"mV"),
        name=as_text(name),
    )


def _usable_gain(word: bytes) -> float:
    gain = float(word) or DEFAULT_GAIN
    if not 1e-12 < abs(gain) < 1e12:  # beyond, a float32 cannot hold the samples
        raise ValueError("an impossible gain")
    return gain


def _file_name(word: bytes) -> str:
    name = as_text(word)
    if not name.isprintable() or len(name) > 255:
        raise ValueError("the name of its file is too long or has unprintable characters")
    if not stays_within(name):
        raise ValueError("its file does not lie in the folder of the record")
    return name


def _shown(line: bytes) -> str:
    return repr(as_text(line[:80]))


def as_text(content: bytes) -> str:
    """Return text in UTF-8, or in Latin-1 where it is not UTF-8: old files write the micro sign so."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
