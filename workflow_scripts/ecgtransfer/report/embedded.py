"""Figures as data URIs, so that the page that shows them is one file."""

import base64
import io
import os
import re
from pathlib import Path

from PIL import Image

_COLOURS = 32  # enough for a drawn page with smoothed lines; a quarter of the bytes
_PROLOGUE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", re.DOTALL)


def svg_uri(path: str | os.PathLike[str]) -> str:
    """Return an SVG file as a data URI, without prologue and metadata."""
    drawing = _PROLOGUE.sub("", Path(path).read_text(encoding="utf-8")).strip()
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


def png_uri(path: str | os.PathLike[str]) -> str:
    """Return a PNG file of a drawing as a data URI, with a palette of few colours."""
    packed = io.BytesIO()
    with Image.open(path) as drawing:
        drawing.convert("RGB").quantize(_COLOURS).save(packed, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()
