"""What tries spellings."""

import pytest
from trial import Trials


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """Tries spellings one after the other."""
    return Trials(tmp_path_factory.mktemp("spellings"))
