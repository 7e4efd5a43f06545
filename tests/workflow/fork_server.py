"""A process that has imported what the workflow's jobs import, and forks itself where Python would be started anew.

A job then costs its work and not the import of pandas and its like, and Snakemake itself starts in a moment. A run is
forked from a server that has also imported the library: its code as it is in the folder when the run starts (see
`warm_library`), of which each version has a server of its own. A server has one thread, and all forks are its own,
whoever asks for them. It can also strike a run at a moment that a `Fault` names.

Started by `fast_runner`; the protocol of the sockets is in `_Server._answer`. It ends with who started it.
"""

import contextlib
import gc
import json
import os
import secrets
import selectors
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from forked_program import ENTRIES, LONGEST_MESSAGE, MOST_FILES, SIGNALS, Message, Process, end_as_python
from warm_library import copied_library, digest_of_library, import_library

PRELOADED = (
    "jinja2",
    "pydantic",
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
OF_TRAININGS = ("safetensors.torch", "torch")
MOST_LIBRARIES = 4
"""Servers with a library each; the one that was not asked for longest ends."""


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
        self._libraries: dict[str, tuple[str, socket.socket]] = {}  # address and link of servers, by digest
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
        for _, link in self._libraries.values():
            link.close()
        self._serving = False

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        """Read a request; where the other end is gone, end what it waited for."""
        if connection.fileno() == -1:  # closed since select returned
            return
        try:
            content, files, _, _ = socket.recv_fds(connection, LONGEST_MESSAGE, MOST_FILES)
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
        ``library`` asks for the ``address`` of the server that has imported the library of a folder.
        """
        if message["kind"] == "library":
            connection.send(json.dumps({"address": self._address_with(Path(message["folder"]))}).encode())
            return
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

    def _address_with(self, folder: Path) -> str:
        """Return the address of a server with the library of a folder; of this one where the folder has none."""
        digest = digest_of_library(folder)
        if digest is None:
            return self._address
        if digest not in self._libraries:
            if len(self._libraries) == MOST_LIBRARIES:
                _, link = self._libraries.pop(next(iter(self._libraries)))
                link.close()
            self._libraries[digest] = self._with_library(folder)
        self._libraries[digest] = self._libraries.pop(digest)  # the last one that was asked for
        return self._libraries[digest][0]

    def _with_library(self, folder: Path) -> tuple[str, socket.socket]:
        """Fork a server that imports a library, and return its address and the link that keeps it alive."""
        address, (link, owner) = f"{self._address}-{secrets.token_hex(4)}", socket.socketpair()
        if not os.fork():
            try:
                link.close()
                self._leave()
                with copied_library(folder) as scripts:
                    import_library(scripts)
                    gc.collect()
                    gc.freeze()
                    _Server(address, owner).serve()
            finally:
                os._exit(0)
        owner.close()
        if link.recv(16) != b"ready":
            raise ChildProcessError(f"the server with the library of {folder} did not start")
        return address, link

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
            process = Process(self._address, group)
            entry: Callable[..., None] = ENTRIES[message["entry"]]
            end_as_python(lambda: entry(process, *message["arguments"], **({"fault": fault} if fault else {})))
        finally:
            os._exit(70)  # never back into the server's loop

    def _leave(self) -> None:
        """Close what only the server uses: in the child."""
        keys = [key.fileobj for key in self._selector.get_map().values()]
        self._selector.close()
        for opened in keys:
            os.close(opened) if isinstance(opened, int) else opened.close()  # type: ignore[attr-defined]
        for _, link in self._libraries.values():
            link.close()

    def _become(self, message: Message, files: list[int]) -> None:
        """Leave behind what is the server's: in the child."""
        kept = [os.dup(descriptor) for descriptor in files]
        self._leave()
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
        self._known_parts = {
            (path.read_bytes(), function): module._normalized_part(path, function)
            for path in scripts.glob("ecgtransfer/findings/*.py")
            for function in ("compute", "draw", "on_page")
            if f"\ndef {function}(" in path.read_text(encoding="utf-8")
        }

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load the one module, None for any other."""
        spec = PathFinder.find_spec(name, path) if name == self.NAME else None
        if spec is None or spec.loader is None or spec.origin is None or Path(spec.origin).read_bytes() != self._source:
            return None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            read_anew, read_part = module._normalized.__wrapped__, module._normalized_part.__wrapped__
            module._normalized = cache(lambda path: self._known.get(path.read_bytes()) or read_anew(path))  # type: ignore[attr-defined]
            module._normalized_part = cache(  # type: ignore[attr-defined]
                lambda path, name: self._known_parts.get((path.read_bytes(), name)) or read_part(path, name)
            )

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def main(address: str, descriptor: str, trains: str, scripts: str, *others: str) -> None:
    """Import what jobs will need and serve."""
    sys.meta_path.insert(0, _KnownCode(Path(scripts), [Path(path) for path in others]))
    for name in (*PRELOADED, *(OF_TRAININGS if int(trains) else ())):
        import_module(name)
    from snakemake.cli import get_argument_parser

    get_argument_parser()  # imports the plugins
    gc.collect()
    gc.freeze()
    owner = socket.socket(fileno=int(descriptor))
    _Server(address, owner).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
