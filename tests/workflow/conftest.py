"""Studies that have run, for tests which look at what happens to them next."""

import sys
from collections.abc import Iterator

import pytest
from checkout import Checkout
from fast_runner import FastRunner
from micro_study import MicroStudy

from ecgtransfer.locks import exclusive


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Checkout:
    """A checkout in which the tiny study has run to its report, once for all workers. Tests leave it as it was."""
    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / "finished"
    with exclusive(shared.with_name("finished.lock")):
        if not shared.is_dir():
            made = Checkout(tmp_path_factory.mktemp("made") / "checkout")
            made.run()
            made.folder.rename(shared)
    return Checkout.copied(shared, tmp_path_factory.mktemp("copied") / "checkout")


@pytest.fixture(scope="session")
def runner() -> Iterator[FastRunner]:
    """Runs the workflow from a warm process; all hashes of Python are the same."""
    if sys.platform != "linux":
        pytest.skip("the fork server needs Linux")
    with FastRunner(hash_seed=1) as fast:
        yield fast


@pytest.fixture(scope="session")
def new_micro(tmp_path_factory: pytest.TempPathFactory) -> MicroStudy:
    """A micro-study that no test runs: copies of it are run."""
    return MicroStudy(tmp_path_factory.mktemp("new") / "checkout")


@pytest.fixture(scope="session")
def finished_micro(tmp_path_factory: pytest.TempPathFactory, new_micro: MicroStudy, runner: FastRunner) -> MicroStudy:
    """A micro-study that has run to its page. Tests leave it as it is."""
    study = MicroStudy.copied(new_micro.folder, tmp_path_factory.mktemp("finished") / "checkout")
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    return study
