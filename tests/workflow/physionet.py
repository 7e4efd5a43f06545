"""A small PhysioNet on loopback: simulated recordings in the layout of PTB-XL, served by a real web server."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ecgtransfer.acquire.native_layouts import simulate
from ecgtransfer.files import sha256_of

SETTINGS: Mapping[str, Any] = {
    "layout": "ptb-xl", "n_patients": 60, "records_per_patient": 1.5, "sampling_rate_hz": 500, "noise": 1.2,
    "prevalence": {"SB": 0.2, "AF": 0.2, "LVH": 0.3},
}  # fmt: skip


def publish(folder: Path, settings: Mapping[str, Any] = SETTINGS) -> int:
    """Write the data set under `folder` with its RECORDS and SHA256SUMS.txt, and return the number of its records."""
    root = folder / "files" / "ptb-xl" / "1.0.3"
    paths = simulate("ptb-xl", settings, 2, root)
    (root / "scp_statements.csv").write_text(",description\n")
    records = [path.removesuffix(".hea") for path in sorted(paths) if path.endswith(".hea")]
    (root / "RECORDS").write_text("\n".join(records) + "\n")
    listed = [*paths, "scp_statements.csv", "RECORDS"]
    sums = [f"{sha256_of(root / path)} {path}" for path in sorted(listed)]
    (root / "SHA256SUMS.txt").write_text("\n".join(sums) + "\n")
    return len(records)


class _SlowHandler(SimpleHTTPRequestHandler):
    """Answers after a pause, so that a test can strike while a download is under way."""

    pause_s = 0.0

    def do_GET(self) -> None:
        time.sleep(self.pause_s)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, pause_s: float = 0.0) -> Iterator[str]:
    """Serve a folder on loopback and yield its address."""
    handler = type("Handler", (_SlowHandler,), {"pause_s": pause_s})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
