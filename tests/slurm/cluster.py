"""A SLURM cluster on this host for as long as a test lasts: own daemons, ports, key and folder, GPUs of plain files.

Nothing outside the folder is touched: a host may have several, also one that belongs to a cluster.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
_PATH = f"{os.environ['PATH']}:/usr/sbin"
_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=0,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
KillWait=2
DefMemPerCPU=100
PropagateResourceLimits=NONE
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=32000 Gres=gpu:1"
    " State=UNKNOWN"
)


def missing() -> str | None:
    """Return why there can be no cluster on this host, or None."""
    absent = [daemon for daemon in DAEMONS if shutil.which(daemon, path=_PATH) is None]
    if absent:
        return f"needs {', '.join(absent)}: apt-get install slurmctld slurmd slurm-client munge"
    return None if os.geteuid() == 0 else "needs root, as SLURM's daemons do"


class Cluster:
    """How to speak to a running cluster.

    Attributes
    ----------
    environment
        The variables with which SLURM's commands find it.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{_PATH}",
        }

    def run(self, *command: str) -> str:
        """Run a command of SLURM and return what it printed."""
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return what SLURM says of every job since the start, in the order of submission."""
        listed = self.run("scontrol", "--oneliner", "show", "jobs").splitlines()
        entries = [
            dict(word.partition("=")[::2] for word in line.split()) for line in listed if line.startswith("JobId=")
        ]
        return sorted(entries, key=lambda entry: int(entry["JobId"]))


@contextmanager
def slurm_cluster(folder: Path, n_nodes: int = 3) -> Iterator[Cluster]:
    """Start a cluster whose nodes have 8 cores, 32 GB and a GPU each, on paper; stop it whatever happens."""
    nodes = [f"n{number}" for number in range(1, n_nodes + 1)]
    _write_settings(folder, nodes)
    cluster = Cluster(folder)
    with ExitStack() as daemons:
        _start(daemons, cluster, folder, "munged", "--foreground", "--force", *_munge_options(folder))
        _wait_for((folder / "munge" / "socket").exists, "munged")
        _start(daemons, cluster, folder, "slurmctld", "-D")
        for node in nodes:
            _start(daemons, cluster, folder, "slurmd", "-D", "-N", node)
        daemons.callback(_cancel_all, cluster)
        _wait_for(lambda: _n_idle(cluster) == n_nodes, "the nodes")
        yield cluster


def _write_settings(folder: Path, nodes: Sequence[str]) -> None:
    for name in ("munge", "state", "bin", *(f"spool.{node}" for node in nodes)):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    port, *node_ports = _free_ports(1 + len(nodes))
    lines = [_NODE.format(name=node, host=host, port=number) for node, number in zip(nodes, node_ports, strict=True)]
    (folder / "slurm.conf").write_text(_CONF.format(folder=folder, host=host, port=port, nodes="\n".join(lines)))
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    (folder / "gpu0").touch()  # where no cgroup guards devices, any file passes for one
    (folder / "gres.conf").write_text("".join(f"NodeName={node} Name=gpu File={folder}/gpu0\n" for node in nodes))
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o400)
    (folder / "munge").chmod(0o711)
    # Snakemake takes SLURM_CONF from the environment of its job steps.
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)


def _munge_options(folder: Path) -> list[str]:
    own = folder / "munge"
    options = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return [f"--{option}={own / name}" for option, name in options.items()]


def _free_ports(number: int) -> list[int]:
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(number)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def _start(daemons: ExitStack, cluster: Cluster, folder: Path, *command: str) -> None:
    log = daemons.enter_context((folder / "daemons.log").open("a"))
    ends_with_us = ["setpriv", "--pdeathsig", "TERM"]  # a test that is killed can stop nothing
    process = subprocess.Popen(
        [*ends_with_us, *command], env=cluster.environment, stdout=log, stderr=log, start_new_session=True
    )
    daemons.callback(_stop, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cancel_all(cluster: Cluster) -> None:
    """Cancel what runs, and wait until the nodes have ended it: what is left would outlive the daemons."""
    cluster.run("scancel", "--user=root")
    _wait_for(lambda: not cluster.run("squeue", "--noheader"), "the end of cancelled jobs")


def _n_idle(cluster: Cluster) -> int:
    shown = subprocess.run(
        ["sinfo", "--noheader", "--states=idle", "--Node", "--format=%N"],
        env=cluster.environment, capture_output=True, text=True,
    )  # fmt: skip
    return len(shown.stdout.split())


def _wait_for(reached: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no sign of {what} within a minute")
        time.sleep(0.1)
