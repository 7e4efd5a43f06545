"""A target and weights to start from, for tests of cells."""

from pathlib import Path

import pytest
from tiny_cell import write_weights
from tiny_corpus import CorpusFiles, write_corpus


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with weights of all tiny models, which the test must use."""
    return write_weights(tmp_path_factory.mktemp("weights"))
