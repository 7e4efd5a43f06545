"""Run every benchmark of this package, print one table, write ``results/<bench>.json``."""

import json
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Result, measured_by
from ecgtransfer.files import written_whole

FOLDER = Path(__file__).parent
COLUMNS = ("name", "value", "unit", "goal", "meets")


def run(bench: str) -> list[Result]:
    """Return what a benchmark module measures, in a process of its own.

    The allocator and the threads that one benchmark leaves behind would change the next. OpenBLAS chooses its kernels
    for this machine: those that an environment forces upon it would measure another one.
    """
    os.environ.pop("OPENBLAS_CORETYPE", None)
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(measured_by, bench).result()


def write(results: list[Result], path: Path) -> None:
    """Write the results of one benchmark; a value that is no number is an error."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps([result.as_json() for result in results], indent=2, allow_nan=False) + "\n")


def table(results: list[Result]) -> str:
    """Return the results as text with aligned columns."""
    rows = [COLUMNS]
    for result in results:
        entry = result.as_json()
        rows.append(
            (result.name, f"{result.value:.1f}", str(entry["unit"]), f"{result.goal:g}", str(result.meets).lower())
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main() -> int:
    """Run all benchmarks. One that fails does not stop the others; a goal that is missed is no failure."""
    results, failed = [], []
    for bench in sorted(path.stem for path in FOLDER.glob("bench_*.py")):
        start = perf_counter()
        path = FOLDER / "results" / f"{bench}.json"
        path.unlink(missing_ok=True)  # an older result must not pass for this run's, should this run fail
        try:
            measured = run(bench)
            write(measured, path)
            results += measured
        except Exception:
            failed.append(bench)
            traceback.print_exc()
        print(f"{bench}: {perf_counter() - start:.0f} s", file=sys.stderr)
    print(table(results))
    if failed:
        print(f"error: {', '.join(failed)} failed, see above", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
