"""What a process does that the fork server has forked: be Snakemake, or a script, and end as Python would."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
"""What each fault sends to all processes of a run."""
LONGEST_MESSAGE = 1 << 17
MOST_FILES = 16

Message = dict[str, Any]


def ask(address: str, message: Message, files: Sequence[int] = ()) -> socket.socket:
    """Send a message and open files to the server, and return the connection on which the answer comes."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect("\0" + address)
    socket.send_fds(connection, [json.dumps(message).encode()], list(files))
    return connection


def answer_of(connection: socket.socket) -> Message | None:
    """Return the next answer; None if the server has closed the connection."""
    received = connection.recv(LONGEST_MESSAGE)
    answer: Message | None = json.loads(received) if received else None
    return answer


def end_as_python(entry: Callable[[], None]) -> NoReturn:
    """Call a function as the whole of a program and end this process as Python would, with the same status."""
    status = 0
    try:
        entry()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        status = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        status = 1
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):  # Snakemake leaves one of a second, in which nothing happens any more
            thread.cancel()
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    if status == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


@dataclass(frozen=True)
class Process:
    """What a forked process knows of its run."""

    address: str
    run: int

    def request(self, kind: str, entry: str, arguments: Sequence[Any], **more: Any) -> Message:
        """Return a message that asks for one more process of the run, in this folder with this environment."""
        common = {"folder": str(Path.cwd()), "environment": dict(os.environ), "files": [0, 1, 2], "run": self.run}
        return {"kind": kind, "entry": entry, "arguments": list(arguments), **common, **more}

    def reached(self) -> None:
        """Say that this is the moment to be struck, and wait for it."""
        with ask(self.address, {"kind": "reached", "run": self.run}) as connection:
            answer_of(connection)


def run_snakemake(process: Process, *arguments: str) -> None:
    """Be `python -m snakemake`, but for jobs: the server forks them."""
    from snakemake import cli
    from snakemake.script import PythonScript

    def execute_script(self: PythonScript, fname: str, edit: bool = False) -> None:
        threads = str(self.threads)
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        message = process.request("job", "script", [fname], rule=self.rulename)
        message["environment"] |= limits
        with ask(process.address, message, [0, 1, 2]) as connection:
            told = [answer_of(connection), answer_of(connection)]
        if self.bench_record:
            self.bench_record.running_time = 0.0  # nothing is measured
        status = os.waitstatus_to_exitcode(told[1]["status"]) if told[1] else -signal.SIGKILL
        if status:
            raise subprocess.CalledProcessError(status, f"{sys.executable} {fname}")

    PythonScript.execute_script = execute_script
    sys.path[0] = str(Path.cwd())
    sys.argv = ["snakemake", *arguments]
    cli.main(list(arguments))


def run_script(process: Process, script: str, *arguments: str, fault: Mapping[str, Any] | None = None) -> None:
    """Be `python script arguments...`, struck by a fault if there is one."""
    if fault and fault["when"] == "before":
        _suffer(process, fault)
    if fault and fault["when"] == "halfway":
        left = [fault["n_files"]]

        def count_files_in_place(event: str, _: tuple[Any, ...]) -> None:
            if event == "os.rename" and left[0] >= 0:
                left[0] -= 1
                if left[0] < 0:
                    _suffer(process, fault)

        sys.addaudithook(count_files_in_place)
    main = ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).resolve().parent)
    subprocess.Popen = _popen_of(process)  # type: ignore[assignment,misc]
    exec(compile(Path(script).read_bytes(), script, "exec"), main.__dict__)
    if fault and fault["when"] == "after":
        _suffer(process, fault)


def _suffer(process: Process, fault: Mapping[str, Any]) -> None:
    process.reached()
    if fault["what"] not in SIGNALS:
        raise SystemExit("failed on demand")


def _popen_of(process: Process) -> type[subprocess.Popen[Any]]:
    """Return the stand-in for `subprocess.Popen` in scripts: commands that start Snakemake are forked, too."""

    class Popen(subprocess.Popen[Any]):
        _connection: socket.socket | None = None

        def _execute_child(self, args: Any, *rest: Any) -> None:
            arguments = _snakemake_arguments(args)
            if arguments is None:
                super()._execute_child(args, *rest)  # type: ignore[misc]
                return
            _, _, _, pass_fds, cwd, env, _, _, _, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = rest[:15]
            own = [own if own != -1 else number for number, own in enumerate((p2cread, c2pwrite, errwrite))]
            message = process.request("start", "snakemake", arguments)
            message["files"] = [0, 1, 2, *pass_fds]
            message["folder"] = str(cwd or Path.cwd())
            message["environment"] = dict(os.environ if env is None else env)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            connection = ask(process.address, message, [*own, *pass_fds])
            started = answer_of(connection)
            if started is None:
                raise ChildProcessError("the run was killed")
            self._connection, self.pid, self._child_created = connection, started["pid"], True
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

        def _try_wait(self, wait_flags: int) -> tuple[int, int]:
            if self._connection is None:
                return super()._try_wait(wait_flags)  # type: ignore[misc,no-any-return]
            self._connection.setblocking(not wait_flags & os.WNOHANG)
            try:
                ended = answer_of(self._connection)
            except BlockingIOError:
                return 0, 0
            return self.pid, ended["status"] if ended else signal.SIGKILL

        def _internal_poll(self, *arguments: Any, **more: Any) -> int | None:
            if self._connection is None:
                return super()._internal_poll(*arguments, **more)  # type: ignore[misc,no-any-return]
            if self.returncode is None:
                pid, status = self._try_wait(os.WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            return self.returncode

    return Popen


def _snakemake_arguments(command: Any) -> list[str] | None:
    """Return the arguments that a command gives Snakemake; None if it starts another program."""
    if isinstance(command, str | bytes | os.PathLike):
        return None
    words = [os.fsdecode(word) for word in command]
    if words[:3] == [sys.executable, "-m", "snakemake"]:
        return words[3:]
    return words[1:] if words and Path(words[0]).name == "snakemake" else None


ENTRIES: dict[str, Callable[..., None]] = {"snakemake": run_snakemake, "script": run_script}
