"""Errors of the system that may be gone the next time say nothing of a recording: the job ends, none is rejected."""

import errno
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import wfdb
from tiny_signals import SETTINGS

from ecgtransfer.acquire import inventory as inventories
from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.acquire.own_files import on_disk
from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.file_names import found_beside, is_file, is_folder, names_in
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.plausibility import doubts_about
from ecgtransfer.prepare.recordings import read_recording, recording_metadata
from ecgtransfer.prepare.records import describe_records
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.provenance.digests import Digests
from ecgtransfer.system_errors import NotJustNow, in_words, stop_if_it_may_pass

PASSING = ["EIO", "ESTALE", "EAGAIN", "ENOLCK", "ETIMEDOUT", "EMFILE", "ENFILE", "ENOMEM", "EBUSY"]
LASTING = ["EACCES", "EPERM", "ENOENT", "EISDIR", "ENAMETOOLONG"]
SUFFIXES = ["npy", "npz", "csv", "mat", "h5", "hea"]
AND_OF_WFDB = [*SUFFIXES, "dat"]
WRITER = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('held', flush=True); sys.stdin.read()"


def ward(folder: Path, suffix: str, n: int = 4) -> dict[str, Any]:
    """Write recordings with a table; return the entry of the section `own`."""
    from scipy.io import savemat

    folder.mkdir()
    rows = ["record,file,labels"]
    for number in range(n):
        signal = np.random.default_rng(number).normal(0, 0.4, (12, 1000))
        path = folder / f"{number}.{suffix}"
        if suffix == "npy":
            np.save(path, signal)
        elif suffix == "npz":
            np.savez(path, ecg=signal)
        elif suffix == "csv":
            np.savetxt(path, signal.T, delimiter=",", header=",".join(LEADS), comments="")
        elif suffix == "mat":
            savemat(path, {"ecg": signal})
        elif suffix == "h5":
            with h5py.File(path, "w") as file:
                file["ecg"] = signal
        else:
            wfdb.wrsamp(str(number), 100, ["mV"] * 12, list(LEADS), signal.T, fmt=["16"] * 12, write_dir=str(folder))
        rows.append(f"r{number},{path.name},426783006")
    (folder / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    entry = {"folder": str(folder), "table": str(folder / "table.csv"), "reader": "table"}
    own = {"sampling_rate_hz": 100, "unit": "mV", "leads": list(LEADS)}
    return entry | ({} if suffix == "hea" else own)


def listed(entry: dict[str, Any]) -> list[str]:
    return inventory(entry, signal_files)["path"].tolist()


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, call: str, name: str, number: int) -> Iterator[None]:
    """Let a call of the system fail for a file, as it would: without its name where that is not given."""
    true = getattr(os, call)

    def fails(target: Any, *given: Any, **named: Any) -> Any:
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
        if path.name == name:
            raise OSError(number, os.strerror(number), *([] if isinstance(target, int) else [str(path)]))
        return true(target, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        yield


@contextmanager
def held_by_a_writer(path: Path) -> Iterator[None]:
    """Let another process have an HDF5 file open to write."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        yield
        writer.communicate()


@pytest.mark.parametrize("name", PASSING)
def test_error_that_may_pass_is_one_line_which_says_to_run_again(name: str) -> None:
    number = getattr(errno, name)
    for error in (OSError(number, "x"), RuntimeError(f"I/O error: x (os error {number})")):
        with pytest.raises(NotJustNow) as raised:
            stop_if_it_may_pass(error, "a\nb")
        line = in_words(raised.value, "elsewhere") or ""
        assert line.startswith("a\\nb: cannot be read just now (")
        assert line.endswith("run again")
        assert line.count("run again") == 1
        assert not isinstance(raised.value, InputError)
        assert str(pickle.loads(pickle.dumps(raised.value))) == line  # noqa: S301 - as workers hand it on


def test_want_of_memory_may_pass() -> None:
    with pytest.raises(NotJustNow, match="there is too little memory"):
        stop_if_it_may_pass(MemoryError(), "a")


@pytest.mark.parametrize("name", LASTING)
def test_error_that_stays_is_none_of_them(name: str) -> None:
    stop_if_it_may_pass(OSError(getattr(errno, name), "x"), "a")
    stop_if_it_may_pass(ValueError("broken"), "a")


@pytest.mark.parametrize("suffix", AND_OF_WFDB)
@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EMFILE"])
def test_recordings_are_not_rejected_where_one_cannot_be_opened_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, name: str
) -> None:
    entry = ward(tmp_path / "ward", "hea" if suffix == "dat" else suffix)
    paths = listed(entry)
    said = rf"2\.{suffix}: cannot be read just now"
    described, _, _ = describe_records(entry, tmp_path / "ward", paths)
    with failing(monkeypatch, "open", f"2.{suffix}", getattr(errno, name)):
        if suffix != "dat":  # of which describing reads the header alone
            with pytest.raises(NotJustNow, match=said):
                describe_records(entry, tmp_path / "ward", paths)
        for n_workers in (1, 2):
            with pytest.raises(NotJustNow, match=said):
                prepare_signals(described, tmp_path / "ward", SETTINGS, tmp_path / "s.npy", n_workers)
        with pytest.raises(NotJustNow, match=said):
            doubts_about(described, tmp_path / "ward", SETTINGS)
    assert not (tmp_path / "s.npy").exists()


@pytest.mark.parametrize("call", ["read", "preadv"])
def test_error_while_a_wfdb_record_is_read_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    ward(tmp_path / "ward", "hea")
    name = "2.hea" if call == "read" else "2.dat"
    with (
        failing(monkeypatch, call, name, errno.EIO),
        pytest.raises(NotJustNow, match=rf"ward/{name.replace('.', '[.]')}: cannot be read just now"),
    ):
        read_recording(tmp_path / "ward", "2.hea")


def test_error_that_stays_rejects_one_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ward(tmp_path / "ward", "npy")
    paths = listed(entry)
    with failing(monkeypatch, "open", "2.npy", errno.EACCES):
        described, rejected, _ = describe_records(entry, tmp_path / "ward", paths)
    assert described["record_id"].tolist() == ["r0", "r1", "r3"]
    assert rejected["reason"].tolist() == ["file cannot be read (Permission denied)"]


def test_hdf5_file_that_another_program_writes(tmp_path: Path) -> None:
    entry = ward(tmp_path / "ward", "h5")
    paths = listed(entry)
    described, _, _ = describe_records(entry, tmp_path / "ward", paths)
    said = (
        r"2\.h5: cannot be read just now \(another program has it open for writing\); close that program, or set "
        "HDF5_USE_FILE_LOCKING=FALSE, then run again$"
    )
    recording_metadata(tmp_path / "ward", "3.h5")  # what was open before is closed
    with held_by_a_writer(tmp_path / "ward/2.h5"):
        with pytest.raises(NotJustNow, match=said):
            describe_records(entry, tmp_path / "ward", paths)
        with pytest.raises(NotJustNow, match=said):
            prepare_signals(described, tmp_path / "ward", SETTINGS, tmp_path / "s.npy")
    quality = prepare_signals(described, tmp_path / "ward", SETTINGS, tmp_path / "s.npy")
    assert not quality["reason"].str.startswith("not prepared").any()


def test_hdf5_on_a_disk_without_locks() -> None:
    said = "Unable to open file (unable to lock file, errno = 37, error message = 'No locks available')"
    with pytest.raises(NotJustNow, match=r"does not support locks\); set HDF5_USE_FILE_LOCKING=FALSE, then run again$"):
        stop_if_it_may_pass(OSError(errno.ENOLCK, said), "a.h5")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_hdf5_samples_that_cannot_be_read_just_now(tmp_path: Path) -> None:
    ward(tmp_path / "ward", "h5")
    from ecgtransfer.prepare.formats.hdf5_files import open_hdf5

    array = open_hdf5(str(tmp_path / "ward/2.h5"), "ecg")
    failing_file = os.open("/proc/self/mem", os.O_RDONLY)
    os.dup2(failing_file, array.file.id.get_vfd_handle())
    os.close(failing_file)
    with pytest.raises(NotJustNow, match=r"2\.h5: cannot be read just now"):
        read_recording(tmp_path / "ward", "2.h5", "mV", "|".join(LEADS))


@pytest.mark.parametrize("name", PASSING)
def test_file_that_cannot_be_looked_at_just_now_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    entry = ward(tmp_path / "ward", "npy")
    looks: dict[str, Callable[[], Any]] = {
        "is_file": lambda: is_file(tmp_path / "ward/2.npy"),
        "is_folder": lambda: is_folder(tmp_path / "ward/2.npy"),
        "find": lambda: on_disk(tmp_path / "ward")("2.npy"),
        "inventory": lambda: listed(entry),
    }
    with failing(monkeypatch, "stat", "2.npy", getattr(errno, name)):
        for look in looks.values():
            with pytest.raises(NotJustNow, match=r"2\.npy: cannot be read just now"):
                look()


def test_folder_that_cannot_be_listed_just_now_is_not_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ward(tmp_path / "ward", "npy")
    with failing(monkeypatch, "listdir", "ward", errno.EMFILE):
        for look in (lambda: names_in(tmp_path / "ward"), lambda: found_beside(f"{tmp_path}/ward/2.NPY")):
            with pytest.raises(NotJustNow, match=r"ward: cannot be read just now \(too many files are open\)"):
                look()
    assert found_beside(f"{tmp_path}/ward/2.NPY") == f"{tmp_path}/ward/2.npy"
    with failing(monkeypatch, "stat", "ward", errno.ESTALE), pytest.raises(NotJustNow):
        found_beside(f"{tmp_path}/ward/2.NPY")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("EIO", "cannot be read just now .the disk failed to read or write it.; check whether the disk is damaged"),
        ("EACCES", "may not be read or written; change its permissions"),
        ("EPERM", "may not be changed; change its permissions"),
        ("EINVAL", "cannot be read .Invalid argument.; check what is there"),
    ],
)
def test_permissions_are_to_be_mended_only_where_they_are_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    entry = ward(tmp_path / "ward", "npy")

    def fails(path: Any) -> str:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    monkeypatch.setattr(inventories, "sha256_of", fails)
    monkeypatch.setattr("ecgtransfer.provenance.digests.sha256_of", fails)
    for read in (lambda: listed(entry), lambda: Digests(None).of(entry["table"])):
        with pytest.raises((InputError, NotJustNow), match=said) as raised:
            read()
        assert ("change its permissions" in str(raised.value)) == (name in ("EACCES", "EPERM"))


def test_table_that_cannot_be_read_just_now_is_not_to_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ward(tmp_path / "ward", "npy")

    def fails(*given: Any, **named: Any) -> Any:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(io, "open", fails)
    with pytest.raises(NotJustNow, match=r"table\.csv: cannot be read just now"):
        list(read_rows(Path(entry["table"]), ["record"]))


def test_file_of_a_manifest_that_cannot_be_read_just_now_is_not_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ward(tmp_path / "ward", "npy")
    manifest = tmp_path / "manifest.csv"
    inventory(entry, signal_files).to_csv(manifest, index=False)
    with failing(monkeypatch, "stat", "2.npy", errno.ESTALE), pytest.raises(NotJustNow, match=r"2\.npy"):
        Digests(None).first_unlike(manifest, tmp_path / "ward")
    assert Digests(None).first_unlike(manifest, tmp_path / "ward") is None


def test_job_ends_with_that_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from ecgtransfer.job import job

    snakemake = SimpleNamespace(log=[str(tmp_path / "log")], rule="describe_records", input=_Files())
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended, job(snakemake):
            stop_if_it_may_pass(OSError(errno.EMFILE, "x"), "a.npy")
    assert ended.value.code == 1
    assert capfd.readouterr().err.splitlines() == [
        "error: a.npy: cannot be read just now (too many files are open); raise `ulimit -n`, or use fewer cores, "
        "then run again"
    ]


class _Files(list[str]):
    def get(self, name: str) -> None:
        return None
