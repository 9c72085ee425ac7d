"""What looks across a batch sees the same however many processes hold it: against the plain layers, in float64."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from posetables.models.parallel import divide

BATCH = 8


def network(shares: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(4, 2, 1))
    layers.double()
    divide(layers, shares)
    return layers


def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 5 + torch.randn(BATCH, 3, 6, 6, dtype=torch.float64, generator=generator)


def passed(layers: nn.Sequential, batch: Tensor) -> dict[str, Tensor]:
    """Outputs, gradients of their mean square, and what is remembered for tests."""
    torch.manual_seed(2)  # of dropout
    batch = batch.to(memory_format=torch.channels_last)
    output = layers(batch)
    output.square().mean().backward()
    gradients = {name: weight.grad for name, weight in layers.named_parameters() if weight.grad is not None}
    buffers = {name: buffer.double() for name, buffer in layers.named_buffers()}
    return {"output": output.detach(), **gradients, **buffers}


def together(count: int, work: Callable[[], dict[str, Tensor]], folder: Path) -> list[dict[str, Tensor]]:
    """What `work` returns in each of `count` processes that can talk to each other."""

    def begin(rank: int) -> None:
        dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count)
        torch.save(work(), folder / f"{rank}.pt")
        dist.destroy_process_group()

    processes = [multiprocessing.get_context("fork").Process(target=begin, args=(rank,)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def mine() -> Tensor:
    here = BATCH // dist.get_world_size()
    return images()[dist.get_rank() * here :][:here]


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_see_what_one_with_the_whole_batch_sees(count: int, tmp_path: Path) -> None:
    whole = passed(network(), images())
    parts = together(count, lambda: passed(network(), mine()), tmp_path)
    torch.testing.assert_close(torch.cat([part["output"] for part in parts]), whole["output"], rtol=1e-12, atol=1e-12)
    for name in whole.keys() - {"output"}:
        mean = torch.stack([part[name] for part in parts]).mean(0)  # gradients as DDP averages them
        torch.testing.assert_close(mean, whole[name], rtol=1e-9, atol=1e-12)


def by_hand(shares: int) -> Tensor:
    """Batch normalisation of each share by its own mean and variance."""
    features = network()[0](images())
    parts = features.chunk(shares)
    return torch.cat(
        [
            (part - part.mean((0, 2, 3), keepdim=True))
            / torch.sqrt(part.var((0, 2, 3), correction=0, keepdim=True) + 1e-5)
            for part in parts
        ]
    )


def test_shares_of_one_process_are_normalised_apart() -> None:
    layers = network(shares=4)
    torch.testing.assert_close(layers[:2](images()), by_hand(4))


def test_shares_are_the_same_on_several_processes(tmp_path: Path) -> None:
    parts = together(2, lambda: {"normed": network(shares=4)[:2](mine()).detach()}, tmp_path)
    torch.testing.assert_close(torch.cat([part["normed"] for part in parts]), by_hand(4).detach())


def test_tests_use_the_statistics_of_the_first_share() -> None:
    layers = network(shares=4)
    layers[:2](images())
    first = network()[0](images())[: BATCH // 4]
    torch.testing.assert_close(layers[1].running_mean, 0.1 * first.mean((0, 2, 3)))


def test_one_process_with_the_whole_batch_keeps_the_plain_layers() -> None:
    assert [type(layer) for layer in network()] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Conv2d]


def test_a_divided_network_has_the_keys_of_the_plain_one() -> None:
    assert network(shares=2).state_dict().keys() == network().state_dict().keys()
