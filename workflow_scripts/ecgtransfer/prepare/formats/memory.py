"""How much of a file may be in memory at a time, whatever a small file claims to unpack to."""

LARGEST = 1 << 27
"""Bytes. Eight processes that read such files at the same time stay within the 2 GB that the rules request."""

ROW_BY_ROW = "save it as .npy or HDF5, which are read recording by recording"
"""What to do about a file of many recordings that is too large to be unpacked whole."""


def require_room(n_bytes: float, what: str, remedy: str) -> None:
    """Check, before anything is allocated, that something of `n_bytes` may be held in memory.

    Raises
    ------
    ValueError
        If it is too large; the message states how large, and ends with the remedy.
    """
    if n_bytes > LARGEST:
        raise ValueError(f"{what} takes {n_bytes / 1e9:.2f} GB of memory, more than {LARGEST / 1e9:.2f} GB; {remedy}")
