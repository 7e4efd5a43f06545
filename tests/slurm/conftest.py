from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, missing, slurm_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three nodes, each with 8 cores, 32 GB and a GPU on paper."""
    if reason := missing():
        pytest.skip(f"no SLURM here: {reason}")
    folder: Path = tmp_path_factory.mktemp("cluster")
    with slurm_cluster(folder) as running:
        yield running
