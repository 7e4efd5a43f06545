"""Recordings as text: one row per sample, one column per lead, with or without a line of lead names above."""

import csv
import io
import os

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.prepare.formats.memory import require_room
from ecgtransfer.prepare.formats.wfdb_headers import as_text

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TIMES_HELD = 3
"""How often the text is held while it is read."""
_SURELY_NUMBERED = 8
"""Cells from which on 1, 2, ... cannot be a sample."""
_FEWEST_OF_R = 7
"""Columns from which on V1, V2, ... are no leads: with fewer, they are those of the chest."""
_SMALLER = "cut it into shorter recordings, or save it as .npy"


def read_csv(path: str) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return the names above the columns, none if there are none, and the samples, shape (samples, columns).

    Cells are separated by tab, semicolon or comma, whichever comes first in this order in the first line; but for
    commas, the decimal sign may be one. An empty cell is a missing sample, NaN. A first line 0, 1, 2, ... or 1, 2, ...
    of many cells numbers the columns, it is no sample. Text is UTF-8, UTF-16 with its mark, or Latin-1.

    Raises
    ------
    ValueError
        If a cell is no number, a row has another number of cells than the first line, or there are too many.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a Path costs more than the opening
        require_room(_TIMES_HELD * os.fstat(file.fileno()).st_size, "its text", _SMALLER)
        content = file.read()
    if content.startswith(_UTF_16):
        content = content.decode("utf-16").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    first_line, _, rest = content.partition(b"\n")
    separator = next((sign for sign in "\t;," if sign.encode() in first_line), ",")
    n_separators = content.count(separator.encode())
    n_cells = n_separators + content.count(b"\n") + 1
    require_room(_TIMES_HELD * len(content) + 8 * n_cells, "its text with its numbers", _SMALLER)
    cells = [cell.strip().strip('"') for cell in as_text(first_line.rstrip(b"\r")).split(separator)]
    decimal = "," if separator != "," and b"," in (rest or content) else "."
    numbers = [_is_number(cell.replace(decimal, ".")) for cell in cells if cell]
    named = bool(numbers) and not any(numbers)
    if not named and not all(numbers):
        raise ValueError("the first line is neither names nor numbers")
    numbered = cells == [str(i) for i in range(len(cells))]
    if len(cells) >= _SURELY_NUMBERED:
        numbered |= cells == [str(i + 1) for i in range(len(cells))]
    body = content
    if named or numbered:
        body, n_separators = rest, n_separators - first_line.count(separator.encode())
    if not body.strip():
        raise ValueError("there are no samples")
    table = pd.read_csv(
        io.BytesIO(body), sep=separator, decimal=decimal, header=None, dtype=np.float64, quoting=csv.QUOTE_NONE,
        encoding="latin-1",
    )  # fmt: skip
    if table.shape[1] != len(cells) or n_separators != len(table) * (len(cells) - 1):
        raise ValueError(f"a row has another number of cells than the {len(cells)} of the first line")
    return tuple(cells) if named else (), table.to_numpy()


def are_names_of_r(names: tuple[str, ...]) -> bool:
    """Return whether columns have R's names for unnamed ones: V1, V2, ..., and more of them than such leads."""
    return len(names) >= _FEWEST_OF_R and names == tuple(f"V{i + 1}" for i in range(len(names)))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
