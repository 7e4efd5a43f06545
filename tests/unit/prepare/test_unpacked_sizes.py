"""Small files that claim to unpack to more than a job has memory for: refused with the size, before they are read."""

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from test_prepare_recordings import ALL, message_of

from ecgtransfer.prepare.formats import memory
from ecgtransfer.prepare.recordings import read_recording, recording_metadata

N_SAMPLES = 10_000
ZEROS = np.zeros((12, N_SAMPLES))
OF_A_PROCESS = 60e6
"""Bytes that a process needs in addition to what it reads."""
LIMIT = ZEROS.nbytes - 1


def write_npz(path: Path) -> str:
    np.savez_compressed(path / "r.npz", ecg=ZEROS)
    return "r.npz"


def write_mat(path: Path) -> str:
    scipy.io.savemat(path / "r.mat", {"ecg": ZEROS}, do_compression=True)
    return "r.mat"


def write_h5(path: Path) -> str:
    with h5py.File(path / "r.h5", "w") as file:
        file.create_dataset("ecg", data=ZEROS, chunks=(12, 100), compression="gzip")
    return "r.h5"


def write_chunk(path: Path) -> str:
    with h5py.File(path / "r.h5", "w") as file:
        file.create_dataset("ecg", data=ZEROS.reshape(10, 12, -1), chunks=(10, 12, 1000), compression="gzip")
    return "r.h5#ecg[3]"


def write_npy(path: Path) -> str:
    np.save(path / "r.npy", ZEROS)
    return "r.npy"


def write_csv(path: Path) -> str:
    (path / "r.csv").write_text((",".join(["0"] * 12) + "\n") * N_SAMPLES)
    return "r.csv"


WRITERS = [write_npz, write_mat, write_h5, write_chunk, write_npy, write_csv]


@pytest.mark.parametrize("write", WRITERS)
def test_what_takes_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], str]
) -> None:
    path = write(tmp_path)
    assert not read_recording(tmp_path, path, "mV", ALL).any()
    monkeypatch.setattr(memory, "LARGEST", LIMIT)
    for call in (lambda: read_recording(tmp_path, path, "mV", ALL), lambda: recording_metadata(tmp_path, path, ALL)):
        assert "takes 0.00 GB of memory, more than 0.00 GB; " in message_of(call)


def test_a_bomb_is_named_with_its_size(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "r.npz", ecg=np.zeros((400, 12, 6000)))
    assert (tmp_path / "r.npz").stat().st_size < 1e6
    path = "r.npz#ecg[0]"
    for call in (lambda: read_recording(tmp_path, path, "mV", ALL), lambda: recording_metadata(tmp_path, path, ALL)):
        assert message_of(call) == (
            f"{tmp_path}/{path}: array 'ecg' takes 0.23 GB of memory, more than 0.13 GB; save it as .npy or HDF5,"
            " which are read recording by recording"
        )


def test_many_recordings_that_are_read_one_by_one_may_be_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = np.random.default_rng(1).integers(-9, 9, (20, 12, 500)).astype(np.float32)
    np.save(tmp_path / "all.npy", many)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file.create_dataset("ecg", data=many, chunks=(1, 12, 500), compression="gzip")
        file["plain"] = many
    scipy.io.savemat(tmp_path / "all.mat", {"ecg": many})
    monkeypatch.setattr(memory, "LARGEST", many[0].nbytes)
    for path in ("all.npy#[7]", "all.h5#ecg[7]", "all.h5#plain[7]", "all.mat#ecg[7]"):
        np.testing.assert_array_equal(read_recording(tmp_path, path, "mV", ALL), many[7])


def test_only_the_array_asked_for_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ecg = np.random.default_rng(1).integers(-9, 9, (12, 500)).astype(np.float32)
    scipy.io.savemat(tmp_path / "r.mat", {"bomb": ZEROS, "ecg": ecg, "also": ZEROS}, do_compression=True)
    np.savez_compressed(tmp_path / "r.npz", bomb=ZEROS, ecg=ecg)
    monkeypatch.setattr(memory, "LARGEST", LIMIT)
    for name in ("r.mat", "r.npz"):
        np.testing.assert_array_equal(read_recording(tmp_path, f"{name}#ecg", "mV", ALL), ecg)
        assert "memory" in message_of(lambda name=name: read_recording(tmp_path, f"{name}#bomb", "mV", ALL))


def test_the_memory_that_is_asked_for_bears_the_limit() -> None:
    text = Path(__file__).parents[3].joinpath("rules/prepare.smk").read_text()
    rule = text.partition("rule prepare_signals:")[2].partition("\nrule ")[0]
    processes, megabytes = (int(re.search(rf"{key}\D*(\d+)", rule)[1]) for key in ("threads:", "mem_mb="))
    assert processes * (memory.LARGEST + OF_A_PROCESS) < megabytes * 1e6
