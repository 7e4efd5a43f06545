"""The GPUs of a job: jobs side by side on one machine get different ones, and none lands on a GPU that is in use.

Snakemake counts GPUs (``--resources gpu=2``) but does not assign them, so each job leases its own. A lease is a
Unix socket bound to the GPU's name in Linux's abstract namespace (unix(7)): one socket of the machine can have a name,
whichever user's it is, and the kernel frees the name once the last process of the job is gone, however it ended. There
is no file to share, to own or to clean up. A container with its own network has its own names, too.
"""

import errno
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch

from ecgtransfer.errors import InputError

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PAUSE_S = 1.0
_LEASED = "leased by another job"


@contextmanager
def leased_devices(n: int) -> Iterator[list[str]]:
    """Give the block `n` GPUs that no other job has, as the only ones that CUDA shows it; wait until there are as many.

    To be called once per job, before anything queries CUDA (``torch.cuda.is_available()`` does), because CUDA reads the
    variable ``CUDA_VISIBLE_DEVICES`` only then. Processes started in the block inherit it, and forked ones the leases.

    GPUs on which processes of others compute are waited for, too, unless ``CUDA_VISIBLE_DEVICES`` named them: who set
    it, a person or SLURM, has decided; idle ones then only come first. Leases hold within a SLURM job, for between jobs
    SLURM decides.

    Parameters
    ----------
    n
        How many; all are taken at once, so that two jobs never wait for each other. 0 hides all GPUs.

    Yields
    ------
    list of str
        Their names as in ``CUDA_VISIBLE_DEVICES``; empty where this machine, or this PyTorch, has no GPU.

    Raises
    ------
    InputError
        If there are GPUs, but fewer than `n`.
    RuntimeError
        If CUDA is in use already.
    """
    if torch.cuda.is_initialized():
        raise RuntimeError("GPUs must be leased before CUDA is used")
    devices = visible_devices()
    if n and not devices:
        yield []
        return
    if n > len(devices):
        raise InputError(
            f"resources: gpu={n} is requested, but there are {len(devices)} ({', '.join(devices)}); request fewer"
        )
    with ExitStack() as held:
        leases = _wait_for(n, devices) if n else {}
        for lease in leases.values():
            held.enter_context(lease)
        before = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = ",".join(leases)
        try:
            yield list(leases)
        finally:
            os.environ.pop(VISIBLE, None)
            os.environ.update({} if before is None else {VISIBLE: before})


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, without touching CUDA: UUIDs, or as ``CUDA_VISIBLE_DEVICES`` has them.

    Indices there are those of nvidia-smi. As in CUDA, what follows an unknown name does not count.
    """
    if torch.version.cuda is None:
        return []
    uuids = dict(_nvidia_smi("--query-gpu=index,uuid", fields=2))
    if VISIBLE not in os.environ:
        return list(uuids.values())
    devices: list[str] = []
    for name in map(str.strip, os.environ[VISIBLE].split(",")):
        if uuids and not name.startswith("MIG-"):  # nvidia-smi does not list the parts of a divided GPU
            found = [uuid for index, uuid in uuids.items() if name == index or uuid.startswith(name or " ")]
        else:
            found = [name] if name.isdecimal() or name.startswith(("GPU-", "MIG-")) else []
        if len(found) != 1:
            break
        devices += found
    return list(dict.fromkeys(devices))


def _wait_for(n: int, devices: Sequence[str]) -> dict[str, socket.socket]:
    """Return the leases of `n` of the GPUs; if they have to be waited for, log once what for."""
    waiting = False
    while True:
        leases, taken = _try_to_lease(n, devices)
        if leases:
            return leases
        if not waiting:
            waiting = True
            by_others = any(what != _LEASED for what in taken.values())
            logger.warning(
                "waits for %d of %d GPUs: %s%s", n, len(devices),
                ", ".join(f"{device} is {what}" for device, what in taken.items()),
                f"; {VISIBLE} can name those to use anyway" if by_others else "",
            )  # fmt: skip
        time.sleep(_PAUSE_S)


def _try_to_lease(n: int, devices: Sequence[str]) -> tuple[dict[str, socket.socket], dict[str, str]]:
    """Return the leases of `n` GPUs, or none and why no GPUs were available."""
    while (choosing := _lease("choosing")) is None:  # one job at a time looks around
        time.sleep(0.02)
    with choosing, ExitStack() as unused:
        free = {device: unused.enter_context(lease) for device in devices if (lease := _lease(device))}
        in_use = _in_use() if len(free) >= n else {}
        idle_first = sorted(free, key=in_use.__contains__)
        chosen = [device for device in idle_first if device not in in_use or VISIBLE in os.environ][:n]
        if len(chosen) < n:
            taken = {device: in_use.get(device, _LEASED) for device in devices}
            return {}, {device: what for device, what in taken.items() if device not in free or device in in_use}
        unused.pop_all()
        for device in free.keys() - set(chosen):
            free[device].close()
        return {device: free[device] for device in chosen}, {}


def _lease(name: str) -> socket.socket | None:
    """Return a socket that has the name on this machine until it is closed; None if another one has it."""
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lease.bind(f"\0ecgtransfer/{os.environ.get('SLURM_JOB_ID', '')}/{name}")
    except OSError as error:
        lease.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return lease


def _in_use() -> Mapping[str, str]:
    """Return the GPUs on which other processes compute, with one of these; what only draws a screen is none."""
    rows = _nvidia_smi("--query-compute-apps=gpu_uuid,pid,process_name", fields=3)
    return {uuid: f"used by process {pid} ({name})" for uuid, pid, name in rows if pid != str(os.getpid())}


def _nvidia_smi(query: str, fields: int) -> list[list[str]]:
    """Return the rows that nvidia-smi answers; none where it is missing, fails, or finds no GPU."""
    command = ["nvidia-smi", query, "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        logger.debug("no GPU is seen: %s", error)
        return []
    rows = [line.split(", ", fields - 1) for line in answer.splitlines()]
    return [row for row in rows if len(row) == fields]
