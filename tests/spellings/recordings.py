"""The files of the recordings: format, shape, numbers, gain and leads, and what file and folder are called."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from array_files import ARRAY_FORMATS, ArrayFormat
from csv_files import CSV_FORMATS, CsvFormat
from leads import LEADS, STANDARD, Leads
from names import FOLDERS, NAMINGS, Naming
from numpy.typing import NDArray
from truth import RATE_HZ, Recording, microvolts_of
from ways import NotWritable, Way
from wfdb_bytes import FLAC, challenge_header
from wfdb_bytes import FORMATS as WFDB_NUMBERS

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class WfdbFormat(Way):
    """A WFDB format; `step_uv` is the step of its samples where the gain is the usual one, `layout` how they lie."""

    number: int
    step_uv: int = 5
    layout: str = "one file"
    names_leads: bool = True


@dataclass(frozen=True, kw_only=True)
class Shape(Way):
    """The axes of an array of one recording, and where an array of all has the axis of recordings."""

    leads_first: bool = True
    fortran: bool = False
    records_axis: int = 0


@dataclass(frozen=True, kw_only=True)
class Numbers(Way):
    """Type of the numbers, and their unit, which is so many microvolts."""

    dtype: str
    unit: str
    microvolts: float


@dataclass(frozen=True, kw_only=True)
class Gain(Way):
    """What a WFDB header says of the samples.

    Attributes
    ----------
    word
        From steps per mV to the word behind the format; ``{}`` are those steps times `times`.
    finer
        How many times smaller the steps are than those of the format.
    zero
        The sample that is 0 mV.
    """

    needs: Mapping[str, str] = field(default_factory=lambda: {"format": "wfdb 16"})
    word: str = "{:.12g}(0)/mV"
    times: float = 1.0
    finer: float = 1.0
    zero: int = 0
    adc_zero: int = 0
    codec: str = "utf-8"


FORMATS: dict[str, ArrayFormat | CsvFormat | WfdbFormat] = {
    **ARRAY_FORMATS,
    **CSV_FORMATS,
    **{f"wfdb {number}": WfdbFormat(number=number) for number in (16, 24, 32, 61, 160, 212, 516, 524)},
    **{f"wfdb {number}": WfdbFormat(number=number, step_uv=40) for number in (80, 8, 508)},
    **{f"wfdb {number}": WfdbFormat(number=number, step_uv=10) for number in (310, 311)},
    "wfdb of the Challenge": WfdbFormat(number=16, layout="behind a header"),
    "wfdb in two files": WfdbFormat(number=16, layout="two files"),
    "wfdb 212 in two files": WfdbFormat(number=212, layout="two files"),
    "wfdb behind an offset": WfdbFormat(number=24, layout="behind an offset"),
    "wfdb without names of leads": WfdbFormat(number=16, names_leads=False),
}

_NO_LEADS = r"axis of|row \d+ is not there, it has \d+"
SHAPES = {
    "leads first": Shape(),
    "leads last": Shape(leads_first=False),
    "leads first, Fortran": Shape(fortran=True),
    "leads last, Fortran": Shape(leads_first=False, fortran=True),
    "recordings last": Shape(records_axis=2, refused=_NO_LEADS),
    "recordings last, samples first": Shape(leads_first=False, records_axis=2, refused=_NO_LEADS),
    "recordings in between": Shape(records_axis=1, refused=_NO_LEADS),
}

NUMBERS = {
    "int16 uV": Numbers(dtype="<i2", unit="uV", microvolts=1),
    "int16 5 uV": Numbers(dtype="<i2", unit="5 uV", microvolts=5),
    "int16 4.88 uV": Numbers(dtype="<i2", unit="4.88 uV", microvolts=4.88),
    "int16 4.88e-3 mV": Numbers(dtype="<i2", unit="4.88e-3 mV", microvolts=4.88),
    "int16 0.02 mV": Numbers(dtype="<i2", unit="0.02 mV", microvolts=20),
    "int16 0.1 mV": Numbers(dtype="<i2", unit="0.1 mV", microvolts=100),
    "float32 0.1 mV": Numbers(dtype="<f4", unit="0.1 mV", microvolts=100),
    "int16 big-endian": Numbers(dtype=">i2", unit="uV", microvolts=1),
    "int8 40 uV": Numbers(dtype="i1", unit="40 uV", microvolts=40),
    "int32 uV": Numbers(dtype="<i4", unit="\u00b5V", microvolts=1),
    "int32 nV": Numbers(dtype="<i4", unit="nV", microvolts=1e-3),
    "int64 nV": Numbers(dtype="<i8", unit="NV", microvolts=1e-3),
    "float16 mV": Numbers(dtype="<f2", unit="mV", microvolts=1000),
    "float32 uV": Numbers(dtype="<f4", unit="\u03bcV", microvolts=1),
    "float32 mV": Numbers(dtype="<f4", unit="mV", microvolts=1000),
    "float32 mV, big-endian": Numbers(dtype=">f4", unit="MV", microvolts=1000),
    "float64 mV": Numbers(dtype="<f8", unit="mv", microvolts=1000),
    "float64 V": Numbers(dtype="<f8", unit="V", microvolts=1e6),
    "float64 V, big-endian": Numbers(dtype=">f8", unit="v", microvolts=1e6),
    "uV called mV": Numbers(dtype="<i2", unit="mV", microvolts=1, refused=r"probably in uV, not in mV"),
    "mV called uV": Numbers(dtype="<f4", unit="uV", microvolts=1000, refused=r"probably in mV, not in uV"),
    "a unit by its name": Numbers(dtype="<i2", unit="microvolts", microvolts=1, refused=r"unit 'microvolts' is not"),
}

GAINS = {
    "200": Gain(needs={}),
    "1000": Gain(finer=5),
    "with a zero": Gain(word="{:.12g}(17)/mV", zero=17),
    "with a zero below 0": Gain(word="{:.12g}(-21)/mV", zero=-21),
    "with a zero of the converter": Gain(word="{:.12g}/mV", zero=12, adc_zero=12),
    "with two zeros": Gain(word="{:.12g}(5)/mV", zero=5, adc_zero=12),
    "per uV": Gain(word="{:.12g}(0)/uV", times=1e-3),
    "per \u00b5V": Gain(word="{:.12g}/\u00b5V", times=1e-3),
    "per \u00b5V in Latin-1": Gain(word="{:.12g}/\u00b5V", times=1e-3, codec="latin-1"),
    "per V": Gain(word="{:.12g}(0)/V", times=1e3),
    "without unit": Gain(word="{:.12g}"),
    "none": Gain(word="0"),
    "left out": Gain(word="", needs={"format": "wfdb without names of leads"}),
    "of 4.88 uV": Gain(word="{:.15g}(0)/mV", finer=5 / 4.88),
    "with an exponent": Gain(word="{:.6e}/mV"),
    "inverted": Gain(word="-{:.12g}(0)/mV", finer=-1),
}


@dataclass(frozen=True)
class Written:
    """Recordings as files.

    Attributes
    ----------
    folder
        As the entry names it.
    cells
        What the table must say of each recording: ``file``, and as far as needed ``array`` and ``row``.
    unit, leads
        What the user must say, empty where the files say it.
    rate_said
        Whether the files say the rate.
    microvolts
        What the files hold, shape (recordings, 12, samples), the leads in standard order and upright; NaN in leads
        that are not there.
    """

    folder: str
    cells: tuple[Mapping[str, str], ...]
    unit: str
    leads: tuple[str, ...]
    rate_said: bool
    microvolts: NDArray[np.float64]


def write_recordings(choice: Mapping[str, str], recordings: Sequence[Recording], root: Path) -> Written:
    """Write recordings in the chosen way into a folder below `root`, which is empty.

    Raises
    ------
    NotWritable
        If there is no such data set.
    """
    way, leads = FORMATS[choice["format"]], LEADS[choice["leads"]]
    folder, naming = FOLDERS[choice["folder"]], NAMINGS[choice["file names"]]
    in_file = _in_order_of_file(microvolts_of(recordings), leads)
    place = folder.make(root)
    if isinstance(way, WfdbFormat):
        _require_plain(choice, "shape", "numbers")
        stored, files = _write_wfdb(way, GAINS[choice["gain"]], leads, in_file, place, naming)
        unit, said = "", () if way.names_leads else leads.names
    else:
        _require_plain(choice, "gain")
        numbers = NUMBERS[choice["numbers"]]
        samples, stored = _as_numbers(in_file, numbers)
        unit, said = numbers.unit, leads.names
        if isinstance(way, CsvFormat):
            _require_plain(choice, "shape")
            files = _write_csv(way, samples, leads, place, naming)
            said = () if way.names_leads else said
        else:
            files = _write_arrays(way, SHAPES[choice["shape"]], samples, place, naming)
    cells = [{**cells, "file": naming.cell(cells["file"], place)} for cells in files]
    upright = _upright(stored, leads)
    return Written(folder.named(place), tuple(cells), unit, said, isinstance(way, WfdbFormat), upright)


def _require_plain(choice: Mapping[str, str], *axes: str) -> None:
    plain: Mapping[str, Mapping[str, Way]] = {"shape": SHAPES, "numbers": NUMBERS, "gain": GAINS}
    for axis in axes:
        if choice[axis] != next(iter(plain[axis])):
            raise NotWritable(f"{choice['format']} has no {axis}")


def _in_order_of_file(microvolts: NDArray[np.float64], leads: Leads) -> NDArray[np.float64]:
    further = 300 * np.sin(np.arange(microvolts.shape[-1]) / 9)
    columns = [
        (-1 if lead.startswith("-") else 1) * microvolts[:, STANDARD.index(lead.removeprefix("-"))]
        if lead
        else np.broadcast_to(further, microvolts[:, 0].shape)
        for lead in leads.held
    ]
    return np.stack(columns, axis=1)


def _upright(in_file: NDArray[np.float64], leads: Leads) -> NDArray[np.float64]:
    upright = np.full((len(in_file), len(STANDARD), in_file.shape[-1]), np.nan)
    for column, lead in enumerate(leads.held):
        if lead:
            sign = -1 if lead.startswith("-") else 1
            upright[:, STANDARD.index(lead.removeprefix("-"))] = sign * in_file[:, column]
    return upright


def _as_numbers(microvolts: NDArray[np.float64], numbers: Numbers) -> tuple[Array, NDArray[np.float64]]:
    """Return samples as a file holds them, and what these are in µV: half a step away at most."""
    dtype = np.dtype(numbers.dtype)
    samples = microvolts / numbers.microvolts
    if dtype.kind == "i":
        samples = np.rint(samples)
        if np.abs(samples).max() > np.iinfo(dtype).max:
            raise NotWritable("the numbers are too large for their type")
    held: Array = samples.astype(dtype)
    return held, held.astype(float) * numbers.microvolts


def _write_arrays(way: ArrayFormat, shape: Shape, samples: Array, place: Path, naming: Naming) -> list[dict[str, str]]:
    if (shape.fortran and not way.fortran) or (shape.records_axis and way.holds != "all as rows"):
        raise NotWritable("such files have one order of axes")
    arrays = samples if shape.leads_first else samples.swapaxes(1, 2)
    numbered = range(1, len(arrays) + 1)
    if way.holds == "one recording":
        names = [naming.file(str(number).zfill(5), way.suffix) for number in numbered]
        for name, array in zip(names, arrays, strict=True):
            way.save(_made(place / name), {way.array or "val": _in_memory(array, shape)})
        return [{"file": name, "array": way.array} for name in names]
    name = naming.file("all", way.suffix)
    if way.holds == "all by name":
        called = [way.array.format(number) for number in numbered]
        way.save(
            _made(place / name), {key: _in_memory(array, shape) for key, array in zip(called, arrays, strict=True)}
        )
        return [{"file": name, "array": key} for key in called]
    together = np.moveaxis(arrays, 0, shape.records_axis)
    way.save(_made(place / name), {way.array or "val": _in_memory(together, shape)})
    return [{"file": name, "array": way.array, "row": str(row)} for row in range(len(arrays))]


def _in_memory(array: Array, shape: Shape) -> Array:
    return np.asfortranarray(array) if shape.fortran else np.ascontiguousarray(array)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_csv(way: CsvFormat, samples: Array, leads: Leads, place: Path, naming: Naming) -> list[dict[str, str]]:
    names = [naming.file(str(number).zfill(5), way.suffix) for number in range(1, len(samples) + 1)]
    for name, of_one in zip(names, samples, strict=True):
        _made(place / name).write_bytes(way.text(of_one.T, leads.names).encode(way.codec))
    return [{"file": name} for name in names]


def _write_wfdb(
    way: WfdbFormat, gain: Gain, leads: Leads, microvolts: NDArray[np.float64], place: Path, naming: Naming
) -> tuple[NDArray[np.float64], list[dict[str, str]]]:
    """Write records and return what they hold in µV, and their headers."""
    if way.number in FLAC and naming.wfdb_suffixes != (".hea", ".dat"):
        raise NotWritable("the wfdb package writes lower case")
    per_mv = 1000 / way.step_uv * gain.finer
    if "{" not in gain.word and per_mv != 200:
        raise NotWritable("the gain that needs not be said is 200")
    digital = np.rint(microvolts * per_mv / 1000).astype(np.int64) + gain.zero
    _require_fits(digital, way.number)
    files = []
    for number, of_one in enumerate(digital, start=1):
        header = naming.file(str(number).zfill(5), naming.wfdb_suffixes[0])
        _write_record(way, gain, leads.names, of_one.T, _made(place / header), naming.wfdb_suffixes[1])
        files.append({"file": header})
    return (digital - gain.zero) * 1000 / per_mv, files


def _require_fits(digital: NDArray[np.int64], number: int) -> None:
    known = WFDB_NUMBERS.get(number)
    if np.abs(digital).max() > (known.largest if known else FLAC[number]):
        raise NotWritable("the samples are too large for the format")
    if known and known.largest_difference and np.abs(np.diff(digital)).max() > known.largest_difference:
        raise NotWritable("the samples change too fast for the format")


def _write_record(
    way: WfdbFormat, gain: Gain, names: Sequence[str], samples: NDArray[np.int64], header: Path, suffix: str
) -> None:
    parts, offset, before = [(range(len(names)), suffix)], "", b""
    if way.number in FLAC:  # it has eight channels at most
        halves = np.array_split(range(len(names)), 2)
        parts = [(columns.tolist(), f"_{part}{suffix}") for part, columns in enumerate(halves)]
    elif way.layout == "two files":
        parts = [(range(6), f"_limbs{suffix}"), (range(6, len(names)), f"_chest{suffix}")]
    elif way.layout == "behind a header":
        parts, offset, before = [(range(len(names)), ".mat")], "+24", challenge_header(samples)
    elif way.layout == "behind an offset":
        offset, before = "+512", bytes(512)
    word = gain.word.format(abs(1000 / way.step_uv * gain.finer * gain.times))
    lines = [f"{header.stem} {len(names)} {RATE_HZ} {len(samples)}"]
    for columns, end in parts:
        file = f"{header.stem}{end}"
        if " " in file:
            raise NotWritable("headers have no file names with blanks")
        if way.number in FLAC:
            _let_wfdb_write(header.with_name(file), way.number, samples[:, list(columns)])
        else:
            content = WFDB_NUMBERS[way.number].encode(samples[:, list(columns)])
            header.with_name(file).write_bytes(before + content)
        for column in columns:
            values = samples[:, column]
            checksum = (int(values.sum()) + 2**15) % 2**16 - 2**15
            line = f"{file} {way.number}{offset} {word} 16 {gain.adc_zero} {values[0]} {checksum} 0 {names[column]}"
            if not word:
                line = f"{file} {way.number}{offset}"
            lines.append(line if way.names_leads else line.removesuffix(f" {names[column]}"))
    if not word and way.names_leads:
        raise NotWritable("names stand behind a gain")
    try:
        header.write_bytes(("\n".join(lines) + "\n").encode(gain.codec))
    except UnicodeEncodeError as error:
        raise NotWritable(f"{gain.codec} has no such names") from error


def _let_wfdb_write(path: Path, number: int, samples: NDArray[np.int64]) -> None:
    path.write_bytes(_compressed(np.ascontiguousarray(samples).tobytes(), samples.shape[1], number))


@cache
def _compressed(content: bytes, n: int, number: int) -> bytes:
    """Return the FLAC file that the wfdb package makes of samples; it takes its time."""
    samples = np.frombuffer(content, np.int64).reshape(-1, n)
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrsamp(
            "flac", RATE_HZ, ["mV"] * n, [str(signal) for signal in range(n)], d_signal=samples, fmt=[str(number)] * n,
            adc_gain=[200.0] * n, baseline=[0] * n, write_dir=folder,
        )  # fmt: skip
        return Path(folder, "flac.dat").read_bytes()
