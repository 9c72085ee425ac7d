from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed() -> None:
    torch.set_num_threads(1)  # on a shared machine several threads spend their time waiting for each other
    torch.manual_seed(0)


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Deterministic kernels, and an error of what has none."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
