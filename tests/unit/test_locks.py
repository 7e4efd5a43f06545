"""Runs, their jobs and Snakemake in one folder: who waits for whom, and which job writes nothing any more."""

import os
from pathlib import Path

import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.locks import JOBS_LOCK, RUN_LOCK, alone_in_this_folder, as_job, as_snakemake, shared


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECG_TRANSFER_RUN", "none")
    monkeypatch.delenv("ECG_TRANSFER_RUN")


def is_free(lock: Path) -> bool:
    """Return whether another process could have a lock for itself."""
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'ab'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return os.spawnlp(os.P_WAIT, "python3", "python3", "-c", f"import os; os.close(2); {code}", str(lock)) == 0


def test_a_run_is_alone_and_its_jobs_begin() -> None:
    with alone_in_this_folder():
        assert not is_free(RUN_LOCK)
        assert is_free(JOBS_LOCK)
        with as_job():
            assert not is_free(JOBS_LOCK)
        with as_snakemake():
            pass
    assert is_free(RUN_LOCK)


def test_a_job_of_a_run_before_writes_nothing() -> None:
    with alone_in_this_folder():
        before = os.environ["ECG_TRANSFER_RUN"]
    with alone_in_this_folder():
        os.environ["ECG_TRANSFER_RUN"] = before
        with pytest.raises(InputError, match="was killed, and another has begun"), as_job():
            pytest.fail("began")


def test_a_job_of_plain_snakemake_needs_no_token() -> None:
    with alone_in_this_folder():
        pass
    del os.environ["ECG_TRANSFER_RUN"]
    with as_job():
        assert not is_free(JOBS_LOCK)


def test_plain_snakemake_keeps_runs_away() -> None:
    with as_snakemake():
        assert not is_free(RUN_LOCK)
        with shared(RUN_LOCK, wait=False):
            pass
