import pytest
from checkout import Checkout

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
