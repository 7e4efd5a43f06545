import pytest
from checkout import Checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the tiny study has run to its report. Tests must leave it as it was."""
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    checkout.run()
    return checkout
