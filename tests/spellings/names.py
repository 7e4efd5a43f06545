"""What files and folders are called, on disk and in the table: the axes `file names` and `folder`."""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from truth import Recording
from ways import NotWritable, Way

_UMLAUT = "\u00e4\u00f6\u00fc \u00df \u00e9"
_MISSING = r"missing|none of the \d+ files|no file"


def _same(name: str, _: Path) -> str:
    return name


@dataclass(frozen=True, kw_only=True)
class Naming(Way):
    """What a file is called.

    Attributes
    ----------
    path
        From a name without suffix to the path without suffix, within the folder of the data set.
    cell
        From the path and that folder to what the table says.
    suffix
        What becomes of the suffix of an array or of text.
    wfdb_suffixes
        Of headers and of signal files.
    of_recording
        From a recording and its cell to what the table says in its place.
    """

    path: Callable[[str], str] = str
    cell: Callable[[str, Path], str] = _same
    suffix: Callable[[str], str] = str
    wfdb_suffixes: tuple[str, str] = (".hea", ".dat")
    of_recording: Callable[[Recording, str], str] = lambda _, cell: cell

    def file(self, name: str, suffix: str) -> str:
        """Return where a file lies within the folder."""
        return self.path(name) + self.suffix(suffix)


def _without_suffix(path: str, _: Path) -> str:
    if not path.lower().endswith(".hea"):
        raise NotWritable("only records of WFDB have a name without suffix")
    return path[:-4]


def _without_any_suffix(path: str, _: Path) -> str:
    if path.lower().endswith(".hea"):
        raise NotWritable("records of WFDB have a name without suffix")
    return str(PurePosixPath(path).with_suffix(""))


def _dat(path: str, _: Path) -> str:
    return _without_suffix(path, _) + ".dat"


def _mat(path: str, _: Path) -> str:
    return _without_suffix(path, _) + ".mat"


def _capitals(path: str, _: Path) -> str:
    return str(PurePosixPath(path).with_suffix(PurePosixPath(path).suffix.upper()))


NAMINGS = {
    "plain": Naming(),
    "in subfolders": Naming(path=lambda name: f"2020/ward 3/{name}"),
    "without suffix": Naming(cell=_without_suffix, needs={"format": "wfdb 16"}),
    "in subfolders without suffix": Naming(
        path=lambda name: f"g1/{name}", cell=_without_suffix, needs={"format": "wfdb 212"}
    ),
    "by the signal file": Naming(cell=_dat, needs={"format": "wfdb 16"}),
    "suffix forgotten": Naming(cell=_without_any_suffix, refused=rf"suffix|{_MISSING}"),
    "upper-case suffix": Naming(suffix=str.upper, wfdb_suffixes=(".HEA", ".DAT")),
    "upper-case suffix of WFDB": Naming(wfdb_suffixes=(".HEA", ".DAT"), needs={"format": "wfdb 16"}),
    "upper-case suffix, only in the table": Naming(cell=_capitals),
    "absolute": Naming(cell=lambda path, place: str(place.absolute() / path)),
    "absolute, of a record": Naming(
        cell=lambda path, place: str(place.absolute() / _without_suffix(path, place)), needs={"format": "wfdb 16"}
    ),
    "absolute elsewhere": Naming(
        cell=lambda path, _: f"/nowhere/{path}", refused=r"is not (a path )?(with)?in the folder|outside"
    ),
    "backslashes": Naming(path=lambda name: f"2020/a/{name}", cell=lambda path, _: path.replace("/", "\\")),
    "backslashes behind a dot": Naming(
        path=lambda name: f"a/{name}", cell=lambda path, _: f".\\{path}".replace("/", "\\")
    ),
    "from a drive": Naming(
        cell=lambda path, _: "D:\\ecg\\" + path.replace("/", "\\"), refused=r"is a path of another computer"
    ),
    "./": Naming(path=lambda name: f"a/{name}", cell=lambda path, _: f"./{path}"),
    "double slashes": Naming(path=lambda name: f"a/b/{name}", cell=lambda path, _: path.replace("/", "//")),
    "..": Naming(
        path=lambda name: f"a/{name}",
        cell=lambda path, _: f"../{path}",
        refused=r"is not (a path )?(with)?in the folder",
    ),
    "blanks": Naming(path=lambda name: f"my ECGs/ECG {name} (copy)"),
    "blanks around": Naming(path=lambda name: f"x{name}", cell=lambda path, _: f"  {path} "),
    "umlauts": Naming(path=lambda name: f"{_UMLAUT}/Z\u00fcrich-{name}"),
    "umlauts, decomposed": Naming(path=lambda name: unicodedata.normalize("NFD", f"\u00e4/{name}-\u00fc")),
    "umlauts, composed in the table alone": Naming(
        path=lambda name: unicodedata.normalize("NFD", f"\u00e4/{name}"),
        cell=lambda path, _: unicodedata.normalize("NFC", path),
    ),
    "other scripts": Naming(path=lambda name: f"\u5fc3\u96fb/\u042d\u041a\u0413-{name}"),
    "some missing": Naming(
        of_recording=lambda recording, cell: f"old/{cell}" if recording.number % 9 == 2 else cell,
        leaves_out=lambda recording: recording.number % 9 == 2,
        refused=r"file old/.* is missing",
    ),
    "some empty": Naming(
        of_recording=lambda recording, cell: "" if recording.number % 9 == 2 else cell,
        leaves_out=lambda recording: recording.number % 9 == 2,
        refused=r"cell of the file is empty",
    ),
    "by the MATLAB file of the Challenge": Naming(
        cell=_mat,
        needs={"format": "wfdb of the Challenge"},
        refused=r"nothing states the unit of '\d+.mat'",
        or_taken=True,
    ),
    "dots": Naming(path=lambda name: f"v1.2.10/{name}.2020.03.31"),
    "other suffixes within": Naming(path=lambda name: f"export.csv/{name}.npy.mat"),
    "suffix of another format within": Naming(path=lambda name: f"x.hea.d/{name}.hea.copy"),
    "a point first": Naming(path=lambda name: f".hidden/.{name}"),
    "a minus first": Naming(path=lambda name: f"-{name}"),
    "a tilde first": Naming(path=lambda name: f"~{name}"),
    "a number sign": Naming(path=lambda name: f"a/#{name}", refused=r"'#'|number sign|is not a path within"),
    "dollars": Naming(path=lambda name: f"${name}$x_1$"),
    "quotes": Naming(path=lambda name: f'the "5\'10" one/{name}'),
    "brackets": Naming(path=lambda name: f"[1]/{name}[2]"),
    "braces": Naming(path=lambda name: "{dataset}/{x}" + name),
    "separators": Naming(path=lambda name: f"a,b;c|d/{name}"),
    "per cent": Naming(path=lambda name: f"100%20/{name}%d"),
    "asterisks": Naming(path=lambda name: f"*/{name}?"),
    "long": Naming(path=lambda name: f"{'a' * 200}/{'b' * 200}{name}"),
    "deep": Naming(path=lambda name: "/".join("abcdefghijklmnopqrstuvwxyz" * 3) + f"/{name}"),
}


@dataclass(frozen=True, kw_only=True)
class Folder(Way):
    """Where the files lie.

    Attributes
    ----------
    make
        Makes the folder below an empty one and returns it.
    named
        From that folder to what the entry says.
    """

    make: Callable[[Path], Path]
    named: Callable[[Path], str] = str


def _called(name: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        folder = root / name
        folder.mkdir(parents=True)
        return folder

    return make


def _linked(root: Path) -> Path:
    (root / "archive").mkdir()
    (root / "link").symlink_to(root / "archive", target_is_directory=True)
    return root / "link"


def _linked_twice(root: Path) -> Path:
    (_linked(root) / "of two wards").mkdir()
    (root / "again").symlink_to("link/of two wards", target_is_directory=True)
    return root / "again"


FOLDERS = {
    "plain": Folder(make=_called("ecg")),
    "nested": Folder(make=_called("a/b/c/d")),
    "blanks": Folder(make=_called("My ECGs of 2020 ")),
    "umlauts": Folder(make=_called(f"{_UMLAUT}/\u00c4rzte")),
    "umlauts, decomposed": Folder(make=_called(unicodedata.normalize("NFD", "\u00c4rzte"))),
    "other scripts": Folder(make=_called("\u5fc3\u96fb\u56f3 \U0001fac0")),
    "dots": Folder(make=_called("v1.0.npy/x.h5")),
    "a point first": Folder(make=_called(".ecg")),
    "a number sign": Folder(make=_called("#1/ecg#2")),
    "dollars": Folder(make=_called("$HOME/$x$")),
    "quotes": Folder(make=_called('O\'Brien "2"')),
    "brackets": Folder(make=_called("[a-z]/(1)")),
    "per cent": Folder(make=_called("50%s%20")),
    "separators": Folder(make=_called("a,b;c|d&e=f")),
    "backslash": Folder(make=_called("a\\b")),
    "line break": Folder(make=_called("a\nb")),
    "long": Folder(make=_called("/".join(["x" * 200] * 4))),
    "trailing slash": Folder(make=_called("ecg"), named=lambda folder: f"{folder}/"),
    "double slash": Folder(make=_called("a/ecg"), named=lambda folder: f"{folder.parent}//{folder.name}"),
    "./ within": Folder(make=_called("a/ecg"), named=lambda folder: f"{folder.parent}/./{folder.name}"),
    "../ within": Folder(make=_called("a/ecg"), named=lambda folder: f"{folder.parent}/../a/{folder.name}"),
    "relative": Folder(make=_called("ecg"), named=os.path.relpath),
    "linked": Folder(make=_linked),
    "linked twice": Folder(make=_linked_twice),
    "not there": Folder(
        make=_called("ecg"), named=lambda folder: f"{folder}s", refused=r"no such folder; fix `folder`"
    ),
    "a file": Folder(make=_called("ecg"), named=lambda folder: __file__, refused=r"no such folder|is a file"),
}
