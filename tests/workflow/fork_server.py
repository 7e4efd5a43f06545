"""A process that has imported what the workflow's jobs import, and forks itself where Python would be started anew.

A job then costs its work and not the import of pandas and its like, and Snakemake itself starts in a moment. Of the
library and of the workflow nothing is imported here: a fork reads their code as it is then. The server has one thread,
and all forks are its own, whoever asks for them. It can also strike a run at a moment that a `Fault` names.

Started by `fast_runner`; what is said over the sockets stands in `_Server._answer`. It ends with who started it.
"""

import atexit
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

PRELOADED = (
    "jinja2",
    "jsonschema",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "multiprocessing.connection",
    "multiprocessing.popen_fork",
    "multiprocessing.queues",
    "numpy",
    "pandas",
    "PIL.Image",
    "PIL.PngImagePlugin",
    "requests.adapters",
    "runpy",
    "safetensors.numpy",
    "scipy.fft",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.signal",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "scipy.special",
    "scipy.stats",
    "snakemake.cli",
    "snakemake.executors.local",
    "snakemake.report",
    "snakemake.utils",
    "tarfile",
    "threadpoolctl",
    "urllib3",
    "yaml",
)
SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
"""What each fault sends to all processes of a run."""
_LONGEST_MESSAGE = 1 << 17
_MOST_FILES = 16

Message = dict[str, Any]


def ask(address: str, message: Message, files: Sequence[int] = ()) -> socket.socket:
    """Send a message and open files to the server, and return the connection on which the answer comes."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect("\0" + address)
    socket.send_fds(connection, [json.dumps(message).encode()], list(files))
    return connection


def answer_of(connection: socket.socket) -> Message | None:
    """Return the next answer; None if the server has closed the connection."""
    received = connection.recv(_LONGEST_MESSAGE)
    answer: Message | None = json.loads(received) if received else None
    return answer


@dataclass
class _Run:
    """Everything that one call of a runner has started: a process group, named after its first process."""

    group: int
    connection: socket.socket
    fault: Message | None
    starts: Counter[str] = field(default_factory=Counter)
    members: set[int] = field(default_factory=set)
    struck: bool = False
    killed: bool = False


@dataclass
class _Child:
    """A process that was forked, and who wants to know its end."""

    pid: int
    run: _Run
    connection: socket.socket


class _Server:
    """Forks upon request; `serve` returns when the process that started it has gone."""

    def __init__(self, address: str, owner: socket.socket) -> None:
        self._address = address
        self._owner = owner
        self._selector = selectors.DefaultSelector()
        self._runs: dict[int, _Run] = {}
        self._statuses: dict[int, int] = {}  # of the first processes of runs that others outlive
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind("\0" + address)
        self._listening.listen(64)
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(owner, selectors.EVENT_READ, self._stop)
        self._serving = True

    def serve(self) -> None:
        """Answer until the owner has gone."""
        self._owner.send(b"ready")
        while self._serving:
            for key, _ in self._selector.select():
                key.data()

    def _stop(self) -> None:
        for run in self._runs.values():
            _kill_group(run, signal.SIGKILL)
        self._serving = False

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        """Read a request; where the other end is gone, end what it waited for."""
        if connection.fileno() == -1:  # closed since select returned
            return
        try:
            content, files, _, _ = socket.recv_fds(connection, _LONGEST_MESSAGE, _MOST_FILES)
        except ConnectionError:
            content, files = b"", []
        if content:
            self._answer(json.loads(content), connection, files)
            for descriptor in files:
                os.close(descriptor)
            return
        self._close(connection)
        for run in self._runs.values():
            if run.connection is connection:
                run.killed = True
                _kill_group(run, signal.SIGKILL)

    def _close(self, connection: socket.socket) -> None:
        if connection.fileno() != -1:  # it may be closed already
            self._selector.unregister(connection)
            connection.close()

    def _answer(self, message: Message, connection: socket.socket, files: list[int]) -> None:
        """Do what a message asks for.

        ``run`` starts a run by its first process, ``start`` a further process of it, ``job`` the script of a rule.
        Each forks a process that calls the function named ``entry`` with ``arguments``; its files are those sent along,
        under the numbers in ``files``; ``folder`` and ``environment`` are its own. Answers are ``pid`` and, at the end,
        ``status`` as of waitpid. ``reached`` says that the process which was to be struck is where it should be.
        """
        run = self._runs.get(message.get("run", 0))
        if message["kind"] == "reached":
            if run is not None:
                self._strike(run, connection)
            return
        if message["kind"] != "run" and (run is None or run.killed):
            self._close(connection)
            return
        fault = None
        if run is not None and message["kind"] == "job":
            run.starts[message["rule"]] += 1
            if run.fault and run.fault["rule"] == message["rule"] and run.fault["nth"] == run.starts[message["rule"]]:
                fault = run.fault
        pid = self._fork(message, run, fault, files)
        if run is None:
            run = self._runs[pid] = _Run(pid, connection, message["fault"])
        run.members.add(pid)
        with contextlib.suppress(OSError):  # who asked may be gone
            connection.send(json.dumps({"pid": pid}).encode())
        child = _Child(pid, run, connection)
        descriptor = os.pidfd_open(pid)
        self._selector.register(descriptor, selectors.EVENT_READ, lambda: self._reap(child, descriptor))

    def _fork(self, message: Message, run: _Run | None, fault: Message | None, files: list[int]) -> int:
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # it may have done so itself
                os.setpgid(pid, run.group if run else pid)
            return pid
        try:
            group = run.group if run else os.getpid()
            os.setpgid(0, group)
            self._become(message, files)
            process = _Process(self._address, group)
            entry: Callable[..., None] = ENTRIES[message["entry"]]
            _end(lambda: entry(process, *message["arguments"], **({"fault": fault} if fault else {})))
        finally:
            os._exit(70)  # never back into the server's loop

    def _become(self, message: Message, files: list[int]) -> None:
        """Leave behind what is the server's: in the child."""
        kept = [os.dup(descriptor) for descriptor in files]
        keys = [key.fileobj for key in self._selector.get_map().values()]
        self._selector.close()
        for opened in keys:
            os.close(opened) if isinstance(opened, int) else opened.close()  # type: ignore[attr-defined]
        for source, number in zip(kept, message["files"], strict=True):
            os.dup2(source, number, inheritable=True)
        for descriptor in (*kept, *files):
            if descriptor not in message["files"]:
                os.close(descriptor)
        os.chdir(message["folder"])
        os.environ.clear()
        os.environ.update(message["environment"])
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _strike(self, run: _Run, connection: socket.socket) -> None:
        """Send the signal of a run's fault to all its processes; where it has none, let the one go on that asks."""
        assert run.fault is not None
        run.struck = True
        run.killed = run.fault["what"] == "kill"
        if run.fault["what"] in SIGNALS:
            _kill_group(run, SIGNALS[run.fault["what"]])
        else:
            self._close(connection)

    def _reap(self, child: _Child, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(child.pid, 0)
        run = child.run
        run.members.discard(child.pid)
        if child.pid == run.group:
            self._statuses[run.group] = status
        else:
            self._tell(child.connection, {"status": status})
        if run.group in self._statuses and not run.members:
            self._tell(run.connection, {"status": self._statuses.pop(run.group), "struck": run.struck})
            del self._runs[run.group]

    def _tell(self, connection: socket.socket, answer: Message) -> None:
        with contextlib.suppress(OSError):  # who asked may be gone
            connection.send(json.dumps(answer).encode())
        self._close(connection)


def _kill_group(run: _Run, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.group, number)


def _end(entry: Callable[[], None]) -> NoReturn:
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
class _Process:
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


class _KnownCode(MetaPathFinder):
    """Knows what the code says that is there when the server starts, which takes a third of a start of Snakemake.

    Where `ecgtransfer.code_fingerprint` is the same, it is told so of files that are the same, byte for byte.

    Parameters
    ----------
    scripts
        The folder of the library and of the adapters.
    others
        More files that a study may put there.
    """

    NAME = "ecgtransfer.code_fingerprint"

    def __init__(self, scripts: Path, others: Sequence[Path]) -> None:
        source = scripts / "ecgtransfer" / "code_fingerprint.py"
        self._source = source.read_bytes()
        spec = spec_from_file_location("known_code", source)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        self._known = {path.read_bytes(): module._normalized(path) for path in [*scripts.rglob("*.py"), *others]}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load the one module, None for any other."""
        spec = PathFinder.find_spec(name, path) if name == self.NAME else None
        if spec is None or spec.loader is None or spec.origin is None or Path(spec.origin).read_bytes() != self._source:
            return None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            read_anew = module._normalized.__wrapped__
            module._normalized = cache(lambda path: self._known.get(path.read_bytes()) or read_anew(path))  # type: ignore[attr-defined]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def run_snakemake(process: _Process, *arguments: str) -> None:
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


def run_script(process: _Process, script: str, *arguments: str, fault: Mapping[str, Any] | None = None) -> None:
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


def _suffer(process: _Process, fault: Mapping[str, Any]) -> None:
    process.reached()
    if fault["what"] not in SIGNALS:
        raise SystemExit("failed on demand")


def _popen_of(process: _Process) -> type[subprocess.Popen[Any]]:
    """Return what stands in for `subprocess.Popen` in scripts: commands that start Snakemake are forked, too."""

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


def main(address: str, descriptor: str, scripts: str, *others: str) -> None:
    """Import what jobs will need and serve."""
    sys.meta_path.insert(0, _KnownCode(Path(scripts), [Path(path) for path in others]))
    for name in PRELOADED:
        import_module(name)
    from snakemake.cli import get_argument_parser

    get_argument_parser()  # imports the plugins
    gc.collect()
    gc.freeze()
    owner = socket.socket(fileno=int(descriptor))
    _Server(address, owner).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
