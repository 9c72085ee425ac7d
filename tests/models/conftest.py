import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed() -> None:
    torch.set_num_threads(1)  # on a shared machine several threads spend their time waiting for each other
    torch.manual_seed(0)
