"""Figures as data URIs, so that the page that shows them is one file, and small enough for a mail."""

import base64
import io
import os
import re
from pathlib import Path

from markupsafe import Markup
from PIL import Image

_COLOURS = 16  # enough for a drawing with smoothed lines
_NOT_DRAWN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_PATH = re.compile(r' d="([^"]*)"')
_COMMAND = re.compile(r" ?([A-Za-z]) ?")
_ID = re.compile(r'( id="|href="#|url\(#)([^")]+)')


def svg_uri(path: str | os.PathLike[str]) -> Markup:
    """Return an SVG file as a data URI that can be put between double quotes unchanged; see `compact_svg`."""
    drawing = compact_svg(Path(path).read_text(encoding="utf-8"))
    for sign in "%#&'":
        drawing = drawing.replace(sign, f"%{ord(sign):02x}")
    return Markup("data:image/svg+xml;charset=utf-8," + drawing.replace('"', "'"))


def image_uri(path: str | os.PathLike[str]) -> str:
    """Return a PNG file of a drawing as a data URI: lossless WebP, but of few colours."""
    packed = io.BytesIO()
    with Image.open(path) as drawing:
        # Unlike the median cut, an octree keeps a colour that is rare, such as that of a single bar.
        few = drawing.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)
        few.convert("RGB").save(packed, "webp", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()


def compact_svg(drawing: str) -> str:
    """Return a drawing of matplotlib's in a third of the characters, the same to a hundredth of a point."""
    drawing = _NOT_DRAWN.sub("", drawing)
    drawing = re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", drawing)).strip()
    drawing = _LONG_NUMBER.sub(_rounded, drawing)
    drawing = _PATH.sub(lambda path: f' d="{_COMMAND.sub(_letter, path[1]).strip()}"', drawing)
    drawing = re.sub(r' transform="translate\((\S+) 0\)"/>', r' x="\1"/>', drawing)  # glyphs of a text
    drawing = re.sub(r' style="[^"]*"', lambda style: style[0].replace("; ", ";").replace(": ", ":"), drawing)
    drawing = drawing.replace("xlink:href", "href")
    used = {name for before, name in _ID.findall(drawing) if before != ' id="'}
    short = {name: f"a{number:x}" for number, name in enumerate(sorted(used))}
    drawing = re.sub(r' id="([^"]+)"', lambda id_: id_[0] if id_[1] in used else "", drawing)
    return _ID.sub(lambda id_: f"{id_[1]}{short[id_[2]]}", drawing)


def _letter(command: re.Match[str]) -> str:
    return command[1]


def _rounded(number: re.Match[str]) -> str:
    """Return a length to a hundredth, and what is below 1, such as a factor, to six digits."""
    value = float(number[0])
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.6g}"
