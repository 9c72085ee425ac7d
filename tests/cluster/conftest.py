"""One Slurm for all tests of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from private_slurm import PrivateSlurm, missing, private_slurm


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    """A Slurm of two nodes; `run_in(folder, ..., environment=cluster.environment)` runs a program that uses it."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with private_slurm(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm
