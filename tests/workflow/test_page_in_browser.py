"""The page of a study in a real browser: it loads, sorts, links to what is there, and fits a phone."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from checkout import Checkout

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DESKTOP, PHONE = 1280, 390

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")

# The page in a frame of some width; what is found there goes into an attribute, which --dump-dom prints.
FRAME = """<!DOCTYPE html><body><iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe><script>
const frame = document.querySelector("iframe");
frame.addEventListener("load", async () => {{
  const found = await (async (page, window) => {{ {script} }})(frame.contentDocument, frame.contentWindow);
  document.body.dataset.found = JSON.stringify({{...found, errors: frame.contentWindow.errors}});
}});
</script></body>"""
ERRORS = (
    '<script>window.errors=[];addEventListener("error",(e)=>errors.push(e.message||e.target.src||"?"),true)</script>'
)


class _Handler(SimpleHTTPRequestHandler):
    """Serves a results folder, the page with a listener for errors, and frames around it."""

    frames: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name in self.frames:
            self._answer(self.frames[name])
        elif name == "page.html":
            page = Path(self.directory, "report/index.html").read_text(encoding="utf-8")
            self._answer(page.replace("<head>", f"<head>{ERRORS}", 1))
        else:
            super().do_GET()

    def _answer(self, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(finished: Checkout) -> Iterator[str]:
    handler = partial(_Handler, directory=str(finished.folder / "results/tiny"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report"
        server.shutdown()


def visit(address: str, script: str, profile: Path, width: int = DESKTOP) -> dict[str, Any]:
    """Return what a script finds on the page, and the errors that the page had."""
    _Handler.frames["frame.html"] = FRAME.format(width=width, script=script)
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom",
        f"{address}/frame.html",
    ]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    match = re.search(r'data-found="([^"]*)"', printed)
    assert match, printed[-2000:]
    found: dict[str, Any] = json.loads(unescape(match.group(1)))
    assert found["errors"] == []
    return found


def test_every_image_is_drawn_and_nothing_is_fetched_from_elsewhere(address: str, tmp_path: Path) -> None:
    script = """
      const images = [...page.images];
      return {widths: images.map((image) => image.naturalWidth),
              fetched: window.performance.getEntriesByType("resource").map((entry) => entry.name)
                         .filter((name) => !name.startsWith("data:"))};"""
    found = visit(address, script, tmp_path)
    assert len(found["widths"]) >= 10
    assert min(found["widths"]) > 0
    assert found["fetched"] == []


def test_figures_are_as_wide_as_the_page_and_neither_shrunk_nor_scrolled(address: str, tmp_path: Path) -> None:
    script = """
      const figures = [...page.querySelectorAll("img.curves")];
      const widths = figures.map((image) => [image.getBoundingClientRect().width, image.naturalWidth]);
      return {page: page.querySelector("main").getBoundingClientRect().width, widths,
              scrolled: figures.filter((image) => image.parentElement.scrollWidth > image.parentElement.clientWidth)
                          .map((image) => image.alt)};"""
    found = visit(address, script, tmp_path)
    assert len(found["widths"]) >= 5
    for shown, of_file in found["widths"]:
        assert shown == pytest.approx(found["page"], abs=1)
        assert shown == pytest.approx(of_file, abs=1)
    assert found["scrolled"] == []


def test_every_link_leads_to_something(address: str, tmp_path: Path) -> None:
    script = """
      const links = [...page.links].map((link) => link.getAttribute("href")).filter((href) => !href.startsWith("http"));
      const missing = [];
      for (const href of new Set(links)) {
        if (href.startsWith("#")) { if (!page.querySelector(href)) missing.push(href); continue; }
        const answer = await window.fetch(href);
        if (!answer.ok || !(await answer.text()).includes(",")) missing.push(href);
      }
      return {links, missing};"""
    found = visit(address, script, tmp_path)
    assert "../findings/verdicts.csv" in found["links"]
    assert found["missing"] == []


def test_tables_sort_by_every_column_and_lose_no_row(address: str, tmp_path: Path) -> None:
    script = """
      const table = page.querySelector("#verdicts table");
      const cellsOf = (row) => [...row.cells].map((cell) => cell.textContent.trim());
      const texts = () => [...table.tBodies[0].rows].map(cellsOf);
      const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
      const before = texts();
      const clicked = {};
      for (const [column, head] of heads.entries()) {
        const button = table.tHead.rows[0].cells[column].querySelector("button");
        button.click(); const up = texts().map((row) => row[column]);
        button.click(); const down = texts().map((row) => row[column]);
        clicked[head] = {up, down};
      }
      return {heads, before, after: texts(), clicked};"""
    found = visit(address, script, tmp_path)
    assert sorted(found["before"]) == sorted(found["after"])
    assert len(found["before"]) >= 2
    differences = [float(text) for text in found["clicked"]["difference"]["up"]]
    assert differences == sorted(differences)
    assert [float(text) for text in found["clicked"]["difference"]["down"]] == sorted(differences, reverse=True)
    assert found["clicked"]["model"]["up"] == sorted(found["clicked"]["model"]["up"])


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_nothing_is_wider_than_the_screen(address: str, tmp_path: Path, width: int) -> None:
    script = """
      page.querySelectorAll("details").forEach((details) => { details.open = true; });
      const wide = [...page.body.querySelectorAll("*")].filter((element) => !element.closest(".scroll"))
        .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 120));
      return {width: window.innerWidth, scrolled: page.documentElement.scrollWidth, wide};"""
    found = visit(address, script, tmp_path, width)
    assert found["width"] == width
    assert found["scrolled"] <= width
    assert found["wide"] == []
