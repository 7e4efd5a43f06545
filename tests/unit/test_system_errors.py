"""Refusals of the operating system are one line with the file and what to do; what nobody can fix stays an error."""

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from safetensors.numpy import save_file
from small_disk import REASON, can_mount, run_on

from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.figure_files import save_figure
from ecgtransfer.files import require_listable, require_writable, write_arrays, write_csv, write_json, written_whole
from ecgtransfer.job import job
from ecgtransfer.system_errors import in_words, reported_in_one_line

HERE = Path(__file__).parent
FREE = "free some of it, or make the folder a link to another disk, then run again: finished files are kept"


def write_as_npy(path):
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.zeros(100_000))


def write_as_safetensors(path):
    with written_whole(path) as temporary:
        save_file({"a": np.zeros(100_000)}, temporary)


def draw(path):
    figure = Figure()
    figure.subplots().plot(np.random.default_rng(0).random(5_000))
    save_figure(figure, path, path.with_name("figure.png"))


WRITERS = {
    "csv": lambda path: write_csv(pd.DataFrame({"a": np.arange(100_000)}), path),
    "json": lambda path: write_json({"a": "x" * 1_000_000}, path),
    "npz": lambda path: write_arrays({"a": np.zeros(100_000)}, path),
    "npy": write_as_npy,
    "safetensors": write_as_safetensors,
    "svg": draw,
}


def lines_of_all_writers(folder):
    """Print the message where each writer cannot write; run in its own process."""
    for name, write in WRITERS.items():
        path = Path(folder, "x", f"a.{name}")
        try:
            write(path)
            print(f"{name}: written")
        except OSError as error:
            print(in_words(error, "elsewhere"))
        assert not [*path.parent.iterdir()], "nothing half-written is left"


CALL = "import sys; from test_system_errors import lines_of_all_writers; {before}lines_of_all_writers(sys.argv[1])"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1] / 'workflow_scripts'}"}


@pytest.mark.skipif(not can_mount(), reason=REASON)
def test_every_writer_on_a_full_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    command = [sys.executable, "-c", CALL.format(before=""), str(tmp_path / "disk")]
    result = run_on("mount -t tmpfs -o size=100k tmpfs disk", command, tmp_path, ENVIRONMENT)
    assert result.stdout.splitlines() == [
        f"{tmp_path}/disk/x/a.{name}: the disk is full; {FREE}" for name in WRITERS
    ], result.stderr


def test_every_writer_where_files_may_not_be_large(tmp_path):
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    result = subprocess.run(
        [sys.executable, "-c", CALL.format(before=before), str(tmp_path)],
        env=ENVIRONMENT, capture_output=True, text=True,
    )  # fmt: skip
    lines = dict(zip(WRITERS, result.stdout.splitlines(), strict=True))
    in_part = lines.pop("npy")  # numpy says no more than that not all was written
    assert in_part.startswith(f"{tmp_path}/x/a.npy: the disk is full; ")
    assert set(lines.values()) == {
        f"{tmp_path}/x/a.{name}: would be larger than `ulimit -f` or the disk allows; raise the limit, then run again"
        for name in lines
    }, result.stderr


@pytest.mark.skipif(not can_mount(), reason=REASON)
def test_every_writer_on_a_read_only_disk(tmp_path):
    (tmp_path / "disk/x").mkdir(parents=True)
    mount = "mount --bind disk disk && mount -o remount,bind,ro disk"
    command = [sys.executable, "-c", CALL.format(before=""), str(tmp_path / "disk")]
    result = run_on(mount, command, tmp_path, ENVIRONMENT)
    assert result.stdout.splitlines() == [
        f"{tmp_path}/disk/x/a.{name}: the disk is read-only; make it writable, or work in another folder"
        for name in WRITERS
    ], result.stderr


def test_file_in_place_of_a_folder_and_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder/below").mkdir(parents=True)
    for path, said in {
        tmp_path / "file/a.csv": f"{tmp_path}/file: already exists and is not a folder; ",
        tmp_path / "file/b/a.csv": f"{tmp_path}/file/b: is a file or lies below one, expected a folder; ",
        tmp_path / "folder": f"{tmp_path}/folder: is a folder, expected a file; ",
        tmp_path / ("x" * 300): f"{tmp_path}/{'x' * 300}: the name is too long for this disk; ",
    }.items():
        with pytest.raises(OSError) as raised:
            write_json({}, path)
        line = in_words(raised.value, "elsewhere")
        assert line is not None and line.startswith(said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_other_errors_of_the_block_are_left_as_they_are(tmp_path):
    for error in (InputError("a mistake"), ValueError("12 requested"), FileNotFoundError(2, "no", "other")):
        with pytest.raises(type(error)) as raised, written_whole(tmp_path / "a"):
            raise error
        assert raised.value is error
    with pytest.raises(PermissionError) as raised, written_whole(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "denied", "what is read")
    assert raised.value.filename == "what is read"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EMFILE, "Too many"), "here: too many files are open; raise `ulimit -n`, or use fewer cores"),
        (OSError(errno.EDQUOT, "x", "a"), f"a: your share (quota) of the disk is used up; {FREE}"),
        (OSError(errno.ENOSPC, "x", "read", None, "written"), f"written: the disk is full; {FREE}"),
        (BlockingIOError(errno.EAGAIN, "x"), "here: no further process can be started; "),
        (MemoryError(), "here: there is too little memory; "),
        (OSError(errno.EIO, "x", b"a"), "a: the disk failed to read or write it; "),
        (RuntimeError("process 1 failed:\nOSError: [Errno 28] No space left on device"), "here: the disk is full; "),
        (RuntimeError("I/O error: Too many open files (os error 24)"), "here: too many files are open; "),
    ],
)
def test_errors_in_words(error, line):
    assert (in_words(error, "here") or "").startswith(line)


@pytest.mark.parametrize("error", [ValueError("x"), FileNotFoundError(2, "x", "a"), OSError("x"), KeyError(28)])
def test_what_nobody_can_mend_is_not_put_in_words(error):
    assert in_words(error, "here") is None


def test_programs_end_with_one_line(tmp_path, capsys):
    for error, line in {
        InputError("a: wrong"): "error: a: wrong",
        PermissionError(
            errno.EACCES, "x", "a"
        ): "error: a: may not be read or written; change its permissions or those of its folder, then run again",
        FileNotFoundError(errno.ENOENT, "No such file", "a"): "error: a: No such file; check what is there",
    }.items():
        with pytest.raises(SystemExit) as ended, reported_in_one_line():
            raise error
        assert ended.value.code == line
    with pytest.raises(ZeroDivisionError), reported_in_one_line():
        raise ZeroDivisionError


def test_folder_is_probed(tmp_path):
    require_writable(tmp_path / "new" / "folder")
    assert [*(tmp_path / "new/folder").iterdir()] == []
    require_listable(tmp_path / "missing")
    (tmp_path / "file").touch()
    for require in (require_writable, require_listable):
        with pytest.raises((FileExistsError, NotADirectoryError)):
            require(tmp_path / "file")


class Files(list):
    """As Snakemake's lists of files with names."""

    def __getattr__(self, name):
        return self[0]

    def get(self, name):
        return None


def a_job(log, tmp_path):
    files = Files([str(tmp_path / "out")])
    params = SimpleNamespace(code="ab12", items=lambda: [("code", "ab12")])
    return SimpleNamespace(log=[str(log)], rule="some_rule", input=Files(), output=files, params=params)


@pytest.fixture
def own_loggers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.mark.usefixtures("own_loggers")
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space"), f"rule some_rule: the disk is full; {FREE}"),
        (PermissionError(errno.EACCES, "x", "a.csv"), "a.csv: may not be read or written; change its permissions or"),
        (MemoryError(), "rule some_rule: there is too little memory; "),
        (InputError("a.csv: wrong"), "a.csv: wrong"),
    ],
)
def test_job_ends_with_one_line(tmp_path, capfd, error, line):
    with pytest.raises(SystemExit) as ended, job(a_job(tmp_path / "log", tmp_path)):
        raise error
    said = capfd.readouterr().err.splitlines()
    assert ended.value.code == 1 and len(said) == 1 and said[0].startswith(f"error: {line}")
    assert (tmp_path / "log").read_text().splitlines()[0].endswith(said[0])


@pytest.mark.usefixtures("own_loggers")
def test_job_with_an_error_of_its_own_leaves_a_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), job(a_job(tmp_path / "log", tmp_path)):
        raise ZeroDivisionError
    assert "Traceback" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("own_loggers")
def test_job_whose_log_cannot_be_written_ends_with_one_line(tmp_path, capfd):
    (tmp_path / "log").mkdir()
    with pytest.raises(SystemExit), job(a_job(tmp_path / "log", tmp_path)):
        raise AssertionError("not reached")
    assert capfd.readouterr().err.splitlines() == [
        f"error: {tmp_path}/log: is a folder, expected a file; move away what is there, then run again"
    ]


@pytest.mark.usefixtures("own_loggers")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_log_on_a_full_disk_ends_no_job_and_prints_no_traceback(tmp_path, capfd):
    with pytest.raises(SystemExit), job(a_job("/dev/full", tmp_path)):
        logging.getLogger("ecgtransfer").info("at work")
        raise OSError(errno.ENOSPC, "No space", "a.csv")
    assert capfd.readouterr().err.splitlines() == [f"error: a.csv: the disk is full; {FREE}"]
