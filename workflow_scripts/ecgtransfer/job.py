"""What every job of the workflow does around its one call: a log file, and one clear line when the user must act."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ecgtransfer.errors import InputError

logger = logging.getLogger(__name__)


@contextmanager
def job(log_path: str) -> Iterator[None]:
    """Run the block with its progress in `log_path`, up to "done", and its warnings on the terminal, too.

    An `InputError` ends the process with status 1 and its one line; any other error leaves its traceback in the log.
    """
    to_file = logging.FileHandler(log_path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], format="%(message)s", force=True)
    try:
        yield
    except InputError as error:
        logger.error("error: %s", error)
        sys.exit(1)
    except Exception:
        logger.exception("unexpected error")
        raise
    logger.info("done")
