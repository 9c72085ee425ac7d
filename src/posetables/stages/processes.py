"""The processes of one training: as many as torchrun started, each with its share of every batch; one without it.

RANK, LOCAL_RANK and WORLD_SIZE are torchrun's. Who asks for how many does not change the recipe: the global batch is
fixed, statistics are those of its recipe (`models.parallel`), and only the order of sums moves.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.recipe import Stage

Value = TypeVar("Value")

PATIENCE = datetime.timedelta(hours=3)
"""The first process reads its inputs again before it begins, hundreds of gigabytes at most; the others wait."""


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[None]:
    """Let the processes talk to each other: by NCCL on GPUs, else by gloo."""
    if count() == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def from_first(value: Value) -> Value:
    """What the first process gave; the others' values count for nothing."""
    if count() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, 0)
    return values[0]


def agreed(loss: Tensor, stop: bool) -> tuple[float, bool]:
    """Mean of the processes' losses, and whether any of them was asked to stop: all stop after the same step."""
    if count() == 1:
        return float(loss.detach()), stop
    told = torch.stack([loss.detach().double(), torch.tensor(float(stop), dtype=torch.float64, device=loss.device)])
    dist.all_reduce(told)
    total, asked = told.tolist()
    return total / count(), asked > 0


def parallel(network: nn.Module) -> nn.Module:
    """The network with its gradients averaged over the processes."""
    if count() == 1:
        return network
    # Gradients are summed in buckets, and a sum of more than two depends on its place there. With this flag, which also
    # allows for parts that are not supervised, DDP keeps its first buckets: a resumed training has the same.
    return nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)


def share(stage: Stage) -> slice:
    """The part of each batch that is this process's.

    Raises:
        InputError: the batch, or its shares, cannot be divided among the processes.
    """
    for name, amount in (("batch", stage.batch), ("shares", stage.shares)):
        if amount % count() and amount != 1:
            raise InputError(
                f"params/scales.yaml: resources.train: {count()} processes cannot divide {name}: {amount}; "
                "set processes and nodes to a divisor"
            )
    mine = stage.batch // count()
    return slice(rank() * mine, (rank() + 1) * mine)
