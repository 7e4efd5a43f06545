"""Run the workflow as often as a random test wants: forked from a warm process, and struck on demand.

with FastRunner() as runner:
    runner.snakemake(folder, ["--configfile", "study.yaml"], Fault("score_run", nth=3, what="kill", when="after"))
    runner.snakemake(folder, ["--configfile", "study.yaml"])
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from checkout import REPOSITORY
from forked_program import answer_of, ask

SCRIPTS = REPOSITORY / "workflow_scripts"
SERVER, STAND_INS = (Path(__file__).with_name(name) for name in ("fork_server.py", "stand_ins.py"))
QUICK = ("--cores", "2", "--scheduler", "greedy")
"""Arguments of every run; the scheduler by linear programming starts a solver for every few jobs."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""As the workflow sets it for jobs."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when: at the n-th start of a rule's job in a run, all its calls of Snakemake counted.

    Attributes
    ----------
    rule, nth
        The job, from 1.
    what
        ``kill`` ends all processes of the run at once, as a power cut does. ``interrupt`` is Ctrl-C: all of them get
        SIGINT. ``terminate`` is SIGTERM in its place. ``fail`` lets the job end with status 1.
    when
        ``before`` its script starts; ``halfway``, when it has moved `n_files` files into place and is about to move the
        next; ``after`` its script has written everything, and before Snakemake knows.
    """

    rule: str
    nth: int = 1
    what: Literal["kill", "interrupt", "terminate", "fail"] = "kill"
    when: Literal["before", "halfway", "after"] = "before"
    n_files: int = 0


@dataclass(frozen=True)
class Result:
    """How a run ended: its status, negative for a signal, what it printed, and whether its fault has happened."""

    returncode: int
    output: str
    struck: bool


class FastRunner:
    """Starts Snakemake and scripts from a process that has imported already what they import.

    Parameters
    ----------
    hash_seed
        Of Python's hashes in all processes of this runner; None for any.
    trains
        Whether jobs train models, so that torch is imported already, too.
    """

    def __init__(self, hash_seed: int | None = None, trains: bool = False) -> None:
        self._address = f"ecg-transfer-{secrets.token_hex(8)}"
        self._link, servers = socket.socketpair()
        environment = {**os.environ, **ONE_THREAD}
        if trains:
            environment |= LARGE_PAGES
        if hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(hash_seed)
        server = [sys.executable, str(SERVER), self._address, str(servers.fileno()), str(int(trains))]
        command = [*server, str(SCRIPTS), str(STAND_INS)]
        with servers:
            self._server = subprocess.Popen(
                command, env=environment, pass_fds=[servers.fileno()], start_new_session=True
            )
        if self._link.recv(16) != b"ready":
            raise ChildProcessError("the fork server did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server with all that it runs."""
        self._link.close()
        self._server.wait()

    def snakemake(
        self, folder: Path, arguments: Sequence[str] = (), fault: Fault | None = None, timeout_s: float = 120
    ) -> Result:
        """Run ``python -m snakemake`` with `QUICK` and these arguments in a folder, to its end."""
        return self._run("snakemake", folder, [*QUICK, *arguments], fault, timeout_s)

    def python(
        self,
        folder: Path,
        script: str,
        arguments: Sequence[str] = (),
        fault: Fault | None = None,
        timeout_s: float = 120,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Run ``python script arguments...`` in a folder; Snakemake as a subprocess of it is forked, too."""
        return self._run("script", folder, [script, *arguments], fault, timeout_s, environment)

    def _run(
        self,
        entry: str,
        folder: Path,
        arguments: list[str],
        fault: Fault | None,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        message = {
            "kind": "run",
            "entry": entry,
            "arguments": arguments,
            "folder": str(folder),
            "environment": {**os.environ, **ONE_THREAD, **(environment or {})},
            "files": [0, 1, 2],
            "fault": asdict(fault) if fault else None,
        }
        with tempfile.TemporaryFile() as output, open(os.devnull) as nothing:  # noqa: PTH123
            printed = output.fileno()
            with ask(self._address, {"kind": "library", "folder": str(folder)}) as connection:
                address = (answer_of(connection) or {}).get("address", self._address)
            with ask(address, message, [nothing.fileno(), printed, printed]) as connection:
                connection.settimeout(timeout_s)  # by closing the connection, all is killed
                answer_of(connection)
                ended = answer_of(connection)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if ended is None:
            raise ChildProcessError(f"the fork server is gone\n{text}")
        return Result(os.waitstatus_to_exitcode(ended["status"]), text, ended["struck"])
