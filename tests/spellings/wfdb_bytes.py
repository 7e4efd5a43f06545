"""WFDB signal files, byte by byte after the specification, for the formats that numpy knows and those that it does not.

Source: WFDB signal file formats, signal(5), https://physionet.org/physiotools/wag/signal-5.htm
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int64]
"""Shape (samples, signals)."""


@dataclass(frozen=True)
class SampleFormat:
    """How samples are stored: the number in the header, the largest value that every sample may have, the bytes."""

    number: int
    largest: int
    encode: Callable[[Samples], bytes]
    largest_difference: int | None = None


def _as(dtype: str, zero: int = 0) -> Callable[[Samples], bytes]:
    return lambda samples: (samples + zero).astype(dtype).tobytes()


def _24(samples: Samples) -> bytes:
    return samples.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def _212(samples: Samples) -> bytes:
    """Two samples of 12 bits in three bytes: low byte, both high nibbles, low byte of the second."""
    first, second = _padded(samples, 2) & 0xFFF
    return _bytes_of(first & 0xFF, first >> 8 | second >> 8 << 4, second & 0xFF)


def _310(samples: Samples) -> bytes:
    """Three samples of 10 bits in two words of 16: bits 1 to 10 of each, and the third in their bits 11 to 15."""
    first, second, third = _padded(samples, 3) & 0x3FF
    words = np.stack([first << 1 | (third & 0x1F) << 11, second << 1 | third >> 5 << 11], axis=1)
    return words.astype("<u2").tobytes()


def _311(samples: Samples) -> bytes:
    """Three samples of 10 bits in one word of 32, the first in its lowest bits."""
    first, second, third = _padded(samples, 3) & 0x3FF
    return (first | second << 10 | third << 20).astype("<u4").tobytes()


def _differences(samples: Samples) -> bytes:
    return np.diff(samples, axis=0, prepend=samples[:1]).astype(np.int8).tobytes()


def _padded(samples: Samples, group: int) -> Samples:
    flat = samples.reshape(-1)
    return np.append(flat, np.zeros(-len(flat) % group, np.int64)).reshape(-1, group).T


def _bytes_of(*columns: Samples) -> bytes:
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


FORMATS = {
    known.number: known
    for known in (
        SampleFormat(16, 2**15 - 1, _as("<i2")),
        SampleFormat(24, 2**23 - 1, _24),
        SampleFormat(32, 2**31 - 1, _as("<i4")),
        SampleFormat(61, 2**15 - 1, _as(">i2")),
        SampleFormat(80, 2**7 - 1, _as("u1", 2**7)),
        SampleFormat(160, 2**15 - 1, _as("<u2", 2**15)),
        SampleFormat(212, 2**11 - 1, _212),
        SampleFormat(8, 2**15 - 1, _differences, largest_difference=2**7 - 1),
        SampleFormat(310, 2**9 - 1, _310),
        SampleFormat(311, 2**9 - 1, _311),
    )
}
FLAC = {508: 2**7 - 1, 516: 2**15 - 1, 524: 2**23 - 1}
"""Largest sample of the compressed formats, which the wfdb package writes."""


def challenge_header(samples: Samples) -> bytes:
    """Return the 24 bytes that the Challenge puts before samples of format 16: a MATLAB v4 array named ``val``."""
    return np.array([30, samples.shape[1], samples.shape[0], 0, 4], "<i4").tobytes() + b"val\0"
