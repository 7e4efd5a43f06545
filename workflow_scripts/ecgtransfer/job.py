"""What every job of the workflow does around its one call: a log file, a record, one line when the user must act."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ecgtransfer.errors import InputError
from ecgtransfer.locks import as_job
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.record import Record, param_digests
from ecgtransfer.system_errors import in_words

logger = logging.getLogger(__name__)


class _Wildcards(Protocol):
    def __getattr__(self, name: str) -> str: ...


class Job(Protocol):
    """What Snakemake puts into a script under the name ``snakemake``; files and params are named as in the rule."""

    rule: str
    wildcards: _Wildcards
    input: Any
    output: Any
    params: Any
    log: Any
    threads: int
    resources: Any
    config: Mapping[str, Any]


@contextmanager
def job(snakemake: Job) -> Iterator[None]:
    """Run the block with its progress in the job's log, up to "done", and its warnings on the terminal, too.

    At its end the record is written of what it was given, read and wrote. An `InputError` ends the process with status
    1 and its one line, and so does a full disk, a folder without permission and the like; any other error leaves its
    traceback in the log.

    Parameters
    ----------
    snakemake
        What Snakemake gives the script.
    """
    with _logged(snakemake.log[0], snakemake.rule), as_job():
        digests = Digests(MEMORY)
        read = _read_by(snakemake, digests)
        yield
        _require_same(read, _read_by(snakemake, digests))
        _record(snakemake, read, digests).write(snakemake.output.record)


class _LogFile(logging.FileHandler):
    """A log that is cut short where its disk is full, without a traceback for each line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Let it pass: why the disk takes no more is reported on the terminal."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextmanager
def _logged(log_path: str, rule: str) -> Iterator[None]:
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[to_terminal], format="%(message)s", force=True)
    try:
        to_file = _LogFile(log_path, mode="w", encoding="utf-8")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        logging.getLogger().addHandler(to_file)
        yield
    except InputError as error:
        logger.error("error: %s", error)
        sys.exit(1)
    except Exception as error:
        line = in_words(error, f"rule {rule}")
        if line is None:
            logger.exception("unexpected error")
            raise
        logger.error("error: %s", line)
        sys.exit(1)
    logger.info("done")


def _read_by(snakemake: Job, digests: Digests) -> dict[str, str | None]:
    """Return the digest of each file that a job reads, including those listed in a manifest."""
    manifest = snakemake.input.get("manifest")
    unlike = digests.first_unlike(manifest, snakemake.params.folder) if manifest else None
    if unlike is not None:
        raise InputError(
            f"{snakemake.params.folder}/{unlike}: is missing or is not the file that {manifest} lists; "
            "`make run` rebuilds it"
        )
    return {str(path): digests.of(path) for path in snakemake.input}


def _require_same(before: dict[str, str | None], after: dict[str, str | None]) -> None:
    for path in before:
        if before[path] != after[path]:
            raise InputError(f"{path}: has changed while it was read; run again")


def _record(snakemake: Job, read: dict[str, str | None], digests: Digests) -> Record:
    written = {str(path): digests.of(path) for path in snakemake.output if path != snakemake.output.record}
    return Record(
        rule=snakemake.rule,
        code=snakemake.params.code,
        params=param_digests(snakemake.params.items()),
        inputs={path: digest for path, digest in read.items() if digest is not None},
        outputs={path: digest for path, digest in written.items() if digest is not None},
    )
