"""The table itself: encoding, line ends, separator, quotes, names and order of columns, order of rows, empty lines."""

import codecs
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from ways import NotWritable, Way


@dataclass(frozen=True, kw_only=True)
class Encoding(Way):
    """From text to bytes: a codec, and a mark in front where it has none of its own."""

    codec: str
    mark: bytes = b""

    def bytes_of(self, text: str) -> bytes:
        """Return the text as a file has it."""
        try:
            return self.mark + text.encode(self.codec)
        except UnicodeEncodeError as error:
            raise NotWritable(f"{self.codec} has no such letters") from error


ENCODINGS = {
    "utf-8": Encoding(codec="utf-8"),
    "utf-8 with a mark": Encoding(codec="utf-8", mark=codecs.BOM_UTF8),
    "cp1252": Encoding(codec="cp1252"),
    "latin-1": Encoding(codec="latin-1"),
    "utf-16 with a mark": Encoding(codec="utf-16-le", mark=codecs.BOM_UTF16_LE),
    "utf-16, high byte first": Encoding(codec="utf-16-be", mark=codecs.BOM_UTF16_BE),
    "utf-16 without a mark": Encoding(codec="utf-16-le", refused=r"encod|utf-?16|NUL"),
    "utf-32": Encoding(codec="utf-32-le", mark=codecs.BOM_UTF32_LE, refused=r"encod|utf-?(16|32)|NUL|column"),
}


@dataclass(frozen=True, kw_only=True)
class LineEnds(Way):
    """What ends a line, what follows the last one, and what is between some."""

    mark: str = "\n"
    last: str | None = None
    between: str = ""


LINE_ENDS = {
    "LF": LineEnds(),
    "CRLF": LineEnds(mark="\r\n"),
    "CR": LineEnds(mark="\r"),
    "no last one": LineEnds(last=""),
    "empty lines at the end": LineEnds(last="\n\n\n"),
    "empty lines of Windows at the end": LineEnds(mark="\r\n", last="\r\n\r\n"),
    "blanks at the end": LineEnds(last="\n   \n"),
    "separators at the end": LineEnds(last="\n{empty}\n{empty}\n"),
    "empty lines in between": LineEnds(between="\n"),
    "the end-of-file mark of DOS": LineEnds(mark="\r\n", last="\r\n\x1a"),
}


@dataclass(frozen=True, kw_only=True)
class Separator(Way):
    """The separator of cells."""

    mark: str


SEPARATORS = {
    "comma": Separator(mark=","),
    "semicolon": Separator(mark=";"),
    "tab": Separator(mark="\t"),
    "bar": Separator(mark="|"),
    "colon": Separator(mark=":", refused=r"column .*missing"),
    "blanks": Separator(mark="  ", refused=r"column .*missing"),
}


@dataclass(frozen=True, kw_only=True)
class Quoting(Way):
    """How a cell is written in a line.

    Attributes
    ----------
    always, never
        Whether quotes stand around every cell, or around none; else around those that need them.
    before, behind
        Blanks around a cell.
    around_quotes
        Whether these blanks stand around quotes, too.
    """

    always: bool = False
    never: bool = False
    before: str = ""
    behind: str = ""
    around_quotes: bool = False

    def cell(self, text: str, separator: str) -> str:
        """Return a cell as a line has it."""
        special = any(mark in text for mark in ('"', "\n", "\r", separator))
        quoted = self.always or (special and not self.never)
        if quoted:
            text = '"' + text.replace('"', '""') + '"'
        return text if quoted and not self.around_quotes else f"{self.before}{text}{self.behind}"


_NOT_CSV = r"not CSV|row \d+ has \d+ cells|did you mean|column .*missing"

QUOTINGS = {
    "where needed": Quoting(),
    "everywhere": Quoting(always=True),
    "blanks behind": Quoting(behind="  "),
    "blanks in front": Quoting(before=" "),
    "blanks behind quotes": Quoting(behind=" ", always=True, around_quotes=True, refused=_NOT_CSV, or_taken=True),
    "blanks in front of quotes": Quoting(before=" ", always=True, around_quotes=True, refused=_NOT_CSV, or_taken=True),
    "nowhere": Quoting(
        never=True, needs={"labels": "codes by commas"}, refused=r"row \d+ has \d+ cells, the header \d+"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Columns(Way):
    """What columns are called and in which order, and which additional ones there are.

    Attributes
    ----------
    called
        From a field to the name of its column.
    order
        From the columns to a permutation of them.
    said
        Whether the entry says the names, under `columns`.
    more
        Further columns: name and cell.
    above
        Lines above the header.
    row_names
        Whether every row but the header begins with its number.
    """

    called: Callable[[str], str] = str
    order: Callable[[list[str]], list[str]] = list
    said: bool = False
    more: Mapping[str, str] = None  # type: ignore[assignment]
    above: str = ""
    row_names: bool = False


_OWN = {
    "record": "EKG-Nr.", "patient": "Pat ID", "file": "Pfad (relativ)", "array": "h5 key", "row": "Zeile",
    "labels": "Befund / Diagnosen", "age": "Alter [Jahre]", "sex": "m/w", "site": "Station", "month": "Datum, Uhrzeit",
    "fold": "Fold#", "rate": "fs (Hz)", "unit": "Einheit", "leads": "Ableitungen",
}  # fmt: skip
_SWAPPED = {"record": "patient", "patient": "record", "age": "fold", "fold": "age", "site": "month", "month": "site"}
_REMARK = "said \"fine\",\n then; left | by\tbus, 'ok' \u00e4"

COLUMNS = {
    "plain": Columns(),
    "reversed": Columns(order=lambda names: names[::-1]),
    "sorted": Columns(order=sorted),
    "names of their own": Columns(called=_OWN.__getitem__, said=True),
    "swapped names": Columns(called=lambda field: _SWAPPED.get(field, field), said=True),
    "numbers as names": Columns(called=lambda field: str(list(_OWN).index(field) + 1), said=True),
    "umlauts in names": Columns(called=lambda field: f"{field} \u00e4\u00df", said=True),
    "line breaks in names": Columns(called=lambda field: f"{field}\nin 2020", said=True),
    "blanks around names": Columns(called=" {}  ".format),
    "capitals, said": Columns(called=str.upper, said=True),
    "Capitals": Columns(
        called=str.capitalize, refused=r"column .*missing; did you mean `(Record|File|Labels)`", or_taken=True
    ),
    "capitals of those that may lack": Columns(
        called=lambda field: field if field in ("record", "file", "labels") else field.upper(),
        refused=r"did you mean",
        or_taken=True,
    ),
    "further ones": Columns(
        more={"remark": _REMARK, "": "7", "Age at death": "99", "NA": "NA"},
        told=(r"columns of the table that are not used: remark, Age at death, NA$",),
    ),
    "an index in front": Columns(more={"": "0"}, order=lambda names: [names[-1], *names[:-1]]),
    "one twice": Columns(more={"age": "7"}, needs={"age": "plain"}, refused=r"column age is there 2 times"),
    "an empty one behind": Columns(more={"": ""}),
    "row names of R": Columns(row_names=True, refused=r"cells|none of the \d+ files"),
    "a line for Excel above": Columns(above="sep=,", refused=r"column .*missing", or_taken=True),
    "a line above": Columns(above="# exported on 2020-03-31", refused=r"column .*missing"),
}


@dataclass(frozen=True, kw_only=True)
class RowOrder(Way):
    """The order of rows: from their number to a permutation."""

    order: Callable[[int], list[int]]


ROW_ORDERS = {
    "plain": RowOrder(order=lambda n: list(range(n))),
    "reversed": RowOrder(order=lambda n: list(range(n))[::-1]),
    "shuffled": RowOrder(order=lambda n: np.random.default_rng(5).permutation(n).tolist()),
}


@dataclass(frozen=True, kw_only=True)
class TableName(Way):
    """What the table is called, and what becomes of its content."""

    name: str = "table.csv"
    pack: Callable[[bytes], bytes] = bytes


def _zipped(content: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", content)
    return file.getvalue()


_SIMPLE = {"encoding": "utf-8", "line ends": "LF", "separator": "comma"}

TABLE_NAMES = {
    "plain": TableName(),
    "tsv": TableName(name="table.tsv"),
    "txt": TableName(name="TABLE.TXT"),
    "none": TableName(name="table"),
    "letters of all kinds": TableName(name="\u00c4rzte $x$ #1 [b] 'c'.csv"),
    "in a folder": TableName(name="a b/c.d/table.csv"),
    "Excel": TableName(name="table.xlsx", pack=_zipped, refused=r"excel|xlsx|no table|CSV"),
    "cut within a quote": TableName(
        needs=_SIMPLE, pack=lambda content: content + b'x,"y', refused=r"quote|not CSV|ends within"
    ),
    "empty": TableName(pack=lambda _: b"", refused=r"is empty"),
    "the header alone": TableName(
        needs=_SIMPLE, pack=lambda content: content.splitlines()[0] + b"\n", refused=r"no row|none of the 0"
    ),
}


def text_of(
    header: Sequence[str], rows: Sequence[Sequence[str]], separator: Separator, quoting: Quoting, ends: LineEnds
) -> str:
    """Return a table as text."""
    mark = separator.mark
    lines = [mark.join(quoting.cell(cell, mark) for cell in row) for row in (header, *rows)]
    empty = mark * (len(header) - 1)
    body = (ends.mark + ends.between).join(lines)
    return body + (ends.mark if ends.last is None else ends.last.format(empty=empty))
