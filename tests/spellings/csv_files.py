"""Recordings as text: a line per sample, a column per lead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ways import Way

Text = Callable[[NDArray[Any], Sequence[str]], str]
"""From samples, shape (samples, leads), and the names of the leads to the content of a file."""


@dataclass(frozen=True, kw_only=True)
class CsvFormat(Way):
    """A way to write samples as text; `names_leads` says whether the first line names them."""

    text: Text
    names_leads: bool = False
    suffix: str = ".csv"
    codec: str = "utf-8"


def _rows(
    separator: str = ",", named: bool = False, decimal: str = ".", ends: str = "\n", quoted: bool = False
) -> Text:
    def text(samples: NDArray[Any], names: Sequence[str]) -> str:
        lines = [[_number(value).replace(".", decimal) for value in row] for row in samples.tolist()]
        if named:
            lines.insert(0, [f'"{name}"' if quoted else name for name in names])
        return "".join(separator.join(line) + ends for line in lines)

    return text


def _number(value: float) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _with_index(samples: NDArray[Any], names: Sequence[str]) -> str:
    """As `DataFrame.to_csv` writes without ``index=False``."""
    lines = ["," + ",".join(names)]
    lines += [f"{number}," + ",".join(map(_number, row)) for number, row in enumerate(samples.tolist())]
    return "\n".join(lines) + "\n"


def _with_time(samples: NDArray[Any], names: Sequence[str]) -> str:
    lines = ["time;" + ";".join(names)]
    lines += [f"{number / 100:g};" + ";".join(map(_number, row)) for number, row in enumerate(samples.tolist())]
    return "\n".join(lines) + "\n"


def _numbered(samples: NDArray[Any], names: Sequence[str]) -> str:
    """As `DataFrame(array).to_csv(index=False)` writes."""
    return ",".join(map(str, range(len(names)))) + "\n" + _rows()(samples, names)


def _leads_as_lines(samples: NDArray[Any], names: Sequence[str]) -> str:
    return _rows()(np.asarray(samples).T, names)


CSV_FORMATS = {
    "csv": CsvFormat(text=_rows()),
    "csv with names": CsvFormat(text=_rows(named=True), names_leads=True),
    "csv with quoted names": CsvFormat(text=_rows(named=True, quoted=True), names_leads=True),
    "csv with numbers above": CsvFormat(text=_numbered),
    "csv by semicolons": CsvFormat(text=_rows(";", named=True), names_leads=True),
    "csv by semicolons, decimal commas": CsvFormat(text=_rows(";", named=True, decimal=","), names_leads=True),
    "csv by semicolons, decimal commas, bare": CsvFormat(text=_rows(";", decimal=",")),
    "csv by tabs": CsvFormat(text=_rows("\t", named=True), names_leads=True),
    "csv by tabs, bare": CsvFormat(text=_rows("\t")),
    "csv by tabs, decimal commas": CsvFormat(text=_rows("\t", decimal=","), needs={"numbers": "float64 mV"}),
    "csv of Windows": CsvFormat(text=_rows(named=True, ends="\r\n"), names_leads=True),
    "csv with a byte order mark": CsvFormat(text=_rows(named=True), names_leads=True, codec="utf-8-sig"),
    "csv in UTF-16": CsvFormat(text=_rows(named=True), names_leads=True, codec="utf-16"),
    "csv with an index": CsvFormat(text=_with_index, names_leads=True),
    "csv with time": CsvFormat(text=_with_time, names_leads=True),
    "csv, a line per lead": CsvFormat(text=_leads_as_lines, refused=r"has 500 columns, \d+ leads are named"),
}
