"""Recordings as text: one row per sample, one column per lead, with or without a line of lead names above."""

import csv
import io

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.prepare.formats.wfdb_headers import as_text


def read_csv(path: str) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return the names above the columns, none if there are none, and the samples, shape (samples, columns).

    Cells are separated by tab, semicolon or comma, whichever comes first in this order in the first line; between
    semicolons the decimal sign may be a comma. An empty cell is a missing sample, NaN. A first line 0, 1, 2, ...
    numbers the columns, it is no sample.

    Raises
    ------
    ValueError
        If a cell is no number, or a row has another number of cells than the first line.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a Path costs more than the opening
        content = file.read().removeprefix(b"\xef\xbb\xbf")
    first_line, _, rest = content.partition(b"\n")
    separator = next((sign for sign in "\t;," if sign.encode() in first_line), ",")
    decimal = "," if separator == ";" and b"," in content else "."
    cells = [cell.strip().strip('"') for cell in as_text(first_line.rstrip(b"\r")).split(separator)]
    numbers = [_is_number(cell.replace(decimal, ".")) for cell in cells if cell]
    named = bool(numbers) and not any(numbers)
    if not named and not all(numbers):
        raise ValueError("the first line is neither names nor numbers")
    numbered = cells == [str(i) for i in range(len(cells))]
    body = rest if named or numbered else content
    if not body.strip():
        raise ValueError("there are no samples")
    table = pd.read_csv(
        io.BytesIO(body), sep=separator, decimal=decimal, header=None, dtype=np.float64, quoting=csv.QUOTE_NONE,
        encoding="latin-1",
    )  # fmt: skip
    if table.shape[1] != len(cells) or body.count(separator.encode()) != len(table) * (len(cells) - 1):
        raise ValueError(f"a row has another number of cells than the {len(cells)} of the first line")
    return tuple(cells) if named else (), table.to_numpy()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
